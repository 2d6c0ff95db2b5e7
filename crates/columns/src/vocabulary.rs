//! Which columns things have, and which values a column has: what a search box completes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use mainstay_core::search::Column;

/// A column, and how many things have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownColumn {
    /// Of what kind, as the search language says it.
    pub entity: &'static str,
    /// Its name, without the kind.
    pub key: String,
    /// How many of the wanted things have a value.
    pub count: usize,
}

impl KnownColumn {
    /// As it is written in a filter.
    pub fn name(&self) -> String {
        Column { entity: Some(self.entity.to_owned()), key: self.key.clone() }.to_string()
    }
}

/// The columns that wanted things have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    /// Those that most have first; then by kind and key.
    pub columns: Vec<KnownColumn>,
    /// How many there are.
    pub total: usize,
    /// How many things were looked at.
    pub looked_at: usize,
}

impl Vocabulary {
    /// The columns of which it is known how many things have them, by kind and key; at most `limit`.
    pub fn new<K: Ord>(
        known: BTreeMap<(K, &str), usize>,
        entity: impl Fn(K) -> &'static str,
        limit: usize,
        looked_at: usize,
    ) -> Self {
        let total = known.len();
        let known = known.into_iter().map(|((kind, key), count)| (entity(kind), key, count));
        let column = |(entity, key, count): (_, &str, _)| KnownColumn { entity, key: key.to_owned(), count };
        let mut columns: Vec<KnownColumn> = known.map(column).collect();
        columns.sort_by_key(|column| Reverse(column.count));
        columns.truncate(limit);
        Self { columns, total, looked_at }
    }
}

/// A value, and how many things have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownValue {
    /// The value.
    pub value: String,
    /// How many of the wanted things have it.
    pub count: usize,
}

/// The values of a column that wanted things have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// Those that most have first; then by value.
    pub values: Vec<KnownValue>,
    /// How many there are.
    pub total: usize,
}

impl Values {
    /// The values of which it is known how many things have them, and that begin so, whatever the case; at most
    /// `limit`.
    pub fn new<T: AsRef<str> + Into<String>>(counts: HashMap<T, usize>, prefix: &str, limit: usize) -> Self {
        let prefix = prefix.to_lowercase();
        let mut matching: Vec<(T, usize)> =
            counts.into_iter().filter(|(value, _)| begins(value.as_ref(), &prefix)).collect();
        let total = matching.len();
        matching.sort_unstable_by(|(a, a_count), (b, b_count)| {
            b_count.cmp(a_count).then_with(|| a.as_ref().cmp(b.as_ref()))
        });
        matching.truncate(limit);
        let value = |(value, count): (T, usize)| KnownValue { value: value.into(), count };
        Self { values: matching.into_iter().map(value).collect(), total }
    }
}

/// Whether a text begins so; `prefix` is in lower case.
pub fn begins(text: &str, prefix: &str) -> bool {
    let mut text = text.chars().flat_map(char::to_lowercase);
    prefix.chars().all(|c| text.next() == Some(c))
}
