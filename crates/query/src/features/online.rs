//! What a materialisation carries to the online store.

use arrow::array::AsArray as _;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{ident, lit};
use datafusion::prelude::SessionContext;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_features::definition::FeatureView;
use mainstay_features::online::EntityKey;
use mainstay_features::plan::MaterialisationPlan;
use mainstay_features::rule::CreatedCutoff;

use super::error::{FeatureError, missing};
use super::relation::{KEY, PACKED, VISIBLE, packed};
use crate::scan::Table;

/// Keys and packed rows, in batches.
pub type OnlineRows = BoxStream<'static, Result<Vec<(EntityKey, Box<[u8]>)>, FeatureError>>;

/// Streams the rows of a plan: the newest per key of those visible at the horizon, and every row that
/// becomes visible after it, up to the plan's end; less what was visible at `plan.after` already. In no
/// order: the online store needs none. With `horizon = until` it is the newest row per key alone.
pub async fn online_rows(
    session: &SessionContext,
    view: &FeatureView,
    rows: &Table,
    plan: MaterialisationPlan,
) -> Result<OnlineRows, FeatureError> {
    let features: Vec<String> = view.schema().into_iter().map(|(name, _)| name.to_owned()).collect();
    let mut all = packed(session, view, rows, &features, CreatedCutoff::On)?
        .filter(ident(VISIBLE).lt_eq(lit(plan.until.micros())))?;
    if let Some(after) = plan.after {
        all = all.filter(ident(VISIBLE).gt(lit(after.micros())))?;
    }
    let horizon = lit(plan.horizon.micros());
    let before = all.clone().filter(ident(VISIBLE).lt_eq(horizon.clone()))?;
    let newest = before.aggregate(vec![ident(KEY)], vec![max(ident(PACKED)).alias(PACKED)])?;
    let later = all.filter(ident(VISIBLE).gt(horizon))?.select(vec![ident(KEY), ident(PACKED)])?;
    let batches = newest.union(later)?.execute_stream().await?;
    let entries = batches.map_err(FeatureError::from).map(|batch| {
        let batch = batch?;
        let column = |name: &str| {
            let column = batch.column_by_name(name).and_then(|column| column.as_binary_opt::<i32>());
            column.ok_or_else(|| missing(name))
        };
        let pairs = column(KEY)?.iter().zip(column(PACKED)?);
        let whole = pairs.filter_map(|(key, row)| Some((EntityKey::from_bytes(key?), row?.into())));
        Ok(whole.collect())
    });
    Ok(entries.boxed())
}
