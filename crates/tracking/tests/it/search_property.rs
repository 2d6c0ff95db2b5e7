//! The column-wise index against the definition: a list of summaries, filtered, sorted and grouped as it is
//! written down, after random changes, read through pages of every size.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::digest::Digest;
use mainstay_core::event::EventSeq;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::default_workspace;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::index::{
    Aggregate, ColumnKind, DatasetRef, Deadline, IndexWriter, ListKey, RunChange, RunIndex, RunSummary,
    Stamp, Wanted,
};
use mainstay_tracking::metric::Latest;
use mainstay_tracking::run::{Lifecycle, Run, RunStatus};
use mainstay_tracking::search::{GroupColumn, RunFilter, RunGrouping, RunOrder, View};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

const KEYS: [&str; 3] = ["a", "b", "c d"];

#[derive(Debug, Clone)]
enum Condition {
    Metric(usize, &'static str, f64),
    MetricMissing(usize, bool),
    MetricBetween(usize, bool, f64, f64),
    MetricIn(usize, bool, Vec<f64>),
    Param(usize, &'static str, String),
    ParamIn(usize, bool, Vec<String>),
    TagMissing(usize, bool),
    Status(RunStatus),
    Experiment(u64),
    Start(&'static str, i64),
    Duration(&'static str, i64),
    EndMissing(bool),
    Dataset(&'static str),
    DatasetMissing(bool),
}

fn not(is: bool) -> &'static str {
    if is { "" } else { "NOT " }
}

impl Condition {
    fn text(&self) -> String {
        match self {
            Self::Metric(key, op, value) => format!("metrics.`{}` {op} {value}", KEYS[*key]),
            Self::MetricMissing(key, is) => format!("metrics.`{}` IS {}NULL", KEYS[*key], not(*is)),
            Self::MetricBetween(key, is, low, high) => {
                format!("metrics.`{}` {}BETWEEN {low} AND {high}", KEYS[*key], not(*is))
            }
            Self::MetricIn(key, is, all) => {
                let all: Vec<String> = all.iter().map(f64::to_string).collect();
                format!("metrics.`{}` {}IN ({})", KEYS[*key], not(*is), all.join(", "))
            }
            Self::Param(key, op, value) => format!("params.`{}` {op} '{value}'", KEYS[*key]),
            Self::ParamIn(key, is, all) => {
                format!("params.`{}` {}IN ('{}')", KEYS[*key], not(*is), all.join("', '"))
            }
            Self::Experiment(id) => format!("experiment_id = '{id}'"),
            Self::Duration(op, value) => format!("duration {op} {value}"),
            Self::EndMissing(is) => format!("end_time IS {}NULL", not(*is)),
            Self::Dataset(name) => format!("datasets.name = '{name}'"),
            Self::DatasetMissing(is) => format!("datasets.context IS {}NULL", not(*is)),
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
            Self::MetricMissing(key, is) => summary.metrics.contains_key(KEYS[*key]) != *is,
            Self::MetricBetween(key, is, low, high) => {
                summary.metrics.get(KEYS[*key]).is_some_and(|metric| {
                    let value = metric.value;
                    if *is { *low <= value && value <= *high } else { value < *low || value > *high }
                })
            }
            Self::MetricIn(key, is, all) => {
                summary.metrics.get(KEYS[*key]).is_some_and(|metric| all.contains(&metric.value) == *is)
            }
            Self::ParamIn(key, is, all) => {
                summary.params.get(KEYS[*key]).is_some_and(|param| all.contains(param) == *is)
            }
            Self::Experiment(id) => summary.run.experiment.0 == *id,
            Self::Duration(op, value) => {
                let duration = summary.run.end_ms.map(|end| end - summary.run.start_ms);
                duration.is_some_and(|duration| number(op, duration as f64, *value as f64))
            }
            Self::EndMissing(is) => summary.run.end_ms.is_none() == *is,
            Self::Dataset(name) => summary.datasets.iter().any(|dataset| dataset.name == *name),
            Self::DatasetMissing(is) => {
                summary.datasets.iter().any(|dataset| dataset.context.is_some()) != *is
            }
            Self::Param(key, op, value) => summary.params.get(KEYS[*key]).is_some_and(|param| match *op {
                "=" => param == value,
                "!=" => param != value,
                "RLIKE" => param.starts_with(value.trim_matches(['^', '+'])),
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
    let text_op = prop::sample::select(vec!["=", "!=", "ILIKE", "RLIKE"]);
    let value = || prop::sample::select(vec![-1.0, 0.0, 0.5, 2.0]);
    prop_oneof![
        (key.clone(), op.clone(), value()).prop_map(|(key, op, value)| Condition::Metric(key, op, value)),
        (key.clone(), any::<bool>()).prop_map(|(key, is)| Condition::MetricMissing(key, is)),
        (key.clone(), any::<bool>(), value(), value())
            .prop_map(|(key, is, low, high)| Condition::MetricBetween(key, is, low, high)),
        (key.clone(), any::<bool>(), prop::collection::vec(value(), 1..3))
            .prop_map(|(key, is, all)| Condition::MetricIn(key, is, all)),
        (key.clone(), text_op, "[xyXY]").prop_map(|(key, op, value)| {
            let value = match op {
                "ILIKE" => format!("%{value}%"),
                "RLIKE" => format!("^{value}+"),
                _ => value,
            };
            Condition::Param(key, op, value)
        }),
        (key.clone(), any::<bool>(), prop::collection::vec("[xyXY]{0,2}", 1..3))
            .prop_map(|(key, is, all)| Condition::ParamIn(key, is, all)),
        (key, any::<bool>()).prop_map(|(key, missing)| Condition::TagMissing(key, missing)),
        prop::sample::select(RunStatus::ALL.to_vec()).prop_map(Condition::Status),
        (0..2_u64).prop_map(Condition::Experiment),
        (op.clone(), 0..4_i64).prop_map(|(op, value)| Condition::Start(op, value)),
        (op, -3..4_i64).prop_map(|(op, value)| Condition::Duration(op, value)),
        any::<bool>().prop_map(Condition::EndMissing),
        prop::sample::select(vec!["d0", "d1"]).prop_map(Condition::Dataset),
        any::<bool>().prop_map(Condition::DatasetMissing),
    ]
}

/// Conditions, joined.
#[derive(Debug, Clone)]
enum Tree {
    One(Condition),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
}

impl Tree {
    fn text(&self) -> String {
        let joined = |parts: &[Self], word: &str| {
            let parts: Vec<String> = parts.iter().map(|part| format!("({})", part.text())).collect();
            parts.join(word)
        };
        match self {
            Self::One(condition) => condition.text(),
            Self::All(parts) => joined(parts, " and "),
            Self::Any(parts) => joined(parts, " OR "),
            Self::Not(inner) => format!("NOT ({})", inner.text()),
        }
    }

    fn holds(&self, summary: &RunSummary) -> bool {
        match self {
            Self::One(condition) => condition.holds(summary),
            Self::All(parts) => parts.iter().all(|part| part.holds(summary)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(summary)),
            Self::Not(inner) => !inner.holds(summary),
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    condition().prop_map(Tree::One).prop_recursive(3, 8, 3, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            parts().prop_map(Tree::All),
            parts().prop_map(Tree::Any),
            inner.clone().prop_map(|part| Tree::Not(Box::new(part))),
        ]
    })
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
    Purge(u8),
    PurgeExperiment(u64),
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
        1 => id.clone().prop_map(Step::Purge),
        1 => (0..2_u64).prop_map(Step::PurgeExperiment),
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
            let context = (n == 2).then(|| "train".to_owned());
            RunChange::Inputs(run(id), vec![DatasetRef { name, digest, context }])
        }
        Step::Lifecycle(id, deleted) => RunChange::Lifecycle(run(id), lifecycle(deleted)),
        Step::Experiment(id, deleted) => RunChange::ExperimentLifecycle(ExperimentId(id), lifecycle(deleted)),
        Step::Purge(id) => RunChange::Purged(run(id)),
        Step::PurgeExperiment(id) => RunChange::ExperimentPurged(ExperimentId(id)),
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
        RunChange::Purged(run) => {
            runs.remove(run);
            return true;
        }
        RunChange::ExperimentPurged(experiment) => {
            runs.retain(|_, summary| summary.run.experiment != *experiment);
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
        tree in prop::option::weighted(0.9, tree()),
        order in prop::collection::vec((0..7_usize, any::<bool>()), 0..3),
        limit in 1..8_usize,
        view in prop::sample::select(vec![View::Active, View::Deleted, View::All]),
    ) {
        let (mut index, mut runs) = (RunIndex::new(), BTreeMap::new());
        for change in steps.into_iter().map(change) {
            prop_assert_eq!(index.apply(change.clone()), apply_naively(&mut runs, change));
        }
        let index = known_and_kept(&index, &runs)?;
        let here = default_workspace();
        let elsewhere = Name::new("elsewhere").unwrap();
        let filter = RunFilter::default();
        let all = Wanted {
            workspace: &elsewhere,
            experiments: &[ExperimentId(0), ExperimentId(1)],
            view: View::All,
            filter: &filter,
            deadline: Deadline::NONE,
        };
        prop_assert_eq!(index.search(&all, &RunOrder::default(), &PageRequest::first(9)).unwrap().1, 0);

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
                    && tree.as_ref().is_none_or(|tree| tree.holds(summary))
            };
            let mut expected: Vec<&RunSummary> = runs.values().filter(wanted).collect();
            expected.sort_by(|a, b| naive_order(&chosen, a, b));

            let text = tree.as_ref().map(Tree::text).unwrap_or_default();
            let filter = RunFilter::parse(&text).unwrap();
            let wanted =
                Wanted { workspace: &here, experiments: scope, view, filter: &filter, deadline: Deadline::NONE };
            let texts: Vec<String> = chosen.iter().map(|(column, asc)| column.text(*asc)).collect();
            let order = RunOrder::parse(&texts).unwrap();
            let (found, total) = paged(&index, &wanted, &order, limit);
            prop_assert_eq!(total, expected.len());
            let ids: Vec<RunId> = expected.iter().map(|summary| summary.run.id).collect();
            prop_assert_eq!(&found, &ids, "{}", text);
            let key = ListKey {
                workspace: here.clone(),
                experiments: scope.to_vec(),
                view,
                filter: filter.clone(),
                order: order.clone(),
            };
            prop_assert_eq!(index.list(&wanted, key).unwrap().runs, ids);
            groups_equal_the_definition(&index, &wanted, &order, &expected)?;
            words_equal_the_definition(&index, &wanted, &expected)?;
        }
    }
}

/// Everything is known of each run, also after it was kept in a file, and texts that were read are found again when they
/// come again.
fn known_and_kept(index: &RunIndex, runs: &BTreeMap<RunId, RunSummary>) -> Result<RunIndex, TestCaseError> {
    prop_assert_eq!(index.len(), runs.len());
    let (stamp, file) = at_rest(index);
    let (mut kept, read) = RunIndex::read(file.as_slice(), file.len() as u64).unwrap();
    prop_assert_eq!(read, stamp);
    runs.values().take(3).cloned().for_each(|again| kept.put(again));
    for (id, summary) in runs {
        let (known, kept) = (index.summary(*id), kept.summary(*id));
        prop_assert_eq!(known.as_ref(), Some(summary));
        prop_assert_eq!(kept.as_ref(), Some(summary));
    }
    Ok(kept)
}

/// The runs found, page by page, and how many were told.
fn paged(index: &RunIndex, wanted: &Wanted<'_>, order: &RunOrder, limit: usize) -> (Vec<RunId>, usize) {
    let (mut found, mut page) = (Vec::new(), PageRequest::first(limit));
    loop {
        let (one, total) = index.search(wanted, order, &page).unwrap();
        assert!(one.items.len() <= limit);
        found.extend(one.items);
        let Some(next) = one.next else { return (found, total) };
        page.after = Some(next.to_string().parse().unwrap());
    }
}

/// A group as it is written down: its key, its runs in order, and what is told of metric `a`.
fn naive_groups(runs: &[&RunSummary]) -> Vec<(Vec<Option<String>>, Vec<RunId>, Aggregate)> {
    let mut groups: Vec<(Vec<Option<String>>, Vec<&RunSummary>)> = Vec::new();
    for run in runs {
        let key = vec![run.params.get("a").cloned(), Some(run.run.status.as_str().to_owned())];
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, members)) => members.push(run),
            None => groups.push((key, vec![run])),
        }
    }
    let missing_last = |key: &[Option<String>]| -> Vec<(bool, Option<String>)> {
        key.iter().map(|value| (value.is_none(), value.clone())).collect()
    };
    groups.sort_by_key(|(key, members)| (std::cmp::Reverse(members.len()), missing_last(key)));
    let told = |members: &[&RunSummary]| {
        let values: Vec<f64> = members.iter().filter_map(|run| Some(run.metrics.get("a")?.value)).collect();
        let numbers: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        let fold = |pick: fn(f64, f64) -> f64| numbers.iter().copied().reduce(pick);
        Aggregate {
            count: numbers.len() as u64,
            nan: (values.len() - numbers.len()) as u64,
            min: fold(f64::min),
            max: fold(f64::max),
            mean: fold(|a, b| a + b).map(|sum| sum / numbers.len() as f64),
            first: numbers.first().copied(),
            last: numbers.last().copied(),
        }
    };
    let group = |(key, members): (Vec<Option<String>>, Vec<&RunSummary>)| {
        let aggregate = told(&members);
        (key, members.iter().map(|run| run.run.id).collect(), aggregate)
    };
    groups.into_iter().map(group).collect()
}

fn groups_equal_the_definition(
    index: &RunIndex,
    wanted: &Wanted<'_>,
    order: &RunOrder,
    runs: &[&RunSummary],
) -> Result<(), TestCaseError> {
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let by = texts(&["params.a", "status"]);
    let grouping = RunGrouping::parse(&by, &texts(&["metrics.a"]), &[]).unwrap();
    let expected = naive_groups(runs);
    let found = index.groups(wanted, order, &grouping, (1, 3)).unwrap();
    prop_assert_eq!((found.total, found.runs), (expected.len(), runs.len()));
    let page: Vec<_> = expected.iter().skip(1).take(3).collect();
    prop_assert_eq!(found.groups.len(), page.len());
    for (group, (key, members, aggregate)) in found.groups.iter().zip(page) {
        prop_assert_eq!(&group.key, key);
        prop_assert_eq!(usize::try_from(group.runs).unwrap(), members.len());
        prop_assert_eq!((Some(&group.first), Some(&group.last)), (members.first(), members.last()));
        prop_assert_eq!(&group.aggregates, &vec![*aggregate]);
        // The filter of a group finds its runs again.
        let own = RunFilter::parse(&grouping.filter_of(&group.key)).unwrap();
        let (of_group, _) =
            index.search(&Wanted { filter: &own, ..*wanted }, order, &PageRequest::first(99)).unwrap();
        let ids: Vec<RunId> = runs.iter().map(|run| run.run.id).collect();
        let both: Vec<RunId> = of_group.items.into_iter().filter(|id| ids.contains(id)).collect();
        prop_assert_eq!(&both, members);
    }
    let ascending = texts(&["max(metrics.a) ASC", "params.a DESC"]);
    let grouping = RunGrouping::parse(&by, &texts(&["metrics.a"]), &ascending).unwrap();
    let all = index.groups(wanted, order, &grouping, (0, 99)).unwrap().groups;
    let greatest: Vec<f64> = all.iter().filter_map(|group| group.aggregates[0].max).collect();
    prop_assert!(greatest.is_sorted(), "{:?}", greatest);
    let missing = all.iter().position(|group| group.aggregates[0].max.is_none());
    prop_assert!(missing.is_none_or(|at| at == greatest.len()), "missing ones are last");
    Ok(())
}

fn words_equal_the_definition(
    index: &RunIndex,
    wanted: &Wanted<'_>,
    runs: &[&RunSummary],
) -> Result<(), TestCaseError> {
    let kinds = [ColumnKind::Metric, ColumnKind::Tag];
    let found = index.vocabulary(wanted, &kinds, "C", 99).unwrap();
    let expected: Vec<(&str, usize)> = [
        ("metrics", runs.iter().filter(|run| run.metrics.contains_key("c d")).count()),
        ("tags", runs.iter().filter(|run| run.tags.contains_key("c d")).count()),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .collect();
    let mut told: Vec<(&str, usize)> =
        found.columns.iter().map(|known| (known.entity, known.count)).collect();
    prop_assert!(told.is_sorted_by_key(|(_, runs)| std::cmp::Reverse(*runs)));
    told.sort_unstable();
    prop_assert_eq!((told, found.looked_at), (expected, runs.len()));

    let column = GroupColumn::parse("params.b").unwrap();
    let found = index.values(wanted, &column, "x", 99).unwrap();
    let values: Vec<&str> = runs.iter().filter_map(|run| Some(run.params.get("b")?.as_str())).collect();
    prop_assert_eq!((found.with_value, found.without_value), (values.len(), runs.len() - values.len()));
    for known in &found.known.values {
        let count = values.iter().filter(|value| **value == known.value).count();
        prop_assert_eq!(known.count, count);
    }
    let begun: BTreeSet<&str> =
        values.iter().copied().filter(|value| value.to_lowercase().starts_with('x')).collect();
    prop_assert_eq!(found.known.total, begun.len());
    Ok(())
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
    let filter = RunFilter::default();
    let wanted = Wanted {
        workspace: &here,
        experiments: &[ExperimentId(0)],
        view: View::All,
        filter: &filter,
        deadline: Deadline::NONE,
    };
    let (mut found, mut page) = (Vec::new(), PageRequest::first(2));
    loop {
        let (one, _) = index.search(&wanted, &order, &page).unwrap();
        found.extend(one.items.iter().map(|id| id.as_bytes()[0]));
        let Some(next) = one.next else { break };
        page.after = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(found, [4, 3, 2, 1, 0]);
}
