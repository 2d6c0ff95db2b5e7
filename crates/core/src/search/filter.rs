//! What must hold of a thing: tests joined by `AND`, `OR` and `NOT`.

/// Tests, joined. `T` is what is tested: a [`Term`](super::Term) as it was written, or a domain's own test.
///
/// Each test either holds or does not, also of a value that is missing; `NOT` holds exactly where what it
/// negates does not.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter<T> {
    /// All of them hold; of none, everything.
    All(Vec<Self>),
    /// One of them holds.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// The test holds.
    Test(T),
}

impl<T> Default for Filter<T> {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl<T> Filter<T> {
    /// All of these hold. What is joined in the same way inside becomes part of the whole.
    pub fn all(parts: Vec<Self>) -> Self {
        let mut joined = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::All(inner) => joined.extend(inner),
                other => joined.push(other),
            }
        }
        one(joined).unwrap_or_else(Self::All)
    }

    /// One of these holds. What is joined in the same way inside becomes part of the whole.
    pub fn any(parts: Vec<Self>) -> Self {
        let mut joined = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Any(inner) => joined.extend(inner),
                other => joined.push(other),
            }
        }
        one(joined).unwrap_or_else(Self::Any)
    }

    /// Makes another test of each, or refuses.
    pub fn try_map<U, E>(self, test: &mut impl FnMut(T) -> Result<U, E>) -> Result<Filter<U>, E> {
        Ok(match self {
            Self::All(parts) => Filter::All(mapped(parts, test)?),
            Self::Any(parts) => Filter::Any(mapped(parts, test)?),
            Self::Not(inner) => Filter::Not(Box::new(inner.try_map(test)?)),
            Self::Test(one) => Filter::Test(test(one)?),
        })
    }

    /// Whether it holds, where `test` says whether each test does.
    pub fn holds(&self, test: &impl Fn(&T) -> bool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(test)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(test)),
            Self::Not(inner) => !inner.holds(test),
            Self::Test(one) => test(one),
        }
    }

    /// Whether some test, wherever it stands, is such.
    pub fn names(&self, is_such: &impl Fn(&T) -> bool) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.names(is_such)),
            Self::Not(inner) => inner.names(is_such),
            Self::Test(one) => is_such(one),
        }
    }

    /// The tests that must hold whatever else does: those that no `OR` and no `NOT` stands above.
    pub fn needed(&self) -> impl Iterator<Item = &T> {
        let parts = match self {
            Self::All(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        parts.iter().filter_map(|part| match part {
            Self::Test(test) => Some(test),
            _ => None,
        })
    }
}

/// The only one, or all of them back.
fn one<T>(mut parts: Vec<Filter<T>>) -> Result<Filter<T>, Vec<Filter<T>>> {
    match parts.len() {
        1 => parts.pop().ok_or(parts),
        _ => Err(parts),
    }
}

fn mapped<T, U, E>(
    parts: Vec<Filter<T>>,
    test: &mut impl FnMut(T) -> Result<U, E>,
) -> Result<Vec<Filter<U>>, E> {
    parts.into_iter().map(|part| part.try_map(test)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_alike_is_one() {
        let test = |n: u8| Filter::Test(n);
        let nested = Filter::all(vec![Filter::all(vec![test(1), test(2)]), Filter::any(vec![test(3)])]);
        assert_eq!(nested, Filter::All(vec![test(1), test(2), test(3)]));
        assert!(nested.holds(&|n| *n > 0) && !nested.holds(&|n| *n > 1));
        let either = Filter::any(vec![Filter::any(vec![test(1), test(2)]), test(3)]);
        assert_eq!(either, Filter::Any(vec![test(1), test(2), test(3)]));
        assert!(either.holds(&|n| *n == 3) && !either.holds(&|n| *n == 4));
        assert!(Filter::<u8>::default().holds(&|_| false));
        assert_eq!(nested.needed().count(), 3);
        assert_eq!(either.needed().count(), 0);
        assert!(Filter::Not(Box::new(either)).names(&|n| *n == 2));
    }
}
