//! The way from a run to the table of its traces: an evaluation's with a column for each thing that is judged.

use std::collections::BTreeSet;

use mainstay_api::Caller;
use mainstay_core::page::PageRequest;
use mainstay_traces::assessment::{AssessedTrace, Kind};
use mainstay_traces::port::{TraceQuery, TraceScope};
use mainstay_traces::search::{TraceFilter, TraceOrder};
use mainstay_tracking::run::RunDetail;

use crate::Console;
use crate::frame::Error;
use crate::show::link::segment;

/// Traces of the run in which names are looked for: a scorer judges all of them.
const LOOKED_AT: usize = 50;
/// Most columns of what is judged.
const COLUMNS: usize = 12;

/// The address of the table of a run's traces.
pub(super) async fn traces_of(console: &Console, caller: &Caller, run: &RunDetail) -> Result<String, Error> {
    let filter = format!("run_id = '{}'", run.run.id);
    let experiment = run.run.experiment;
    let mut judged = BTreeSet::new();
    if caller.readable().has(experiment) {
        let query = TraceQuery {
            scope: TraceScope { workspace: caller.workspace.clone(), experiments: vec![experiment] },
            filter: TraceFilter::parse(&filter)?,
            order: TraceOrder::parse(&[])?,
            page: PageRequest { limit: LOOKED_AT, after: None },
        };
        let found = console.traces.search(&query).await?;
        judged = names(&console.traced.traces(&caller.workspace, &found.items).await?);
    }
    Ok(address(&filter, &judged))
}

/// What these traces are judged by; expectations stand before feedback, as what should be before what is.
fn names(traces: &[AssessedTrace]) -> BTreeSet<(&'static str, String)> {
    let all = traces.iter().flat_map(|trace| &trace.assessments).filter(|said| said.valid);
    // A name with the sign that quotes names cannot be written.
    let named = all.filter(|said| said.judgement.kind() != Kind::Issue && !said.name.contains('`'));
    named.map(|said| (said.judgement.kind().as_str(), said.name.clone())).collect()
}

fn address(filter: &str, judged: &BTreeSet<(&'static str, String)>) -> String {
    let mut to = format!("/traces?filter={}", segment(filter));
    if judged.is_empty() {
        return to;
    }
    let column = |(kind, name): &(&'static str, String)| format!("{kind}.`{name}`");
    let judged = judged.iter().take(COLUMNS).map(column);
    let around = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let columns = around(&["status", "request", "response"]).into_iter().chain(judged);
    for name in columns.chain(around(&["execution_time_ms"])) {
        to.push_str("&col=");
        to.push_str(&segment(name));
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_judged_has_a_column_each() {
        assert_eq!(address("run_id = 'a'", &BTreeSet::new()), "/traces?filter=run_id%20%3D%20%27a%27");
        let judged = [("feedback", "is exact".to_owned()), ("expectation", "page".to_owned())];
        let to = address("x", &judged.into());
        assert_eq!(
            to,
            "/traces?filter=x&col=status&col=request&col=response&col=expectation.%60page%60\
             &col=feedback.%60is%20exact%60&col=execution_time_ms"
        );
    }
}
