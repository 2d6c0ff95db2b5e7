//! Charts of metrics: whatever was merged and summed up, and in whatever order points came, a chart is what its
//! definition says.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use futures::future::join_all;
use mainstay_core::command::{CommandError, Commands};
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_store::Database;
use mainstay_tracking::batch::{Batch, LoggedMetric};
use mainstay_tracking::command::{ArtifactLocation, CreateDefaultExperiment, CreateRun, LogBatch};
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::metric::{Point, history, history_order, step_order};
use mainstay_tracking::port::{TrackingReader as _, TrackingTx};
use mainstay_tracking::series::axis::Axis;
use mainstay_tracking::series::bucket::Bucket;
use mainstay_tracking::series::command::{CompactError, CompactSeries};
use mainstay_tracking::series::compaction::Shape;
use mainstay_tracking::series::drawing::Drawn;
use mainstay_tracking::series::port::{Due, SeriesReader as _, SeriesTx};
use mainstay_tracking::series::query::{Series, SeriesAnswer, SeriesQuery, Wanted};

use crate::both;
use crate::databases::{Fresh, sqlite};
use crate::writer::AllowAll;

/// Small, so that few points make segments and nodes of several tiers.
const SHAPE: Shape = Shape { seal: 16, merge: 4, density: 4 };
const START: i64 = 1_000;

fn run_id() -> RunId {
    RunId::from_bytes([7; 16])
}

fn caller() -> Principal {
    Principal::system("test")
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.place(all.len())]
    }

    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.next() % length as u64).unwrap()
    }
}

/// A database with one run, and what was logged to it.
struct Story {
    database: Database,
    tracking: Commands<dyn TrackingTx>,
    series: Commands<dyn SeriesTx>,
    logged: BTreeMap<String, Vec<Point>>,
}

impl Story {
    async fn begin(database: &Database) -> Self {
        let (writer, policy) = (Arc::new(database.writer.clone()), Arc::new(AllowAll));
        let tracking: Commands<dyn TrackingTx> = Commands::new(writer.clone(), policy.clone());
        let location = ArtifactLocation::Under("mlflow-artifacts:/".into());
        let create = CreateDefaultExperiment { workspace: default_workspace(), location };
        tracking.run(&caller(), create).await.unwrap();
        let run = CreateRun {
            workspace: default_workspace(),
            id: run_id(),
            experiment: ExperimentId::DEFAULT,
            name: "run".into(),
            user: "alice".into(),
            start_ms: START,
            tags: Vec::new(),
        };
        tracking.run(&caller(), run).await.unwrap();
        let series = Commands::new(writer, policy);
        Self { database: database.clone(), tracking, series, logged: BTreeMap::new() }
    }

    /// Logs batches, several of them in one transaction.
    async fn log(&mut self, batches: Vec<Vec<(&str, Point)>>) {
        for (key, point) in batches.iter().flatten() {
            self.logged.entry((*key).to_owned()).or_default().push(*point);
        }
        let commands = batches.into_iter().map(|batch| {
            let metrics = batch.into_iter().map(|(key, point)| LoggedMetric::new(key, point).unwrap());
            let batch = Batch::new(metrics.collect(), Vec::new(), Vec::new()).unwrap();
            LogBatch { workspace: default_workspace(), run: run_id(), batch }
        });
        let caller = caller();
        for logged in join_all(commands.map(|command| self.tracking.run(&caller, command))).await {
            logged.unwrap();
        }
    }

    fn due(key: &str) -> Due {
        Due { workspace: default_workspace(), run: run_id(), start_ms: START, key: key.to_owned() }
    }

    /// Merges what there is to merge; in how many steps.
    async fn compact(&self, key: &str, shape: Shape) -> usize {
        let mut steps = 0;
        while let Some(compaction) = self.database.reader.compaction(&Self::due(key), shape).await.unwrap() {
            steps += 1;
            let command = CompactSeries { due: Self::due(key), compaction: Some(compaction) };
            self.series.run(&caller(), command).await.unwrap();
        }
        steps
    }

    async fn ask(&self, query: &SeriesQuery) -> SeriesAnswer {
        self.database.reader.series(&default_workspace(), query).await.unwrap()
    }
}

fn query(keys: &[&str], axis: Axis, ends: (Option<i64>, Option<i64>), buckets: usize) -> SeriesQuery {
    let wanted = |key: &&str| Wanted { run: run_id(), key: (*key).to_owned(), known: None };
    let wanted = keys.iter().map(wanted).collect();
    SeriesQuery { wanted, axis, from: ends.0, to: ends.1, buckets, least_level: 0 }
}

/// A point's place on an axis.
fn x(point: &Point, axis: Axis) -> i64 {
    match axis {
        Axis::Step => point.step,
        Axis::Time => point.timestamp_ms,
        Axis::RelativeTime => point.timestamp_ms - START,
    }
}

/// Where the intervals of an axis are counted from.
fn origin(axis: Axis) -> i64 {
    if axis == Axis::Time { START } else { 0 }
}

/// What a chart shows, slowly and as it is defined.
struct Expected {
    range: RangeInclusive<i64>,
    width: i64,
}

impl Expected {
    fn of(logged: &[&Vec<Point>], query: &SeriesQuery) -> Self {
        let all = || logged.iter().flat_map(|points| points.iter().map(|point| x(point, query.axis)));
        let from = query.from.unwrap_or_else(|| all().min().unwrap().min(query.to.unwrap_or(i64::MAX)));
        let to = query.to.unwrap_or_else(|| all().max().unwrap().max(from));
        let mut width = 1;
        let interval = |x: i64, width: i64| (x - origin(query.axis)).div_euclid(width);
        while interval(to, width) - interval(from, width) + 1 > i64::try_from(query.buckets).unwrap() {
            width *= 2;
        }
        Self { range: from..=to, width }
    }

    fn check(&self, points: &[Point], query: &SeriesQuery, drawn: &Drawn) {
        let interval = |x: i64| (x - origin(query.axis)).div_euclid(self.width);
        let (first, last) = (interval(*self.range.start()), interval(*self.range.end()));
        let mut shown = history(points.to_vec());
        shown.retain(|point| (first..=last).contains(&interval(x(point, query.axis))));
        shown.sort_by(if query.axis == Axis::Step { step_order } else { history_order });
        match drawn {
            Drawn::Points(drawn) => {
                assert!(shown.len() <= query.buckets, "{} points for {}", shown.len(), query.buckets);
                assert_eq!(*drawn, shown);
            }
            Drawn::Buckets(drawn) => {
                assert!(shown.len() > query.buckets, "{} points for {}", shown.len(), query.buckets);
                let mut buckets: BTreeMap<i64, Vec<Point>> = BTreeMap::new();
                for point in shown {
                    buckets.entry(interval(x(&point, query.axis)) * self.width).or_default().push(point);
                }
                assert_eq!(drawn.len(), buckets.len());
                for ((begins, inside), (drawn_at, bucket)) in buckets.iter().zip(drawn) {
                    assert_eq!(begins, drawn_at);
                    check_bucket(inside, bucket);
                }
            }
        }
    }
}

fn check_bucket(inside: &[Point], bucket: &Bucket) {
    let values = || inside.iter().map(|point| point.value);
    let finite: Vec<f64> = values().filter(|value| value.is_finite()).collect();
    assert_eq!(bucket.count, inside.len() as u64);
    assert_eq!((bucket.first, bucket.last), (inside[0], inside[inside.len() - 1]));
    assert_eq!(bucket.nan, values().filter(|value| value.is_nan()).count() as u64);
    assert_eq!(bucket.pos_inf, values().filter(|value| *value == f64::INFINITY).count() as u64);
    assert_eq!(bucket.neg_inf, values().filter(|value| *value == f64::NEG_INFINITY).count() as u64);
    let bits = |value: Option<f64>| value.map(f64::to_bits);
    assert_eq!(bits(bucket.min()), bits(finite.iter().copied().min_by(f64::total_cmp)));
    assert_eq!(bits(bucket.max()), bits(finite.iter().copied().max_by(f64::total_cmp)));
    let (sum, scale) = (finite.iter().sum::<f64>(), finite.iter().map(|value| value.abs()).sum::<f64>());
    let expected = (!finite.is_empty()).then(|| sum / finite.len() as f64);
    match (bucket.mean(), expected) {
        (Some(mean), Some(expected)) => assert!((mean - expected).abs() <= 1e-14 * scale),
        (mean, expected) => assert_eq!(mean, expected),
    }
}

fn value(chance: &mut Chance) -> f64 {
    match chance.below(40) {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => f64::NEG_INFINITY,
        3 => -0.0,
        _ => chance.below(2_000) as f64 / 7.0 - 100.0,
    }
}

/// What the n-th call of a habit logs: in order, in epochs, at one step, in no order, far apart, and again.
fn call(habit: &str, n: i64, logged: &[Point], chance: &mut Chance) -> Vec<Point> {
    let count = 1 + chance.below(12);
    let point = |step, timestamp_ms, value| Point { step, timestamp_ms, value };
    let each = 0..count;
    match habit {
        "in order" => each.map(|i| point(n * 12 + i, 900 + n * 50 + i, value(chance))).collect(),
        "epochs" => each.map(|i| point((n % 20) * 12 + i, START + n * 7, value(chance))).collect(),
        "one step" => each.map(|i| point(0, START + n * 3 + i / 4, value(chance))).collect(),
        "no order" => {
            each.map(|_| point(chance.below(900) - 300, chance.below(4_000), value(chance))).collect()
        }
        "far apart" => {
            let far = |chance: &mut Chance| chance.of(&[0, 1 << 40, -(1 << 50)]);
            each.map(|i| point(n + far(chance), START + i + far(chance).max(0), value(chance))).collect()
        }
        _ if logged.is_empty() || n % 3 == 0 => {
            each.map(|i| point(n * 12 + i, START + n * 12 + i, value(chance))).collect()
        }
        // The points of an earlier call, or of the last one, are sent again.
        _ => {
            let at = if n % 3 == 1 { logged.len().saturating_sub(9) } else { chance.place(logged.len()) };
            logged[at..].iter().take(9).copied().collect()
        }
    }
}

const HABITS: [&str; 6] = ["in order", "epochs", "one step", "no order", "far apart", "again"];

both!(a_chart_is_what_its_definition_says, async |fresh: Fresh| {
    let mut chance = Chance(0x5eed_1234);
    let mut story = Story::begin(&fresh.database).await;
    for round in 0..14 {
        let mut batches = Vec::new();
        let mut known = story.logged.clone();
        for n in 0..9 {
            let mut batch = Vec::new();
            for habit in HABITS {
                let logged = known.entry(habit.to_owned()).or_default();
                let points = call(habit, round * 9 + n, logged, &mut chance);
                logged.extend_from_slice(&points);
                batch.extend(points.into_iter().map(|point| (habit, point)));
            }
            batches.push(batch);
        }
        story.log(batches).await;
        for habit in HABITS {
            if chance.below(3) > 0 {
                story.compact(habit, SHAPE).await;
            }
        }
        for habit in HABITS {
            assert_eq!(
                story.database.reader.points(&default_workspace(), run_id(), habit).await.unwrap(),
                story.logged[habit],
                "what was logged is there, and in its order"
            );
            for _ in 0..4 {
                ask_and_check(&story, &[habit], &mut chance).await;
            }
            page_through(&story, habit, chance.of(&[7, 60, 5_000])).await;
        }
        ask_and_check(&story, &HABITS, &mut chance).await;
    }
});

/// Reads a history page by page.
async fn page_through(story: &Story, key: &str, limit: usize) {
    let (mut read, reader) = (Vec::new(), &story.database.reader);
    loop {
        let after = read.last().copied();
        let page = reader.history_after(&default_workspace(), run_id(), key, after, limit).await.unwrap();
        read.extend_from_slice(&page);
        if page.len() < limit {
            break;
        }
    }
    assert_eq!(read, history(story.logged[key].clone()), "{key} by {limit}");
}

/// Asks for a part of an axis.
async fn ask_and_check(story: &Story, keys: &[&str], chance: &mut Chance) {
    let axis = chance.of(&[Axis::Step, Axis::Time, Axis::RelativeTime]);
    let logged: Vec<&Vec<Point>> = keys.iter().map(|key| &story.logged[*key]).collect();
    let end = |chance: &mut Chance| {
        let points = logged[chance.place(logged.len())];
        (chance.below(3) > 0).then(|| x(&chance.of(points), axis) + chance.below(9) - 4)
    };
    let ends = match (end(chance), end(chance)) {
        (Some(from), Some(to)) => (Some(from.min(to)), Some(from.max(to))),
        ends => ends,
    };
    let buckets = chance.of(&[2, 5, 30, 200, 2_000]);
    let query = query(keys, axis, ends, buckets);
    let (answer, expected) = (story.ask(&query).await, Expected::of(&logged, &query));
    assert_eq!(answer.frame.range.as_ref(), Some(&expected.range), "{query:?}");
    assert_eq!(1 << answer.frame.level, expected.width, "{query:?}");
    assert_eq!(answer.series.len(), keys.len());
    for (series, points) in answer.series.iter().zip(logged) {
        let Series::Drawn { drawn, start_ms, .. } = series else { panic!("{series:?}") };
        assert_eq!(*start_ms, START);
        expected.check(points, &query, drawn);
    }
}

fn in_order(range: std::ops::Range<i64>) -> Vec<(&'static str, Point)> {
    let point = |step| Point { step, timestamp_ms: START + step, value: step as f64 };
    range.map(|step| ("m", point(step))).collect()
}

both!(what_is_held_is_unchanged_until_more_is_logged, async |fresh: Fresh| {
    let mut story = Story::begin(&fresh.database).await;
    story.log(vec![in_order(0..600)]).await;
    let mut query = query(&["m", "none"], Axis::Step, (None, None), 100);
    let answer = story.ask(&query).await;
    let [Series::Drawn { version, .. }, Series::Empty] = answer.series.as_slice() else {
        panic!("{answer:?}")
    };
    query.wanted[0].known = Some(version.clone());
    let unchanged = Series::Unchanged { version: version.clone() };
    assert_eq!(story.ask(&query).await.series[0], unchanged);
    assert!(story.compact("m", SHAPE).await > 0);
    assert_eq!(story.ask(&query).await.series[0], unchanged, "merging changes nothing");
    story.log(vec![in_order(600..601)]).await;
    assert!(matches!(story.ask(&query).await.series[0], Series::Drawn { .. }));

    let elsewhere = Name::new("other").unwrap();
    let answer = fresh.database.reader.series(&elsewhere, &query).await.unwrap();
    assert_eq!((answer.frame.range, answer.series), (None, vec![Series::Empty, Series::Empty]));
});

both!(of_two_that_merge_the_same_one_does_nothing, async |fresh: Fresh| {
    let mut story = Story::begin(&fresh.database).await;
    story.log((0..10).map(|n| in_order(n * 7..n * 7 + 7)).collect()).await;
    let (due, caller, series) = (Story::due("m"), caller(), story.series.clone());
    let prepare = || fresh.database.reader.compaction(&due, SHAPE);
    let run = |compaction| series.run(&caller, CompactSeries { due: due.clone(), compaction });
    let (one, other) = (prepare().await.unwrap(), prepare().await.unwrap());
    run(one).await.unwrap();
    let refused = run(other).await.unwrap_err();
    assert!(matches!(refused, CommandError::Refused(CompactError::Superseded(_))), "{refused}");
    // What is logged between the two does no harm.
    let prepared = prepare().await.unwrap();
    story.log(vec![in_order(70..80)]).await;
    run(prepared).await.unwrap();
    let points = story.database.reader.points(&default_workspace(), run_id(), "m").await.unwrap();
    assert_eq!(points, story.logged["m"]);
});

both!(metrics_are_due_when_many_calls_wait, async |fresh: Fresh| {
    let mut story = Story::begin(&fresh.database).await;
    let due = || fresh.database.reader.due(None, 10);
    story.log((0..127).map(|step| in_order(step..step + 1)).collect()).await;
    assert_eq!(due().await.unwrap(), []);
    story.log(vec![in_order(127..128), vec![("n", Point { step: 0, timestamp_ms: 0, value: 0.0 })]]).await;
    assert_eq!(due().await.unwrap(), [Story::due("m")]);
    assert_eq!(fresh.database.reader.due(Some((run_id(), "m".to_owned())), 10).await.unwrap(), []);
    assert_eq!(story.compact("m", Shape::DEFAULT).await, 1);
    assert_eq!(due().await.unwrap(), [], "the last step says so");
    let points = story.database.reader.points(&default_workspace(), run_id(), "m").await.unwrap();
    assert_eq!(points, story.logged["m"]);

    // Large calls are due sooner, and become segments.
    story.log((1..10).map(|n| in_order(n * 1_000..n * 1_000 + 1_000)).collect()).await;
    assert_eq!(due().await.unwrap(), [Story::due("m")]);
    assert_eq!(story.compact("m", Shape::DEFAULT).await, 1);
    assert_eq!(due().await.unwrap(), []);
    ask_and_check(&story, &["m"], &mut Chance(9)).await;
});

/// How long a chart of ten million points takes. A measurement, to be asked for:
/// `cargo nextest run --release --workspace --test it --run-ignored only --no-capture a_chart_of_ten_million`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
async fn a_chart_of_ten_million_points() {
    const POINTS: i64 = 10_000_000;
    let fresh = sqlite().await;
    let mut story = Story::begin(&fresh.database).await;
    let began = (std::time::Instant::now(), cpu_ms());
    for chunk in 0..POINTS / 8_000 {
        let batch = |n: i64| in_order(chunk * 8_000 + n * 1_000..chunk * 8_000 + n * 1_000 + 1_000);
        story.log((0..8).map(batch).collect()).await;
        story.logged.clear();
    }
    let told = |what: &str, began: (std::time::Instant, f64)| {
        eprintln!(
            "{what}: {:.1} ms wall, {:.1} ms CPU",
            began.0.elapsed().as_secs_f64() * 1e3,
            cpu_ms() - began.1
        );
    };
    told("logging", began);
    let began = (std::time::Instant::now(), cpu_ms());
    story.compact("m", Shape::DEFAULT).await;
    told("merging", began);
    story.database.close().await;
    let again = fresh.reopen().await;
    for (what, axis, ends) in [
        ("all, first time", Axis::Step, (None, None)),
        ("all", Axis::Step, (None, None)),
        ("all by time", Axis::RelativeTime, (None, None)),
        ("a tenth", Axis::Step, (Some(4_000_123), Some(5_000_123))),
        ("a hundredth", Axis::Step, (Some(4_000_123), Some(4_100_123))),
        ("a thousandth", Axis::Step, (Some(4_000_123), Some(4_010_123))),
    ] {
        for buckets in [1_000, 2_000] {
            let began = (std::time::Instant::now(), cpu_ms());
            let answer =
                again.reader.series(&default_workspace(), &query(&["m"], axis, ends, buckets)).await.unwrap();
            told(&format!("{what}, {buckets} buckets of 2^{}", answer.frame.level), began);
        }
    }
    let began = (std::time::Instant::now(), cpu_ms());
    assert_eq!(again.reader.points(&default_workspace(), run_id(), "m").await.unwrap().len(), 10_000_000);
    told("all points", began);
}

/// CPU time of all threads that there are.
fn cpu_ms() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let spent = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|spent| spent.parse::<f64>().ok()).unwrap_or_default()
    };
    tasks.map(|task| spent(task.unwrap())).sum::<f64>() / 1e6
}
