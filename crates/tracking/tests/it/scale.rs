//! How long a search over many runs takes. A measurement, to be asked for:
//! `cargo nextest run --release -p mainstay-tracking --run-ignored only --no-capture`.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::default_workspace;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::index::{ColumnKind, Deadline, ListKey, RunIndex, RunSummary, Wanted};
use mainstay_tracking::metric::Latest;
use mainstay_tracking::run::{Lifecycle, Run, RunStatus};
use mainstay_tracking::search::{GroupColumn, RunFilter, RunGrouping, RunOrder, RunProjection, View};

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

/// All that there is, of those that pass.
fn wanted(filter: &RunFilter) -> Wanted<'_> {
    static HERE: LazyLock<Name> = LazyLock::new(default_workspace);
    Wanted {
        workspace: &HERE,
        experiments: &[ExperimentId(1)],
        view: View::Active,
        filter,
        deadline: Deadline::NONE,
    }
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
#[ignore = "a measurement"]
fn search_over_a_hundred_thousand_runs() {
    let mut index = RunIndex::new();
    (0..RUNS).for_each(|n| index.put(summary(n)));
    println!("{:>7.1} MB resident", resident() as f64 / 1e6);
    for (filter, order) in [
        ("", vec![]),
        ("metrics.m1 > 0.5 and params.p1 = 'v1'", vec!["metrics.m1 DESC"]),
        ("tags.mlflow.runName LIKE '%99%'", vec!["params.p3 ASC"]),
        ("", vec!["metrics.m2"]),
        ("metrics.m1 > 0.9 OR params.p1 = 'v1' OR NOT metrics.m3 < 0.5", vec!["metrics.m1 DESC"]),
        (
            "NOT (params.p3 IN ('v1', 'v2') AND metrics.m4 BETWEEN 0.2 AND 0.8)",
            vec!["params.p2", "metrics.m2"],
        ),
        ("params.p0 RLIKE '^v[0-9]*7$' AND metrics.m2 IS NOT NULL", vec!["duration", "metrics.m2 DESC"]),
    ] {
        let (filter_of, order_of) =
            (RunFilter::parse(filter).unwrap(), RunOrder::parse(&texts(&order)).unwrap());
        let page = PageRequest::first(100);
        let time = median(|| {
            let (found, _) = index.search(&wanted(&filter_of), &order_of, &page).unwrap();
            assert_eq!(found.items.len(), 100);
        });
        println!("{time:>10.2?}  a page of 100: filter {filter:?} order {order:?}");
    }
    let (all, newest) = (RunFilter::default(), RunOrder::default());
    let time = median(|| {
        let (found, _) = index.search(&wanted(&all), &newest, &PageRequest::first(1_000)).unwrap();
        let page: Vec<RunSummary> = found.items.iter().filter_map(|id| index.summary(*id)).collect();
        assert_eq!(page.len(), 1_000);
    });
    println!("{time:>10.2?}  a page of 1,000 runs, whole");
    tables(&index);
}

/// What a table of runs asks.
#[expect(clippy::print_stdout, reason = "a measurement")]
fn tables(index: &RunIndex) {
    let (all, newest) = (RunFilter::default(), RunOrder::default());
    let by_metric = RunOrder::parse(&texts(&["metrics.m2"])).unwrap();
    let key = |order: &RunOrder| ListKey {
        workspace: default_workspace(),
        experiments: vec![ExperimentId(1)],
        view: View::Active,
        filter: all.clone(),
        order: order.clone(),
    };
    for (name, order) in [("newest first", &newest), ("by a metric", &by_metric)] {
        let time =
            median(|| assert_eq!(index.list(&wanted(&all), key(order)).unwrap().runs.len(), RUNS as usize));
        println!("{time:>10.2?}  the whole list, {name}");
    }
    let list = index.list(&wanted(&all), key(&by_metric)).unwrap();
    let columns =
        RunProjection::parse(&texts(&["run_name", "metrics.m1", "metrics.m2", "params.p1"])).unwrap();
    let time = median(|| {
        let rows = list.runs[43_100..43_200].iter().filter_map(|run| index.projected(*run, &columns));
        assert_eq!(rows.count(), 100);
    });
    println!("{time:>10.2?}  100 rows of it, four columns");
    let aggregates = texts(&["metrics.m1", "metrics.m2"]);
    for by in [texts(&["params.p1", "params.p3"]), texts(&["params.p0"])] {
        let grouping = RunGrouping::parse(&by, &aggregates, &texts(&["min(metrics.m1)"])).unwrap();
        let time = median(|| {
            let found = index.groups(&wanted(&all), &by_metric, &grouping, (0, 100)).unwrap();
            assert_eq!(found.runs, RUNS as usize);
        });
        println!("{time:>10.2?}  groups by {by:?}");
    }
    let kinds = [ColumnKind::Metric, ColumnKind::Param, ColumnKind::Tag];
    let time = median(|| assert_eq!(index.vocabulary(&wanted(&all), &kinds, "", 99).unwrap().total, 41));
    println!("{time:>10.2?}  the columns there are");
    let column = GroupColumn::parse("params.p0").unwrap();
    let time =
        median(|| assert_eq!(index.values(&wanted(&all), &column, "v1", 20).unwrap().known.values.len(), 20));
    println!("{time:>10.2?}  the values of a column that differs in each run");
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}
