//! Stored features for requests that carry entity keys, as a port.

use mainstay_api::oip::Refusal;
use mainstay_core::name::Name;
use mainstay_core::time::DataTime;
use mainstay_serving::record::ViewRead;
use mainstay_serving::value::FeatureValue;

use super::snapshot::Served;

/// Reads features of entities at a data time. It must not wait for a database.
pub trait FeatureLookup: Send + Sync {
    /// Fills the values of one row that are still null with what `service` has at `at` for the entities,
    /// given as pairs of key and value. `row` is in the order of the endpoint's schema. Tells which row of
    /// each view was read.
    fn complete(
        &self,
        served: &Served,
        service: &Name,
        entities: &[(String, FeatureValue)],
        at: DataTime,
        row: &mut [FeatureValue],
    ) -> Result<Vec<ViewRead>, Refusal>;
}
