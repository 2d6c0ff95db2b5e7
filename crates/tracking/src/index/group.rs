//! Wanted runs in groups of equal values, and what is told of each.

use std::cmp::Ordering;
use std::collections::HashMap;

use mainstay_core::id::RunId;

use super::order::ordered;
use super::select::Found;
use super::{RunIndex, Wanted};
use crate::search::{Figure, GroupOrder, NumberColumn, RunColumn, RunGrouping, RunOrder, SearchError};
use mainstay_columns::ordered::{Cell, text};

/// What is told of a column's values in a group. A NaN is no value, but is counted.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Aggregate {
    /// How many runs have a value.
    pub count: u64,
    /// How many have a NaN.
    pub nan: u64,
    /// The least value.
    pub min: Option<f64>,
    /// The greatest.
    pub max: Option<f64>,
    /// The arithmetic mean.
    pub mean: Option<f64>,
    /// The value of the first run that has one, in the order of the search.
    pub first: Option<f64>,
    /// The value of the last run that has one.
    pub last: Option<f64>,
}

/// Runs that have the same values.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The values, in the order of the columns; `None` for runs that have none.
    pub key: Vec<Option<String>>,
    /// How many runs.
    pub runs: u64,
    /// The first of them, in the order of the search.
    pub first: RunId,
    /// The last.
    pub last: RunId,
    /// In the order of the aggregated columns.
    pub aggregates: Vec<Aggregate>,
}

/// A part of the groups of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// The groups, in order.
    pub groups: Vec<Group>,
    /// How many groups there are.
    pub total: usize,
    /// How many runs are in them.
    pub runs: usize,
}

impl RunIndex {
    /// The wanted runs in groups: of these, `limit` from `offset` on. `order` is that of the runs.
    pub fn groups(
        &self,
        wanted: &Wanted<'_>,
        order: &RunOrder,
        grouping: &RunGrouping,
        (offset, limit): (usize, usize),
    ) -> Result<Groups, SearchError> {
        let found = self.select(wanted)?;
        let ordered = ordered(&found, order);
        let in_order = ordered.all();
        let keys: Vec<Vec<Cell<'_>>> = grouping.by.iter().map(|column| cells(&found, &column.0)).collect();
        let partition = Partition::of(&keys, &in_order);

        let figures = grouping.order.iter().map(|(by, ascending)| {
            let column: Vec<Cell<'_>> = match by {
                GroupOrder::Runs => partition.members.iter().map(|group| int(group.runs)).collect(),
                GroupOrder::Key(at) => partition.key_cells(&keys, *at),
                GroupOrder::Figure(figure, at) => {
                    let column = grouping.aggregates.get(*at);
                    let aggregates = partition.aggregates(&found, column, &in_order, None);
                    aggregates.iter().map(|aggregate| aggregate.cell(*figure)).collect()
                }
            };
            (column, *ascending)
        });
        let figures: Vec<(Vec<Cell<'_>>, bool)> = figures.collect();
        let own: Vec<Vec<Cell<'_>>> = (0..keys.len()).map(|at| partition.key_cells(&keys, at)).collect();
        let compare = |a: &usize, b: &usize| {
            let asked = figures.iter().map(|(cells, ascending)| compared(cells, *a, *b, *ascending));
            let by_key = own.iter().map(|cells| compared(cells, *a, *b, true));
            asked.chain(by_key).find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
        };
        let mut picked: Vec<usize> = (0..partition.members.len()).collect();
        picked.sort_unstable_by(compare);
        let picked: Vec<usize> = picked.into_iter().skip(offset).take(limit).collect();

        let mut groups: Vec<Group> =
            picked.iter().filter_map(|group| partition.group(*group, &own, &ordered.ids)).collect();
        for column in &grouping.aggregates {
            let aggregates = partition.aggregates(&found, Some(column), &in_order, Some(&picked));
            for (group, aggregate) in groups.iter_mut().zip(aggregates) {
                group.aggregates.push(aggregate);
            }
        }
        Ok(Groups { groups, total: partition.members.len(), runs: in_order.len() })
    }
}

/// What all found rows have in a column.
pub(super) fn cells<'a>(found: &'a [Found<'_>], column: &RunColumn) -> Vec<Cell<'a>> {
    found.iter().flat_map(|Found { part, rows }| part.cells(rows, column, false)).collect()
}

fn int<'a>(number: u64) -> Cell<'a> {
    Cell::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn compared(cells: &[Cell<'_>], a: usize, b: usize, ascending: bool) -> Ordering {
    match (cells.get(a), cells.get(b)) {
        (Some(a), Some(b)) => a.compare(b, ascending),
        _ => Ordering::Equal,
    }
}

/// Which row is in which group.
struct Partition {
    /// The group of each found row.
    of_row: Vec<u32>,
    members: Vec<Members>,
}

/// The rows of a group: how many, and their places among the found ones.
struct Members {
    runs: u64,
    first: u32,
    last: u32,
}

impl Partition {
    /// Groups are numbered as they are met; of each column, its values likewise.
    fn of(keys: &[Vec<Cell<'_>>], in_order: &[u32]) -> Self {
        let mut of_row = vec![0_u32; in_order.len()];
        for cells in keys {
            let mut values: HashMap<Option<&str>, u32> = HashMap::new();
            let mut pairs: HashMap<(u32, u32), u32> = HashMap::new();
            for (group, cell) in of_row.iter_mut().zip(cells) {
                let next = count(values.len());
                let value = *values.entry(text_of(cell)).or_insert(next);
                let next = count(pairs.len());
                *group = *pairs.entry((*group, value)).or_insert(next);
            }
        }
        let mut members: Vec<Members> = Vec::new();
        members.resize_with(of_row.iter().max().map_or(0, |last| *last as usize + 1), || Members {
            runs: 0,
            first: 0,
            last: 0,
        });
        for at in in_order {
            let group = of_row.get(*at as usize).and_then(|group| members.get_mut(*group as usize));
            if let Some(group) = group {
                if group.runs == 0 {
                    group.first = *at;
                }
                group.last = *at;
                group.runs += 1;
            }
        }
        Self { of_row, members }
    }

    /// What each group has in a column that it is grouped by.
    fn key_cells<'a>(&self, keys: &'a [Vec<Cell<'a>>], at: usize) -> Vec<Cell<'a>> {
        let of_first = |group: &Members| keys.get(at).and_then(|cells| cells.get(group.first as usize));
        let cell = |group| of_first(group).and_then(text_of).map_or(Cell::Missing, text);
        self.members.iter().map(cell).collect()
    }

    fn group(&self, at: usize, keys: &[Vec<Cell<'_>>], ids: &[RunId]) -> Option<Group> {
        let members = self.members.get(at)?;
        let key = keys.iter().map(|cells| cells.get(at).and_then(text_of).map(str::to_owned));
        Some(Group {
            key: key.collect(),
            runs: members.runs,
            first: *ids.get(members.first as usize)?,
            last: *ids.get(members.last as usize)?,
            aggregates: Vec::new(),
        })
    }

    /// What is told of a column in each group, or in each of some.
    fn aggregates(
        &self,
        found: &[Found<'_>],
        column: Option<&NumberColumn>,
        in_order: &[u32],
        some: Option<&[usize]>,
    ) -> Vec<Aggregate> {
        let mut places: Vec<Option<usize>> = (0..self.members.len()).map(Some).collect();
        if let Some(some) = some {
            places.fill(None);
            for (place, group) in some.iter().enumerate() {
                super::set(&mut places, *group, Some(place));
            }
        }
        let mut folds = vec![Fold::default(); some.map_or(self.members.len(), <[usize]>::len)];
        let cells = column.map_or_else(Vec::new, |column| cells(found, &column.0));
        for at in in_order {
            let group = self.of_row.get(*at as usize).and_then(|group| places.get(*group as usize));
            let fold = group.copied().flatten().and_then(|place| folds.get_mut(place));
            if let (Some(fold), Some(cell)) = (fold, cells.get(*at as usize)) {
                fold.take(cell);
            }
        }
        folds.iter().map(Fold::told).collect()
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

pub(super) fn text_of<'a>(cell: &'a Cell<'_>) -> Option<&'a str> {
    match cell {
        Cell::Text(text) => Some(text),
        _ => None,
    }
}

impl Aggregate {
    fn cell<'a>(&self, figure: Figure) -> Cell<'a> {
        let number = match figure {
            Figure::Count => return int(self.count),
            Figure::Min => self.min,
            Figure::Max => self.max,
            Figure::Mean => self.mean,
            Figure::First => self.first,
            Figure::Last => self.last,
        };
        match number {
            None => Cell::Missing,
            Some(number) if number.is_nan() => Cell::Nan,
            Some(number) => Cell::Number(number.to_bits()),
        }
    }
}

/// Values as they come.
#[derive(Debug, Clone, Default)]
struct Fold {
    told: Aggregate,
    /// The sum, and what rounding took from it (Neumaier 1974).
    sum: f64,
    lost: f64,
    /// The mean so far: what is told if the sum becomes too large for a number.
    running: f64,
}

impl Fold {
    fn take(&mut self, cell: &Cell<'_>) {
        let value = match cell {
            Cell::Int(number) => *number as f64,
            Cell::Number(bits) => f64::from_bits(*bits),
            Cell::Nan => {
                self.told.nan += 1;
                return;
            }
            Cell::Text(_) | Cell::Missing => return,
        };
        let told = &mut self.told;
        told.count += 1;
        told.first.get_or_insert(value);
        told.last = Some(value);
        told.min = Some(told.min.map_or(value, |least| least.min(value)));
        told.max = Some(told.max.map_or(value, |greatest| greatest.max(value)));
        let sum = self.sum + value;
        let (large, small) =
            if self.sum.abs() >= value.abs() { (self.sum, value) } else { (value, self.sum) };
        self.lost += (large - sum) + small;
        self.sum = sum;
        let share = 1.0 / told.count as f64;
        self.running += value * share - self.running * share;
    }

    fn told(&self) -> Aggregate {
        let mut told = self.told;
        told.mean = match (told.min, told.max) {
            // Of infinite values one end is the mean; both have none.
            (Some(min), Some(max)) if min.is_infinite() || max.is_infinite() => Some(min + max),
            (Some(_), Some(_)) if self.sum.is_finite() => Some((self.sum + self.lost) / told.count as f64),
            (Some(_), Some(_)) => Some(self.running),
            _ => None,
        };
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: &[f64]) -> Aggregate {
        let mut fold = Fold::default();
        for value in values {
            fold.take(&Cell::Number(value.to_bits()));
        }
        fold.told()
    }

    /// Figures of `statistics.fmean` of Python 3.12, which sums exactly.
    #[test]
    fn means_lose_nothing_to_rounding() {
        assert_eq!(told(&[1e16, 1.0, -1e16]).mean, Some(1.0 / 3.0));
        assert_eq!(told(&[0.1; 10]).mean, Some(0.1));
        assert_eq!(told(&[f64::MAX, f64::MAX]).mean, Some(f64::MAX));
        assert_eq!(told(&[1.0, f64::INFINITY]).mean, Some(f64::INFINITY));
        assert_eq!(told(&[f64::NEG_INFINITY, 1.0, 7.0]).mean, Some(f64::NEG_INFINITY));
        assert!(told(&[f64::NEG_INFINITY, f64::INFINITY]).mean.unwrap().is_nan());
        assert_eq!(told(&[]), Aggregate::default());
    }
}
