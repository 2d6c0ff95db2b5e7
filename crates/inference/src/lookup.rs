//! From a category to its place in a list: sorted arrays, searched by halving.

use std::sync::Arc;

use crate::tensor::Element;

/// A type that categories may have, with the order in which they are kept.
pub(crate) trait Key: Element {
    /// Total order; equal keys are the same category.
    fn order(&self, other: &Self) -> std::cmp::Ordering;
}

impl Key for i64 {
    #[inline]
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.cmp(other)
    }
}

impl Key for Arc<str> {
    #[inline]
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.cmp(other)
    }
}

/// All NaNs are one category, and both zeros.
impl Key for f32 {
    #[inline]
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.partial_cmp(other).unwrap_or_else(|| self.is_nan().cmp(&other.is_nan()))
    }
}

/// All NaNs are one category, and both zeros.
impl Key for f64 {
    #[inline]
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.partial_cmp(other).unwrap_or_else(|| self.is_nan().cmp(&other.is_nan()))
    }
}

/// A list of categories, searchable.
#[derive(Debug)]
pub(crate) struct Lookup<K> {
    sorted: Vec<(K, u32)>,
}

impl<K: Key> Lookup<K> {
    /// Of a category that is listed several times, the first or the last place counts.
    pub(crate) fn new(keys: impl IntoIterator<Item = K>, last_counts: bool) -> Self {
        let mut sorted: Vec<(K, u32)> = keys.into_iter().zip(0_u32..).collect();
        sorted.sort_by(|a, b| {
            let places = if last_counts { b.1.cmp(&a.1) } else { a.1.cmp(&b.1) };
            a.0.order(&b.0).then(places)
        });
        sorted.dedup_by(|later, earlier| later.0.order(&earlier.0).is_eq());
        Self { sorted }
    }

    /// The category's place in the list.
    pub(crate) fn place(&self, key: &K) -> Option<usize> {
        let found = self.sorted.binary_search_by(|(known, _)| known.order(key)).ok()?;
        self.sorted.get(found).map(|(_, place)| *place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_a_category_and_zeros_are_one() {
        let lookup = Lookup::new([f32::NAN, 0.0, 7.0], false);
        assert_eq!(lookup.place(&f32::NAN), Some(0));
        assert_eq!(lookup.place(&-0.0), Some(1));
        assert_eq!(lookup.place(&7.0), Some(2));
        assert_eq!(lookup.place(&8.0), None);
    }

    #[test]
    fn repeated_categories() {
        let texts = || ["b", "a", "b"].map(Arc::<str>::from);
        assert_eq!(Lookup::new(texts(), false).place(&Arc::from("b")), Some(0));
        assert_eq!(Lookup::new(texts(), true).place(&Arc::from("b")), Some(2));
    }
}
