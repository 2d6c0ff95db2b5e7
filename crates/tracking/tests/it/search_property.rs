//! The column-wise index against the definition: a list of summaries, filtered and sorted as it is
//! written down, after random changes, read through pages of every size.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use mainstay_core::digest::Digest;
use mainstay_core::event::EventSeq;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::default_workspace;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::index::{DatasetRef, IndexWriter, RunChange, RunIndex, RunSummary, Stamp};
use mainstay_tracking::metric::Latest;
use mainstay_tracking::run::{Lifecycle, Run, RunStatus};
use mainstay_tracking::search::{RunFilter, RunOrder, View};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

const KEYS: [&str; 3] = ["a", "b", "c d"];

#[derive(Debug, Clone)]
enum Condition {
    Metric(usize, &'static str, f64),
    Param(usize, &'static str, String),
    TagMissing(usize, bool),
    Status(RunStatus),
    Start(&'static str, i64),
}

impl Condition {
    fn text(&self) -> String {
        match self {
            Self::Metric(key, op, value) => format!("metrics.`{}` {op} {value}", KEYS[*key]),
            Self::Param(key, op, value) => format!("params.`{}` {op} '{value}'", KEYS[*key]),
            Self::TagMissing(key, true) => format!("tags.`{}` IS NULL", KEYS[*key]),
            Self::TagMissing(key, false) => format!("tags.`{}` IS NOT NULL", KEYS[*key]),
            Self::Status(status) => format!("status = '{}'", status.as_str()),
            Self::Start(op, value) => format!("attributes.start_time {op} {value}"),
        }
    }

    #[expect(clippy::float_cmp, reason = "equality of the stored number is what is asked")]
    fn holds(&self, summary: &RunSummary) -> bool {
        let number = |op: &str, a: f64, b: f64| match op {
            "=" => a == b,
            "!=" => a != b,
            "<" => a < b,
            _ => a >= b,
        };
        match self {
            Self::Metric(key, op, value) => {
                summary.metrics.get(KEYS[*key]).is_some_and(|metric| number(op, metric.value, *value))
            }
            Self::Param(key, op, value) => summary.params.get(KEYS[*key]).is_some_and(|param| match *op {
                "=" => param == value,
                "!=" => param != value,
                _ => param.to_lowercase().contains(&value.trim_matches('%').to_lowercase()),
            }),
            Self::TagMissing(key, missing) => summary.tags.contains_key(KEYS[*key]) != *missing,
            Self::Status(status) => summary.run.status == *status,
            Self::Start(op, value) => number(op, summary.run.start_ms as f64, *value as f64),
        }
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    let op = prop::sample::select(vec!["=", "!=", "<", ">="]);
    let key = 0..KEYS.len();
    let text_op = prop::sample::select(vec!["=", "!=", "ILIKE"]);
    prop_oneof![
        (key.clone(), op.clone(), prop::sample::select(vec![-1.0, 0.0, 0.5, 2.0]))
            .prop_map(|(key, op, value)| Condition::Metric(key, op, value)),
        (key.clone(), text_op, "[xyXY]").prop_map(|(key, op, value)| {
            Condition::Param(key, op, if op == "ILIKE" { format!("%{value}%") } else { value })
        }),
        (key, any::<bool>()).prop_map(|(key, missing)| Condition::TagMissing(key, missing)),
        prop::sample::select(RunStatus::ALL.to_vec()).prop_map(Condition::Status),
        (op, 0..4_i64).prop_map(|(op, value)| Condition::Start(op, value)),
    ]
}

/// What an order asks for, beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Metric(usize),
    Param(usize),
    End,
}

#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Value {
    Number(f64),
    Text(String),
}

impl Column {
    fn text(self, ascending: bool) -> String {
        let column = match self {
            Self::Metric(key) => format!("metrics.`{}`", KEYS[key]),
            Self::Param(key) => format!("params.`{}`", KEYS[key]),
            Self::End => "end_time".to_owned(),
        };
        format!("{column} {}", if ascending { "ASC" } else { "DESC" })
    }

    /// 0 and the value, 1 for NaN, 2 for missing.
    fn value(self, summary: &RunSummary) -> (u8, Option<Value>) {
        let value = match self {
            Self::Metric(key) => summary.metrics.get(KEYS[key]).map(|metric| Value::Number(metric.value)),
            Self::Param(key) => summary.params.get(KEYS[key]).cloned().map(Value::Text),
            Self::End => summary.run.end_ms.map(|ms| Value::Number(ms as f64)),
        };
        match value {
            None => (2, None),
            Some(Value::Number(number)) if number.is_nan() => (1, None),
            value => (0, value),
        }
    }
}

fn naive_order(order: &[(Column, bool)], a: &RunSummary, b: &RunSummary) -> Ordering {
    for (column, ascending) in order {
        let ((a_rank, a), (b_rank, b)) = (column.value(a), column.value(b));
        let values = a.partial_cmp(&b).unwrap();
        let ordering = a_rank.cmp(&b_rank).then(if *ascending { values } else { values.reverse() });
        if ordering.is_ne() {
            return ordering;
        }
    }
    b.run.start_ms.cmp(&a.run.start_ms).then(a.run.id.cmp(&b.run.id))
}

fn values<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = BTreeMap<String, T>> {
    let key = prop::sample::select(KEYS.to_vec()).prop_map(str::to_owned);
    prop::collection::btree_map(key, value, 0..=KEYS.len())
}

fn metric() -> impl Strategy<Value = Latest> {
    let value = prop::sample::select(vec![-1.0, -0.0, 0.0, 0.5, 2.0, f64::NAN, f64::INFINITY]);
    let far = || prop::sample::select(vec![-1, 0, 7, i64::MAX, i64::MIN]);
    (value, far(), far()).prop_map(|(value, step, timestamp_ms)| Latest { step, timestamp_ms, value })
}

fn summary() -> impl Strategy<Value = RunSummary> {
    let attributes = (0..24_u8, 0..2_u64, 0..4_i64, prop::option::of(0..4_i64), any::<bool>());
    (attributes, values(metric()), values("[xyXY]{0,2}"), values("[xy]?")).prop_map(
        |((id, experiment, start_ms, end_ms, deleted), metrics, params, tags)| RunSummary {
            run: Run {
                id: RunId::from_bytes([id; 16]),
                experiment: ExperimentId(experiment),
                name: format!("run {id}"),
                user: String::new(),
                status: RunStatus::ALL[usize::from(id) % 5],
                start_ms,
                end_ms,
                lifecycle: if deleted { Lifecycle::Deleted } else { Lifecycle::Active },
                artifact_uri: match id % 3 {
                    0 => String::new(),
                    1 => format!("s3://a/{}/artifacts", RunId::from_bytes([id; 16])),
                    _ => format!("s3://b/{}", RunId::from_bytes([id; 16])),
                },
            },
            workspace: default_workspace(),
            metrics,
            params,
            tags,
            datasets: Vec::new(),
            is_attached: start_ms == 0,
        },
    )
}

#[derive(Debug, Clone)]
enum Step {
    Put(RunSummary),
    Log(u8, BTreeMap<String, Latest>, BTreeMap<String, String>, BTreeMap<String, String>),
    Untag(u8, usize),
    Attach(u8, Option<u8>),
    Lifecycle(u8, bool),
    Experiment(u64, bool),
    Update(u8, usize, Option<i64>),
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..24_u8;
    prop_oneof![
        4 => summary().prop_map(Step::Put),
        2 => (id.clone(), values(metric()), values("[xyXY]{0,2}"), values("[xy]?"))
            .prop_map(|(id, metrics, params, tags)| Step::Log(id, metrics, params, tags)),
        1 => (id.clone(), 0..KEYS.len()).prop_map(|(id, key)| Step::Untag(id, key)),
        1 => (id.clone(), prop::option::of(0..3_u8)).prop_map(|(id, dataset)| Step::Attach(id, dataset)),
        1 => (id.clone(), any::<bool>()).prop_map(|(id, deleted)| Step::Lifecycle(id, deleted)),
        1 => (0..2_u64, any::<bool>()).prop_map(|(id, deleted)| Step::Experiment(id, deleted)),
        1 => (id, 0..5_usize, prop::option::of(0..4_i64)).prop_map(|(id, status, end)| Step::Update(id, status, end)),
    ]
}

fn change(step: Step) -> RunChange {
    let run = |id: u8| RunId::from_bytes([id; 16]);
    let lifecycle = |deleted| if deleted { Lifecycle::Deleted } else { Lifecycle::Active };
    match step {
        Step::Put(summary) => RunChange::Created(Box::new(summary)),
        Step::Log(id, metrics, params, tags) => RunChange::Logged { run: run(id), metrics, params, tags },
        Step::Untag(id, key) => RunChange::Untagged(run(id), KEYS[key].to_owned()),
        Step::Attach(id, None) => RunChange::Attached(run(id)),
        Step::Attach(id, Some(n)) => {
            let (name, digest) = (format!("d{n}"), "0".to_owned());
            RunChange::Inputs(run(id), vec![DatasetRef { name, digest, context: None }])
        }
        Step::Lifecycle(id, deleted) => RunChange::Lifecycle(run(id), lifecycle(deleted)),
        Step::Experiment(id, deleted) => RunChange::ExperimentLifecycle(ExperimentId(id), lifecycle(deleted)),
        Step::Update(id, status, end_ms) => {
            RunChange::Updated { run: run(id), status: RunStatus::ALL[status], end_ms, name: None }
        }
    }
}

/// The same changes on a plain list.
fn apply_naively(runs: &mut BTreeMap<RunId, RunSummary>, change: RunChange) -> bool {
    let id = match &change {
        RunChange::Created(summary) => {
            runs.insert(summary.run.id, (**summary).clone());
            return true;
        }
        RunChange::ExperimentLifecycle(experiment, _) => {
            let of_experiment = runs.values_mut().filter(|summary| summary.run.experiment == *experiment);
            of_experiment.for_each(|summary| summary.apply(change.clone()));
            return true;
        }
        RunChange::Updated { run, .. }
        | RunChange::Logged { run, .. }
        | RunChange::Lifecycle(run, _)
        | RunChange::Untagged(run, _)
        | RunChange::Inputs(run, _)
        | RunChange::Attached(run) => *run,
    };
    runs.get_mut(&id).map(|summary| summary.apply(change)).is_some()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn the_index_equals_the_definition(
        steps in prop::collection::vec(step(), 1..60),
        conditions in prop::collection::vec(condition(), 0..3),
        order in prop::collection::vec((0..7_usize, any::<bool>()), 0..3),
        limit in 1..8_usize,
        view in prop::sample::select(vec![View::Active, View::Deleted, View::All]),
    ) {
        let (mut index, mut runs) = (RunIndex::new(), BTreeMap::new());
        for change in steps.into_iter().map(change) {
            prop_assert_eq!(index.apply(change.clone()), apply_naively(&mut runs, change));
        }
        prop_assert_eq!(index.len(), runs.len());
        for (id, summary) in &runs {
            let known = index.summary(*id);
            prop_assert_eq!(known.as_ref(), Some(summary));
        }
        let (stamp, file) = at_rest(&index);
        let (mut index, read) = RunIndex::read(file.as_slice(), file.len() as u64).unwrap();
        prop_assert_eq!(read, stamp);
        // Texts that were read are found again when they come again.
        let again: Vec<RunSummary> = runs.values().take(3).cloned().collect();
        for summary in again {
            index.put(summary);
        }
        for (id, summary) in &runs {
            let known = index.summary(*id);
            prop_assert_eq!(known.as_ref(), Some(summary));
        }
        let here = default_workspace();
        let elsewhere = Name::new("elsewhere").unwrap();
        let all = [ExperimentId(0), ExperimentId(1)];
        prop_assert_eq!(index.count((&elsewhere, &all), View::All, &RunFilter::default()), 0);

        let columns = [Column::Metric(0), Column::Metric(1), Column::Metric(2),
            Column::Param(0), Column::Param(1), Column::Param(2), Column::End];
        let mut chosen: Vec<(Column, bool)> = Vec::new();
        for (column, ascending) in order {
            if !chosen.iter().any(|(other, _)| *other == columns[column]) {
                chosen.push((columns[column], ascending));
            }
        }
        let scope = [ExperimentId(1), ExperimentId(0), ExperimentId(1)];
        for scope in [&scope[..], &scope[..1]] {
            let wanted = |summary: &&RunSummary| {
                scope.contains(&summary.run.experiment)
                    && view.shows(summary.run.lifecycle)
                    && conditions.iter().all(|condition| condition.holds(summary))
            };
            let mut expected: Vec<&RunSummary> = runs.values().filter(wanted).collect();
            expected.sort_by(|a, b| naive_order(&chosen, a, b));
            let expected: Vec<RunId> = expected.iter().map(|summary| summary.run.id).collect();

            let text: Vec<String> = conditions.iter().map(Condition::text).collect();
            let filter = RunFilter::parse(&text.join(" and ")).unwrap();
            let texts: Vec<String> = chosen.iter().map(|(column, asc)| column.text(*asc)).collect();
            let order = RunOrder::parse(&texts).unwrap();
            let (mut found, mut page) = (Vec::new(), PageRequest::first(limit));
            loop {
                let one = index.search((&here, scope), view, &filter, &order, &page).unwrap();
                prop_assert!(one.items.len() <= limit);
                found.extend(one.items);
                let Some(next) = one.next else { break };
                page.after = Some(next.to_string().parse().unwrap());
            }
            prop_assert_eq!(index.count((&here, scope), view, &filter), expected.len());
            prop_assert_eq!(found, expected);
        }
    }
}

fn at_rest(index: &RunIndex) -> (Stamp, Vec<u8>) {
    let stamp = Stamp { position: EventSeq(7), leaf: Digest::of(b"leaf") };
    let experiments = index.experiments();
    let mut writer = IndexWriter::begin(&stamp, experiments.len(), Vec::new()).unwrap();
    for experiment in experiments {
        writer.experiment(index, experiment).unwrap();
    }
    (stamp, writer.finish().unwrap())
}

/// Every byte of the file is under its checksum, and none that is changed makes it panic.
#[test]
fn a_changed_file_is_refused() {
    let mut runner = TestRunner::deterministic();
    let mut index = RunIndex::new();
    for _ in 0..12 {
        index.put(summary().new_tree(&mut runner).unwrap().current());
    }
    let (_, mut file) = at_rest(&index);
    let read = |file: &[u8]| RunIndex::read(file, file.len() as u64).map(drop);
    read(&file).unwrap();
    for at in 0..file.len() {
        for flip in [0x01, 0x80, 0xff] {
            file[at] ^= flip;
            assert!(read(&file).is_err(), "byte {at}");
            file[at] ^= flip;
        }
        assert!(read(&file[..at]).is_err(), "cut at {at}");
    }
}

/// A key that is too long for a token: the token names the run alone.
#[test]
fn long_texts_do_not_break_pages() {
    let mut index = RunIndex::new();
    for id in 0..5 {
        let text = format!("{}{id}", "ü".repeat(3_000));
        let run = Run {
            id: RunId::from_bytes([id; 16]),
            experiment: ExperimentId(0),
            name: String::new(),
            user: String::new(),
            status: RunStatus::Running,
            start_ms: 0,
            end_ms: None,
            lifecycle: Lifecycle::Active,
            artifact_uri: String::new(),
        };
        let params = BTreeMap::from([("a".to_owned(), text)]);
        index.put(RunSummary {
            run,
            workspace: default_workspace(),
            metrics: BTreeMap::new(),
            params,
            tags: BTreeMap::new(),
            datasets: Vec::new(),
            is_attached: false,
        });
    }
    let here = default_workspace();
    let order = RunOrder::parse(&["params.a DESC".to_owned()]).unwrap();
    let (mut found, mut page) = (Vec::new(), PageRequest::first(2));
    loop {
        let one = index
            .search((&here, &[ExperimentId(0)]), View::All, &RunFilter::default(), &order, &page)
            .unwrap();
        found.extend(one.items.iter().map(|id| id.as_bytes()[0]));
        let Some(next) = one.next else { break };
        page.after = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(found, [4, 3, 2, 1, 0]);
}
