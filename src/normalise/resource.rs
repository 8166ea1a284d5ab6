//! Columns that come from the resource, worked out once for all its spans.

use super::{Row, col, present_text};
use crate::model::Resource;

/// What the resource says.
#[derive(Default)]
pub(crate) struct ResourceColumns {
    service_name: String,
    service_version: String,
    environment: String,
}

impl ResourceColumns {
    pub(crate) fn new(resource: &Resource<'_>) -> Self {
        let first = |keys: &[&str]| {
            keys.iter()
                .find_map(|key| resource.attributes.iter().filter(|(k, _)| k == key).find_map(|(_, v)| present_text(v)))
                .unwrap_or_default()
                .to_owned()
        };
        ResourceColumns {
            service_name: first(&["service.name"]),
            service_version: first(&["service.version"]),
            environment: first(&["deployment.environment.name", "deployment.environment"]),
        }
    }

    pub(crate) fn service_version(&self) -> &str {
        &self.service_version
    }

    pub(crate) fn fill<'a>(&'a self, row: &mut Row<'a>) {
        row.set_str(col::SERVICE_NAME, &self.service_name);
        row.set_str(col::SERVICE_VERSION, &self.service_version);
        row.set_str(col::ENVIRONMENT, &self.environment);
    }
}
