//! What a trained model is watched against: its training rows, with scores by models that were not fitted
//! on them.

use mainstay_core::time::DataTime;
use mainstay_monitoring::profile::{Column as ProfileColumn, Values as ProfileValues};
use mainstay_monitoring::reference::{Reference, ReferencePlan, TrainingRows};
use mainstay_training::{Column, Dataset, Params, Split, Task, TrainingReport, Values, train};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::StepError;

/// Parts of the rows, each scored by a model of the others. Consecutive days stay together, as rows of one
/// day are alike.
const FOLDS: usize = 4;

/// Profiles the training rows and calibrates the monitors. Scores are out of fold: the chosen candidate is
/// trained anew without each part in turn.
pub(super) fn reference(
    data: &Dataset,
    times: &[DataTime],
    report: &TrainingReport,
    plan: &ReferencePlan,
) -> Result<Reference, StepError> {
    let scores = match report.params.task {
        Task::BinaryClassification => out_of_fold(data, times, report, plan.day_offset)?,
        Task::Regression => vec![None; times.len()],
    };
    let outcomes: Vec<f64> = match report.params.task {
        Task::BinaryClassification => data.label.iter().map(|label| f64::from(*label)).collect(),
        // Losses of numbers are not watched: there is no score that they could be of.
        Task::Regression => vec![0.0; times.len()],
    };
    let owned: Vec<Owned<'_>> = data.features.iter().map(Owned::of).collect();
    let columns: Vec<ProfileColumn<'_>> = owned.iter().map(Owned::column).collect();
    let rows = TrainingRows { columns: &columns, times, scores: &scores, outcomes: &outcomes };
    let mut rng = ChaCha12Rng::seed_from_u64(report.params.seed);
    Reference::build(&rows, plan, &mut rng).map_err(StepError::of)
}

/// A column in the form in which profiles read it.
enum Owned<'a> {
    Numbers(&'a str, Vec<f64>),
    Categories(&'a str, Vec<Option<&'a str>>),
}

impl<'a> Owned<'a> {
    fn of(column: &'a Column) -> Self {
        match &column.values {
            Values::Numeric(all) => Self::Numbers(&column.name, all.iter().map(|v| f64::from(*v)).collect()),
            Values::Categorical(all) => {
                Self::Categories(&column.name, all.iter().map(Option::as_deref).collect())
            }
        }
    }

    fn column(&self) -> ProfileColumn<'_> {
        match self {
            Self::Numbers(name, values) => ProfileColumn { name, values: ProfileValues::Numeric(values) },
            Self::Categories(name, values) => {
                ProfileColumn { name, values: ProfileValues::Categorical(values) }
            }
        }
    }
}

fn out_of_fold(
    data: &Dataset,
    times: &[DataTime],
    report: &TrainingReport,
    day_offset: i64,
) -> Result<Vec<Option<f64>>, StepError> {
    let mut scores = vec![None; times.len()];
    let Some(chosen) = report.selected() else { return Ok(scores) };
    let params = Params { candidates: vec![chosen.candidate], ..report.params.clone() };
    let bounds = fold_bounds(times, day_offset);
    for fold in bounds.windows(2) {
        let &[start, end] = fold else { continue };
        let others: Vec<usize> = (0..times.len()).filter(|row| !(start..end).contains(row)).collect();
        // As in the training itself, the newest rows choose and calibrate.
        let share = report.rows.validation * others.len() / times.len().max(1);
        let validation = others.len() - share.clamp(1, others.len().saturating_sub(1).max(1));
        let split = Split { train: 0..validation, validation: validation..others.len(), test: None };
        let rest = take(data, &others);
        // A part without both classes cannot be learnt from; its days are then left unscored.
        let Ok(trained) = train(&rest, &split, &params) else { continue };
        let own = take(data, &(start..end).collect::<Vec<_>>());
        let given = trained.predictor.predict(&own.features).map_err(StepError::of)?;
        for (place, score) in scores.iter_mut().skip(start).zip(given) {
            *place = Some(score);
        }
    }
    Ok(scores)
}

/// Where the parts begin and end: at the first row of a day, rows in the order of time.
fn fold_bounds(times: &[DataTime], day_offset: i64) -> Vec<usize> {
    let day = |at: &DataTime| at.plus(day_offset).day();
    let mut bounds = vec![0];
    for fold in 1..FOLDS {
        let target = times.len() * fold / FOLDS;
        let Some(first) = times.get(target).map(day) else { continue };
        let bound = times.partition_point(|at| day(at) < first);
        if bounds.last().is_some_and(|last| bound > *last) {
            bounds.push(bound);
        }
    }
    bounds.push(times.len());
    bounds
}

fn take(data: &Dataset, rows: &[usize]) -> Dataset {
    let column = |column: &Column| Column {
        name: column.name.clone(),
        values: match &column.values {
            Values::Numeric(all) => Values::Numeric(pick(all, rows)),
            Values::Categorical(all) => Values::Categorical(pick(all, rows)),
        },
    };
    Dataset { features: data.features.iter().map(column).collect(), label: pick(&data.label, rows) }
}

fn pick<T: Clone>(all: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().filter_map(|row| all.get(*row)).cloned().collect()
}
