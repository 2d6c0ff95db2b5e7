//! How long a search over many runs takes. A measurement, to be asked for:
//! `cargo nextest run --release -p mainstay-tracking --run-ignored only --no-capture`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mainstay_core::id::RunId;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::default_workspace;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::index::{RunIndex, RunSummary};
use mainstay_tracking::metric::Latest;
use mainstay_tracking::run::{Lifecycle, Run, RunStatus};
use mainstay_tracking::search::{RunFilter, RunOrder, View};

const RUNS: u32 = 100_000;

fn summary(n: u32) -> RunSummary {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
    let latest = |value| Latest { step: 1_000, timestamp_ms: i64::from(n) + 60_000, value };
    let mixed = f64::from(n.wrapping_mul(40_503) % 10_007) / 10_007.0;
    RunSummary {
        run: Run {
            id: RunId::from_bytes(id),
            experiment: ExperimentId(1),
            name: format!("run-{n}"),
            user: "alice".to_owned(),
            status: RunStatus::Finished,
            start_ms: i64::from(n),
            end_ms: None,
            lifecycle: Lifecycle::Active,
            artifact_uri: format!("mlflow-artifacts:/1/{}/artifacts", RunId::from_bytes(id)),
        },
        workspace: default_workspace(),
        metrics: (0..20).map(|m| (format!("m{m}"), latest((mixed * f64::from(m + 1)) % 1.0))).collect(),
        // Half of the parameters are different in each run.
        params: (0..20)
            .map(|p| (format!("p{p}"), format!("v{}", if p % 2 == 0 { n } else { n % (p + 2) })))
            .collect(),
        tags: BTreeMap::from([("mlflow.runName".to_owned(), format!("run-{n}"))]),
        datasets: Vec::new(),
        is_attached: false,
    }
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..21)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

#[test]
#[ignore = "a measurement"]
fn search_over_a_hundred_thousand_runs() {
    let mut index = RunIndex::new();
    (0..RUNS).for_each(|n| index.put(summary(n)));
    let here = default_workspace();
    println!("{:>7.1} MB resident", resident() as f64 / 1e6);
    for (filter, order) in [
        ("", ""),
        ("metrics.m1 > 0.5 and params.p1 = 'v1'", "metrics.m1 DESC"),
        ("tags.mlflow.runName LIKE '%99%'", "params.p3 ASC"),
        ("", "metrics.m2"),
    ] {
        let filter_of = RunFilter::parse(filter).unwrap();
        let orders: Vec<String> =
            Some(order.to_owned()).filter(|text| !text.is_empty()).into_iter().collect();
        let order_of = RunOrder::parse(&orders).unwrap();
        let page = PageRequest::first(100);
        let time = median(|| {
            let found = index
                .search((&here, &[ExperimentId(1)]), View::Active, &filter_of, &order_of, &page)
                .unwrap();
            assert_eq!(found.items.len(), 100);
        });
        println!("{time:>10.2?}  filter {filter:?} order {order:?}");
    }
    let thousand = PageRequest::first(1_000);
    let (all, newest) = (RunFilter::default(), RunOrder::default());
    let time = median(|| {
        let found =
            index.search((&here, &[ExperimentId(1)]), View::Active, &all, &newest, &thousand).unwrap();
        let page: Vec<RunSummary> = found.items.iter().filter_map(|id| index.summary(*id)).collect();
        assert_eq!(page.len(), 1_000);
    });
    println!("{time:>10.2?}  a page of 1,000 runs, whole");
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}
