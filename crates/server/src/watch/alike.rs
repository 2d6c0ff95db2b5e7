//! An A/A test: what is no worse is not rolled back. 200 rollouts each over the real flights, decided by the
//! real rules, of a candidate and a champion that are equally good by construction: two models exchange
//! their roles on days that a coin chose. So their mean losses are equal in expectation, while the days
//! of real flights hang together and differ as they do.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Int64Type};
use mainstay_core::digest::Digest;
use mainstay_core::id::{PredictionId, RolloutId};
use mainstay_core::name::Name;
use mainstay_core::time::{DAY, DataTime, HOUR};
use mainstay_monitoring::maturity::{MaturityRule, Missing};
use mainstay_monitoring::watch::{ArmScore, Observation, Watch, WatchPlan};
use mainstay_query::session::{SessionOptions, open};
use mainstay_serving::revision::Pinned;
use mainstay_serving::rollout::{
    Bake, Decision, GuardLimits, OnInconclusive, Phase, PlanSpec, RollBackReason, Rollout, RolloutPlan,
    RolloutState, decide,
};
use mainstay_training::{Candidate, Column, Dataset, Params, Split, Task, train};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::convert;

const MODELS: usize = 10;
const SEEDS: usize = 200;
/// Days are New York's, by its winter time.
const DAY_OFFSET: i64 = -5 * HOUR;
const PART: i64 = 6 * HOUR;

/// The year's flights, by scheduled departure.
struct Flights {
    times: Vec<i64>,
    late: Vec<bool>,
    /// When it was known, and of which flight, ascending.
    known: Vec<(i64, usize)>,
    features: Vec<Column>,
}

impl Flights {
    async fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/flights/flights.parquet");
        let spill = tempfile::tempdir().unwrap();
        let session = open(&SessionOptions::spilling_to(spill.path())).unwrap();
        let files = BTreeMap::from([("flights".to_owned(), path)]);
        mainstay_query::files::register(&session, &files).await.unwrap();
        let at = "CAST(time_hour AS BIGINT) + minute * 60000000";
        let sql = format!(
            "SELECT CAST({at} AS BIGINT) AS at, coalesce(dep_delay > 15, true) AS late, \
             CAST({at} + greatest(coalesce(dep_delay, 240.0), 0.0) * 60000000 AS BIGINT) AS known, \
             CAST(hour * 60 + minute AS DOUBLE) AS minutes, CAST(distance AS DOUBLE) AS distance, \
             CAST(carrier AS VARCHAR) AS carrier, CAST(origin AS VARCHAR) AS origin \
             FROM flights ORDER BY 1, carrier, flight, origin"
        );
        Self::of(&mainstay_query::files::query(&session, &sql).await.unwrap())
    }

    fn of(rows: &RecordBatch) -> Self {
        let column = |name: &str| -> ArrayRef { rows.column_by_name(name).unwrap().clone() };
        let cast = |name: &str, to| arrow::compute::cast(&column(name), &to).unwrap();
        let instants = |name: &str| column(name).as_primitive::<Int64Type>().values().to_vec();
        let number = |name: &str| {
            let values = cast(name, DataType::Float32);
            Column::numeric(name, values.as_primitive::<Float32Type>().values().to_vec())
        };
        let text = |name: &str| {
            let values = cast(name, DataType::Utf8);
            let values = values.as_string::<i32>().iter().map(|text| text.map(str::to_owned));
            Column::categorical(name, values.collect())
        };
        let mut known: Vec<_> =
            instants("known").into_iter().enumerate().map(|(row, at)| (at, row)).collect();
        known.sort_unstable();
        Self {
            times: instants("at"),
            late: column("late").as_boolean().iter().map(Option::unwrap_or_default).collect(),
            known,
            features: vec![number("minutes"), number("distance"), text("carrier"), text("origin")],
        }
    }

    /// The data day of a flight.
    fn day(&self, row: usize) -> i64 {
        (self.times[row] + DAY_OFFSET).div_euclid(DAY)
    }

    /// The scores of models that learnt from the days that `learns` takes, by model and day.
    fn models(&self, until: i64, learns: impl Fn(usize, i64) -> bool) -> Vec<Vec<f64>> {
        let end = self.times.partition_point(|at| *at < until);
        let model = |model: usize| {
            let rows: Vec<usize> = (0..end).filter(|row| learns(model, self.day(*row))).collect();
            self.scores(&rows, model as u64)
        };
        (0..MODELS).map(model).collect()
    }

    /// The probabilities of all flights by a model that learnt from these rows.
    fn scores(&self, rows: &[usize], seed: u64) -> Vec<f64> {
        let pick = |column: &Column| {
            let name = column.name.clone();
            match &column.values {
                mainstay_training::Values::Numeric(all) => {
                    Column::numeric(name, rows.iter().map(|row| all[*row]).collect())
                }
                mainstay_training::Values::Categorical(all) => {
                    Column::categorical(name, rows.iter().map(|row| all[*row].clone()).collect())
                }
            }
        };
        let label = rows.iter().map(|row| f32::from(u8::from(self.late[*row]))).collect();
        let data = Dataset { features: self.features.iter().map(pick).collect(), label };
        let cut = rows.len() * 4 / 5;
        let split = Split { train: 0..cut, validation: cut..rows.len(), test: None };
        let mut params = Params::new(Task::BinaryClassification, seed, 1);
        params.candidates = vec![Candidate::Boosting { budget: 0.5 }];
        params.max_trees = Some(60);
        train(&data, &split, &params).unwrap().predictor.predict(&self.features).unwrap()
    }
}

/// The demonstration's plan, but that a person is asked when time is up.
fn plan() -> RolloutPlan {
    let day = Bake { micros: DAY, min_pairs: 0 };
    let default = PlanSpec::default();
    RolloutPlan::new(PlanSpec {
        shadow: Bake { micros: DAY, min_pairs: 500 },
        steps: default
            .steps
            .into_iter()
            .map(|step| mainstay_serving::rollout::CanaryStep { bake: day, ..step })
            .collect(),
        margin: 0.01,
        harm_margin: 0.01,
        horizon_micros: DAY,
        max_data_time_micros: 28 * DAY,
        on_inconclusive: OnInconclusive::Wait,
        guards: GuardLimits {
            max_latency_ratio: 1000.0,
            max_out_of_range_rate: 0.5,
            max_output_shift: 0.7,
            ..default.guards
        },
    })
    .unwrap()
}

/// Lives through one rollout; how it ended, and after how many days.
fn live(flights: &Flights, champion: &[f64], candidate: &[f64], from: i64, seed: u64) -> (Decision, i64) {
    let maturity = MaturityRule { horizon: DAY, missing: Missing::Exclude, day_offset: DAY_OFFSET };
    let mut watch = Watch::new(WatchPlan { features: Vec::new(), maturity, disorder: 0 }).unwrap();
    let pinned = |version: u64| Pinned { version, digest: Digest::of(&version.to_le_bytes()) };
    let mut rollout = Rollout {
        id: RolloutId::from_bytes(u128::from(seed).to_le_bytes()),
        endpoint: Name::new("delays").unwrap(),
        champion: pinned(1),
        candidate: pinned(2),
        plan: plan(),
        state: RolloutState::starting(DataTime::from_micros(from)),
        run: None,
    };
    watch.begin_rollout(convert::rollout_watch(&rollout), None).unwrap();
    let coins = ChaCha8Rng::seed_from_u64(seed).next_u64();
    let swaps = |day: i64| coins.rotate_left(u32::try_from(day.rem_euclid(64)).unwrap()) % 2 == 0;
    let mut row = flights.times.partition_point(|at| *at < from);
    let mut reported = flights.known.partition_point(|(known, _)| *known < from);
    for part in 0.. {
        let start = from + part * PART;
        let upto = flights.known.partition_point(|(known, _)| *known < start);
        for (known, of) in &flights.known[reported..upto.max(reported)] {
            watch.label(id(*of), 0, DataTime::from_micros(*known), flights.late[*of]);
        }
        reported = upto.max(reported);
        let until = flights.times.partition_point(|at| *at < start + PART);
        for at in row..until {
            let (champion, candidate) =
                if swaps(flights.day(at)) { (candidate, champion) } else { (champion, candidate) };
            let arm = |version, score: f64| ArmScore {
                version,
                score: Some(score),
                latency_micros: 4,
                failed: false,
            };
            watch.observe(&Observation {
                id: id(at),
                at: DataTime::from_micros(flights.times[at]),
                features: Vec::new(),
                arms: vec![arm(1, champion[at]), arm(2, candidate[at])],
                assigned: 1,
                answered: Some(1),
                out_of_range: 0,
                under: Some(rollout.id),
            });
        }
        row = until;
        while let Some(block) = watch.next_evidence() {
            let state = rollout.state;
            if block.watermark <= state.entered_at && state.entered_at != state.started_at {
                continue;
            }
            let evidence = convert::evidence(&watch, &block, state.entered_at);
            match decide(&rollout.plan, &state, &evidence) {
                Decision::Stay => {}
                Decision::Advance { step } => {
                    rollout.state = state.entering(Phase::Canary { step }, block.watermark);
                }
                end => return (end, block.watermark.since(state.started_at) / DAY),
            }
        }
    }
    unreachable!("a plan has an end")
}

fn id(row: usize) -> PredictionId {
    PredictionId::from_bytes((row as u128).to_be_bytes())
}

/// How the rollouts ended.
#[derive(Debug, Default, PartialEq)]
struct Ends {
    promoted: usize,
    harm: usize,
    guard: usize,
    inconclusive: usize,
}

fn live_through(flights: &Flights, models: &[Vec<f64>], first: i64) -> Ends {
    let starts = usize::try_from((flights.times[flights.times.len() - 1] - first) / DAY - 30).unwrap();
    let (mut ends, mut days) = (Ends::default(), 0);
    for seed in 0..SEEDS as u64 {
        let mut draws = ChaCha8Rng::seed_from_u64(seed);
        let mut below = |n: usize| draws.next_u32() as usize % n;
        let champion = below(models.len());
        let candidate = (champion + 1 + below(models.len() - 1)) % models.len();
        let from = first + i64::try_from(below(starts)).unwrap() * DAY;
        let (end, took) = live(flights, &models[champion], &models[candidate], from, seed);
        days += took;
        *match end {
            Decision::Promote(_) => &mut ends.promoted,
            Decision::RollBack(RollBackReason::Harm) => &mut ends.harm,
            Decision::RollBack(RollBackReason::Guard { .. }) => &mut ends.guard,
            _ => &mut ends.inconclusive,
        } += 1;
    }
    println!("{ends:?}, {:.1} days each", days as f64 / SEEDS as f64);
    ends
}

#[tokio::test]
#[ignore = "trains twenty models and lives through 400 rollouts: `make quiet`"]
async fn what_is_no_worse_is_hardly_ever_rolled_back() {
    let flights = Flights::read().await;
    let instant = |text: &str| DataTime::parse(text).unwrap().micros();
    let (until, first) = (instant("2013-07-01T05:00:00Z"), instant("2013-07-02T05:00:00Z"));
    // One model, retrained: each time without another tenth of the days.
    let retrained = flights.models(until, |model, day| day.unsigned_abs() % MODELS as u64 != model as u64);
    let ends = live_through(&flights, &retrained, first);
    assert!((ends.harm + ends.guard) * 20 <= SEEDS, "{ends:?}");
    assert!(ends.promoted * 5 >= SEEDS * 4, "the test has power: {ends:?}");
    // Each from a random half of the days: their losses differ so much from day to day that four weeks do not
    // always suffice to show that none is worse.
    let mut draws = ChaCha8Rng::seed_from_u64(20_130_101);
    let halves: Vec<u64> = (0..MODELS * 8).map(|_| draws.next_u64()).collect();
    let coin = |model: usize, day: i64| {
        let day = usize::try_from(day.rem_euclid(512)).unwrap();
        halves[model * 8 + day / 64] >> (day % 64) & 1 == 1
    };
    let ends = live_through(&flights, &flights.models(until, coin), first);
    assert!((ends.harm + ends.guard) * 20 <= SEEDS, "{ends:?}");
}
