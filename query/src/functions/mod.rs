//! Functions that DataFusion does not bring: JSON access, and names that analysts know from elsewhere.

mod changepoints;
mod constants;
mod mode;
mod named;
mod names;
mod prices;
mod rewritten;
mod samples;
mod usd;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

pub(crate) use constants::Constants;
pub(crate) use named::{place, place_in, usage};
pub(crate) use prices::{NAMES as PRICES, register as register_prices};
pub(crate) use usd::USD;

/// Registers those that need no file.
pub(crate) fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    datafusion_functions_json::register_all(registry)?;
    for f in rewritten::Rewritten::all() {
        registry.register_udf(Arc::new(ScalarUDF::from(f)))?;
    }
    for f in rewritten::RewrittenAggregate::all() {
        registry.register_udaf(Arc::new(AggregateUDF::from(f)))?;
    }
    registry.register_udaf(Arc::new(AggregateUDF::from(mode::Mode::new())))?;
    registry.register_udaf(Arc::new(AggregateUDF::from(names::JsonNames::new())))?;
    for f in samples::OfSamples::all() {
        registry.register_udaf(Arc::new(AggregateUDF::from(f)))?;
    }
    registry.register_udaf(Arc::new(AggregateUDF::from(changepoints::Changepoints::new())))?;
    registry.register_udf(Arc::new(ScalarUDF::from(usd::UsdPer::new())))?;
    Ok(())
}
