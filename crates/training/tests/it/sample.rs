//! Data sets made from a seed: numbers and categories with missing values, and a label that depends on them.

use mainstay_training::{Candidate, Column, Dataset, Params, Predictor, Split, Task, Trained, Values, train};

/// `SplitMix64`: Steele, Lea & Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1), a multiple of 2⁻²⁴.
    pub(crate) fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// Uniform in 0..bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

const CITIES: [&str; 7] = ["Ålesund", "Bergen", "Bodø", "Oslo", "Tromsø", "Vardø", "Stavanger, Sola"];

/// Nine features of `rows` rows. Every fifth value of some is missing; categories have frequent, rare and unique values.
pub(crate) fn features(rows: usize, random: &mut Random) -> Vec<Column> {
    let mut numbers = |missing: f32, value: &dyn Fn(f32) -> f32| -> Vec<f32> {
        (0..rows)
            .map(|_| {
                let (absent, u) = (random.uniform() < missing, random.uniform());
                if absent { f32::NAN } else { value(u) }
            })
            .collect()
    };
    let hour = numbers(0.0, &|u| (u * 24.0).floor());
    let wind = numbers(0.2, &|u| -10.0 * (1.0 - u).ln());
    let pressure = numbers(0.1, &|u| 1013.25 + 40.0 * (u - 0.5));
    let distance = numbers(0.0, &|u| (u * 5000.0).round());
    let tiny = numbers(0.3, &|u| (u - 0.5) * 1e-6);
    let constant = numbers(0.0, &|_| 2013.0);
    let all_missing = numbers(1.1, &|u| u);
    let city = (0..rows)
        .map(|_| match random.below(20) {
            0 => None,
            1 => Some(String::new()),
            2 => Some(format!("hamlet {}", random.below(40))),
            n => Some(CITIES[n % CITIES.len()].to_owned()),
        })
        .collect();
    let carrier = (0..rows).map(|_| Some(["UA", "B6", "EV"][random.below(3)].to_owned())).collect();
    vec![
        Column::numeric("hour", hour),
        Column::categorical("city", city),
        Column::numeric("wind", wind),
        Column::numeric("pressure", pressure),
        Column::numeric("distance", distance),
        Column::categorical("carrier", carrier),
        Column::numeric("tiny", tiny),
        Column::numeric("constant", constant),
        Column::numeric("all missing", all_missing),
    ]
}

fn numeric(columns: &[Column], index: usize) -> &[f32] {
    match &columns[index].values {
        Values::Numeric(values) => values,
        Values::Categorical(_) => panic!("a numeric column was expected"),
    }
}

/// The features with a label that depends on the hour, the city, the wind and whether it is missing.
pub(crate) fn dataset(task: Task, rows: usize, seed: u64) -> Dataset {
    let mut random = Random(seed);
    let columns = features(rows, &mut random);
    let Values::Categorical(cities) = &columns[1].values else { panic!("a categorical column was expected") };
    let label = (0..rows)
        .map(|row| {
            let (hour, wind) = (numeric(&columns, 0)[row], numeric(&columns, 2)[row]);
            let city =
                cities[row].as_deref().map_or(0.0, |city| f32::from(u8::try_from(city.len() % 5).unwrap()));
            let by_wind = if wind.is_nan() { 1.5 } else { (wind / 10.0).min(3.0) - 1.0 };
            let margin =
                ((hour - 12.0).abs() - 6.0) / 2.0 + by_wind * f32::from(u8::from(hour > 6.0)) + 0.4 * city
                    - 2.0;
            match task {
                Task::BinaryClassification => {
                    f32::from(u8::from(random.uniform() < 1.0 / (1.0 + (-margin).exp())))
                }
                Task::Regression => 10.0 * margin + random.uniform() - 0.5,
            }
        })
        .collect();
    Dataset { features: columns, label }
}

pub(crate) fn split(rows: usize) -> Split {
    Split {
        train: 0..rows * 7 / 10,
        validation: rows * 7 / 10..rows * 9 / 10,
        test: Some(rows * 9 / 10..rows),
    }
}

pub(crate) fn params(task: Task, candidate: Candidate) -> Params {
    Params { candidates: vec![candidate], ..Params::new(task, 20_130_101, 2) }
}

pub(crate) fn trained(task: Task, candidate: Candidate, rows: usize) -> Trained {
    train(&dataset(task, rows, 42), &split(rows), &params(task, candidate)).unwrap()
}

/// Rows that stress the export: a third of the numbers are thresholds of the model or their
/// neighbours, a tenth is missing, some categories were never seen.
pub(crate) fn stress(predictor: &Predictor, rows: usize, seed: u64) -> Vec<Column> {
    let mut random = Random(seed);
    let mut columns = features(rows, &mut random);
    for (index, column) in columns.iter_mut().enumerate() {
        match &mut column.values {
            Values::Numeric(values) => {
                #[expect(clippy::cast_possible_truncation, reason = "the nearest f32 is meant")]
                let thresholds: Vec<f32> =
                    predictor.thresholds(index).into_iter().map(|t| t as f32).collect();
                for value in values {
                    let choice = random.below(30);
                    let at = thresholds
                        .get(random.below(thresholds.len().max(1)))
                        .copied()
                        .filter(|t| t.abs() < 1e30);
                    match (choice, at) {
                        (0..3, _) => *value = f32::NAN,
                        (3..6, Some(at)) => *value = at,
                        (6..9, Some(at)) => *value = at.next_up(),
                        (9..12, Some(at)) => *value = at.next_down(),
                        (12, _) => *value = 1e30,
                        (13, _) => *value = -1e30,
                        _ => {}
                    }
                }
            }
            Values::Categorical(values) => {
                for value in values {
                    match random.below(20) {
                        0 => *value = Some("never seen".to_owned()),
                        1 => *value = None,
                        _ => {}
                    }
                }
            }
        }
    }
    columns
}
