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
            environment: first(&["deployment.environment.name", "deployment.environment", "langfuse.environment"]),
        }
    }

    pub(crate) fn service_version(&self) -> &str {
        &self.service_version
    }

    /// Fills its columns. It knows better than a span's own attribute of the same meaning; `converted` is called with
    /// every column that such an attribute loses.
    pub(crate) fn fill<'a>(&'a self, row: &mut Row<'a>, mut converted: impl FnMut(usize)) {
        for (column, value) in [
            (col::SERVICE_NAME, &self.service_name),
            (col::SERVICE_VERSION, &self.service_version),
            (col::ENVIRONMENT, &self.environment),
        ] {
            if row.text(column).is_some_and(|own| !value.is_empty() && own != value) {
                converted(column);
            }
            row.set_str(column, value);
        }
    }
}
