//! What a search over runs or traces can name, on the wire. `C` says of what so many have a column or value.

use mainstay_traces::index::{Values, Vocabulary};
use serde::Serialize;

use super::run::{RequestError, within};

/// How many columns an answer has.
pub(super) fn columns_limit(sent: Option<usize>) -> Result<usize, RequestError> {
    within("limit", sent, 1_000, (1, 10_000))
}

/// How many values an answer has.
pub(super) fn values_limit(sent: Option<usize>) -> Result<usize, RequestError> {
    within("limit", sent, 20, (1, 1_000))
}

#[derive(Debug, Serialize)]
struct ColumnBody<C> {
    column: String,
    kind: &'static str,
    key: String,
    #[serde(flatten)]
    count: C,
}

#[derive(Debug, Serialize)]
pub(super) struct VocabularyBody<C> {
    columns: Vec<ColumnBody<C>>,
    total: usize,
    #[serde(flatten)]
    looked_at: C,
}

impl<C: From<usize>> From<Vocabulary> for VocabularyBody<C> {
    fn from(Vocabulary { columns, total, looked_at }: Vocabulary) -> Self {
        let columns = columns.into_iter().map(|known| ColumnBody {
            column: known.name(),
            kind: known.entity,
            key: known.key,
            count: known.count.into(),
        });
        Self { columns: columns.collect(), total, looked_at: looked_at.into() }
    }
}

#[derive(Debug, Serialize)]
struct ValueBody<C> {
    value: String,
    #[serde(flatten)]
    count: C,
    filter: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ValuesFound<C> {
    column: String,
    values: Vec<ValueBody<C>>,
    total: usize,
}

impl<C: From<usize>> ValuesFound<C> {
    /// The values of a column; `filter` finds what has one of them.
    pub(super) fn new(
        column: String,
        Values { values, total }: Values,
        filter: impl Fn(&str) -> String,
    ) -> Self {
        let values = values.into_iter().map(|known| ValueBody {
            filter: filter(&known.value),
            value: known.value,
            count: known.count.into(),
        });
        Self { column, values: values.collect(), total }
    }
}
