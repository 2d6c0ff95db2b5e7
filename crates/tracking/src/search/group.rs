//! By what runs are grouped, what is told of each group, and in which order groups come.

use mainstay_core::search::{Comparison, Filter, Op, Operand};
use mainstay_core::text::clip;

use super::SearchError;
use super::run::RunColumn;

/// Most columns that runs are grouped by.
const MAX_COLUMNS: usize = 4;
/// Most columns that are aggregated.
const MAX_AGGREGATES: usize = 32;
/// Most orders of groups.
const MAX_ORDERS: usize = 8;

/// A column whose values are texts: a parameter, a tag or such an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupColumn(pub(crate) RunColumn);

impl GroupColumn {
    /// Reads a column.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        match RunColumn::parse(text)? {
            column @ (RunColumn::Param(_) | RunColumn::Tag(_) | RunColumn::Text(_)) => Ok(Self(column)),
            _ => Err(SearchError::Column {
                column: clip(text),
                valid: "a parameter, a tag or a text attribute such as status or user_id",
            }),
        }
    }

    /// The filter that a run passes if this is its value, or, without one, if it has none.
    pub fn is(&self, value: Option<&str>) -> Filter<Comparison> {
        let (op, value) = match value {
            Some(text) => (Op::Eq, Operand::Text(text.to_owned())),
            None => (Op::IsNull, Operand::Nothing),
        };
        Filter::Test(Comparison { column: self.0.name(), op, value })
    }

    /// As it is written in a filter.
    pub fn name(&self) -> String {
        self.0.name().to_string()
    }
}

/// A column whose values are numbers: a metric or such an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberColumn(pub(crate) RunColumn);

impl NumberColumn {
    /// Reads a column.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        match RunColumn::parse(text)? {
            column @ (RunColumn::Metric(_) | RunColumn::Time(_)) => Ok(Self(column)),
            _ => Err(SearchError::Column {
                column: clip(text),
                valid: "a metric, or start_time, end_time or duration,",
            }),
        }
    }
}

/// One number of what is told of a column's values in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// How many there are.
    Count,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// Their arithmetic mean.
    Mean,
    /// That of the first run that has one.
    First,
    /// That of the last run that has one.
    Last,
}

impl Figure {
    fn named(name: &str) -> Option<Self> {
        let all = [Self::Count, Self::Min, Self::Max, Self::Mean, Self::First, Self::Last];
        let names = ["count", "min", "max", "mean", "first", "last"];
        all.into_iter()
            .zip(names)
            .find_map(|(figure, known)| known.eq_ignore_ascii_case(name).then_some(figure))
    }
}

/// What groups are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupOrder {
    /// How many runs they have.
    Runs,
    /// The value of a column that runs are grouped by, by its place among them.
    Key(usize),
    /// A figure of an aggregated column, by its place among them.
    Figure(Figure, usize),
}

/// How runs are grouped.
#[derive(Debug, Clone, PartialEq)]
pub struct RunGrouping {
    /// By these columns: one or more.
    pub(crate) by: Vec<GroupColumn>,
    /// What is told of each group.
    pub(crate) aggregates: Vec<NumberColumn>,
    /// In which order groups come, and whether ascending; then by key.
    pub(crate) order: Vec<(GroupOrder, bool)>,
}

impl RunGrouping {
    /// Parses columns to group by, columns to aggregate, and orders of groups, such as `min(metrics.loss) DESC`;
    /// ascending where nothing is said. Without an order, the largest groups come first.
    pub fn parse(by: &[String], aggregates: &[String], order: &[String]) -> Result<Self, SearchError> {
        for (what, length, most) in [
            ("group_by", by.len(), MAX_COLUMNS),
            ("aggregates", aggregates.len(), MAX_AGGREGATES),
            ("order_groups_by", order.len(), MAX_ORDERS),
        ] {
            if length > most {
                return Err(SearchError::Many { what, most });
            }
        }
        let by = by.iter().map(|text| GroupColumn::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let aggregates =
            aggregates.iter().map(|text| NumberColumn::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let ordered = |text: &String| group_order(text, &by, &aggregates);
        let mut order = order.iter().map(ordered).collect::<Result<Vec<_>, _>>()?;
        if order.is_empty() {
            order.push((GroupOrder::Runs, false));
        }
        Ok(Self { by, aggregates, order })
    }

    /// The filter that the runs of a group pass, whose key is this.
    pub fn filter_of(&self, key: &[Option<String>]) -> String {
        let parts = self.by.iter().zip(key).map(|(column, value)| column.is(value.as_deref()));
        Filter::all(parts.collect()).to_string()
    }
}

fn group_order(
    text: &str,
    by: &[GroupColumn],
    aggregates: &[NumberColumn],
) -> Result<(GroupOrder, bool), SearchError> {
    let text = text.trim();
    let words = [("ASC", true), ("DESC", false)];
    let direction =
        |word: &str| words.into_iter().find_map(|(known, is)| known.eq_ignore_ascii_case(word).then_some(is));
    let (what, ascending) = text
        .rsplit_once(char::is_whitespace)
        .and_then(|(what, word)| Some((what.trim_end(), direction(word)?)))
        .unwrap_or((text, true));
    let unknown = || SearchError::GroupOrder(clip(text));
    if what.eq_ignore_ascii_case("count") {
        return Ok((GroupOrder::Runs, ascending));
    }
    let figure = what.strip_suffix(')').and_then(|rest| rest.split_once('('));
    if let Some((figure, column)) =
        figure.and_then(|(name, column)| Some((Figure::named(name.trim())?, column)))
    {
        let column = NumberColumn::parse(column)?;
        let at = aggregates.iter().position(|other| *other == column).ok_or_else(unknown)?;
        return Ok((GroupOrder::Figure(figure, at), ascending));
    }
    let column = GroupColumn::parse(what).map_err(|_| unknown())?;
    let at = by.iter().position(|other| *other == column).ok_or_else(unknown)?;
    Ok((GroupOrder::Key(at), ascending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn orders_name_what_is_grouped_and_aggregated() {
        let (by, aggregates) = (texts(&["params.`a (b)`", "status"]), texts(&["metrics.`l)`", "duration"]));
        let order =
            texts(&["count DESC", "MIN( metrics.`l)` ) desc", "attributes.status", "last(duration)asc"]);
        let refused = RunGrouping::parse(&by, &aggregates, &order).unwrap_err();
        assert_eq!(refused, SearchError::GroupOrder("last(duration)asc".into()));
        let order =
            texts(&["count DESC", "MIN( metrics.`l)` ) desc", "attributes.status", "param.`a (b)` asc"]);
        let grouping = RunGrouping::parse(&by, &aggregates, &order).unwrap();
        assert_eq!(
            grouping.order,
            [
                (GroupOrder::Runs, false),
                (GroupOrder::Figure(Figure::Min, 0), false),
                (GroupOrder::Key(1), true),
                (GroupOrder::Key(0), true),
            ]
        );
        assert_eq!(
            grouping.filter_of(&[Some("it's".into()), None]),
            "params.`a (b)` = \"it's\" AND status IS NULL"
        );
        for bad in ["max(metrics.other)", "median(duration)", "params.other", "", "min(", "count()"] {
            assert!(RunGrouping::parse(&by, &aggregates, &texts(&[bad])).is_err(), "{bad}");
        }
    }

    #[test]
    fn columns_are_of_their_kind_and_bounded() {
        for bad in ["metrics.a", "start_time", "datasets.name", "nothing"] {
            assert!(GroupColumn::parse(bad).is_err(), "{bad}");
        }
        for bad in ["params.a", "status", "datasets.name"] {
            assert!(NumberColumn::parse(bad).is_err(), "{bad}");
        }
        let five = vec!["status".to_owned(); 5];
        let refused = RunGrouping::parse(&five, &[], &[]).unwrap_err();
        assert_eq!(refused, SearchError::Many { what: "group_by", most: 4 });
    }
}
