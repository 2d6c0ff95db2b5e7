//! The search language: that of `MLflow` (`mlflow/utils/search_utils.py`), and more. Filters and orders as texts, and
//! tests of single values. Which columns there are, and of what type, is a domain's.
//!
//! A filter is comparisons joined by `AND`; beyond a stock server by `OR`, `NOT` and parentheses too. A column is
//! `entity.key`, or a bare key for an attribute; a key with unusual characters stands in backticks or
//! quotes. A string stands in single or double quotes and is taken as it is, never unescaped, unless it is written
//! `E'…'`. The whole grammar stands in `docs/reference/search.md`.
//!
//! [`parse_filter`] gives [`Term`]s, joined by a [`Filter`]. A domain looks up the column of each and makes a
//! [`TextTest`] or a [`NumberTest`] of the rest. Each refusal is a [`SearchError`]. What was read is written by `Display` so that it is read again as the same.

mod comparison;
mod error;
mod expression;
mod filter;
mod pattern;
mod syntax;
mod test;

pub use comparison::{Column, Comparison, Op, Operand, Term};
pub use error::SearchError;
pub use expression::Expression;
pub use filter::Filter;
pub use pattern::Pattern;
pub use syntax::{parse_column, parse_filter, parse_order, parse_orders};
pub use test::{Extra, NumberTest, TextTest, number_in};

/// Longest filter or order text, in bytes; a list of a thousand run ids fits.
pub const MAX_TEXT: usize = 64 * 1024;
/// Most comparisons in one filter.
pub const MAX_TERMS: usize = 100;
/// Most regular expressions in one filter.
pub const MAX_EXPRESSIONS: usize = 10;
/// Most parentheses and `NOT`s inside one another.
pub const MAX_DEPTH: usize = 32;
/// Most columns in one order.
pub const MAX_ORDERS: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> impl Strategy<Value = String> {
        "[a-z_.]{1,6}|not|[ab /:'\"]{1,6}|[aé(),=]{1,4}"
    }

    fn column() -> impl Strategy<Value = Column> {
        let entity = prop::option::of(prop::sample::select(vec!["metrics", "tags", "a b", "NOT"]));
        (entity, keys()).prop_map(|(entity, key)| Column { entity: entity.map(str::to_owned), key })
    }

    fn number() -> impl Strategy<Value = f64> {
        any::<f64>().prop_map(|number| if number.is_nan() { -0.0 } else { number })
    }

    fn comparison() -> impl Strategy<Value = Comparison> {
        let text = || "[a'\"\\\\é%_ ()]{0,6}";
        let ordered = vec![Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::Like, Op::ILike];
        let value = prop_oneof![
            (prop::sample::select(ordered.clone()), text()).prop_map(|(op, text)| (op, Operand::Text(text))),
            (prop::sample::select(ordered), number()).prop_map(|(op, number)| (op, Operand::Number(number))),
            prop::sample::select(vec![Op::IsNull, Op::IsNotNull]).prop_map(|op| (op, Operand::Nothing)),
            (any::<bool>(), number(), number()).prop_map(|(is, low, high)| {
                (if is { Op::Between } else { Op::NotBetween }, Operand::Range(low, high))
            }),
            (any::<bool>(), prop::collection::vec(text(), 1..4))
                .prop_map(|(is, texts)| (if is { Op::In } else { Op::NotIn }, Operand::List(texts))),
            (any::<bool>(), prop::collection::vec(number(), 1..4))
                .prop_map(|(is, numbers)| (if is { Op::In } else { Op::NotIn }, Operand::Numbers(numbers))),
        ];
        (column(), value).prop_map(|(column, (op, value))| Comparison { column, op, value })
    }

    fn filter() -> impl Strategy<Value = Filter<Comparison>> {
        comparison().prop_map(Filter::Test).prop_recursive(4, 24, 4, |inner| {
            let parts = || prop::collection::vec(inner.clone(), 1..4);
            prop_oneof![
                parts().prop_map(Filter::all),
                parts().prop_map(Filter::any),
                inner.clone().prop_map(|part| Filter::Not(Box::new(part))),
            ]
        })
    }

    fn read(text: &str) -> Result<Filter<Comparison>, SearchError> {
        parse_filter(text)?.try_map(&mut |term: Term| Ok(term.comparison))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_024))]
        #[test]
        fn what_is_written_is_read_again(filter in filter()) {
            let text = filter.to_string();
            prop_assert_eq!(read(&text), Ok(filter), "{}", text);
        }

        /// Whatever is read at all is written so that it is read as the same; nothing panics.
        #[test]
        fn any_text_is_read_or_refused(
            text in "([a.`'\"E\\\\(),=!<>0é -]|AND |OR |NOT |IN |IS |NULL|BETWEEN |LIKE |a = 'x' ){0,16}",
        ) {
            if let Ok(filter) = read(&text) {
                prop_assert_eq!(read(&filter.to_string()), Ok(filter));
            }
        }
    }

    fn refused(text: &str) -> SearchError {
        parse_filter(text).unwrap_err()
    }

    #[test]
    fn or_binds_least_and_not_most() {
        for (text, same) in [
            ("a = 1 OR b = 2 AND NOT c = 3", "(a = 1) or ((b = 2) and (not (c = 3)))"),
            ("NOT NOT(a = 1)", "NOT (NOT a = 1)"),
            ("a BETWEEN 1 AND 2 AND b = 3", "(a BETWEEN 1 AND 2) AND (b = 3)"),
            ("`metric`.a >= 0.1", "metric.a >= 0.1"),
            ("a = E'it\\'s \\\\ \"x\"'", "a = E'it\\'s \\\\ \"x\"'"),
        ] {
            assert_eq!(read(text), read(same), "{text}");
        }
        assert_eq!(read(" a = 1 AND b IS NULL ").unwrap().to_string(), "a = 1.0 AND b IS NULL");
        let both = r#"it's "x""#.to_owned();
        let column = Column { entity: Some("tags".into()), key: "a b".into() };
        let comparison = Comparison { column, op: Op::Eq, value: Operand::Text(both) };
        assert_eq!(comparison.to_string(), r#"tags.`a b` = E'it\'s "x"'"#);
    }

    #[test]
    fn a_refusal_says_where() {
        let syntax = |text: &str| match refused(text) {
            SearchError::Syntax { at, near, expected } => (at, near, expected),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(syntax("é = 'x' junk"), (8, "junk".into(), "AND, OR or the end"));
        assert_eq!(syntax(" (a = 1"), (7, String::new(), "AND, OR or ')'"));
        assert_eq!(syntax("a = 1 AND").0, 9);
        assert_eq!(syntax("a NOT LIKE 'x'").0, 6);
        assert_eq!(syntax("a IN (1, 'x')").0, 12);
        assert_eq!(syntax("a IN ()").0, 6);
        assert_eq!(syntax("a BETWEEN 1 OR 2").0, 12);
        assert_eq!(syntax("a = E'\\n'").0, 4);
        assert_eq!(syntax("a = 'x").0, 4);
        assert_eq!(syntax("child"), (5, String::new(), "a comparator"));
        let (at, near, expected) = syntax("metrics.val/acc > 0.9");
        assert_eq!((at, near.as_str()), (11, "/acc > 0.9"));
        assert!(expected.contains("metrics.`val/acc`"), "{expected}");
    }

    #[test]
    fn everything_is_bounded() {
        let nested = |n: usize| format!("{}a = 1{}", "(".repeat(n), ")".repeat(n));
        assert!(parse_filter(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(refused(&nested(MAX_DEPTH + 1)), SearchError::TooDeep { at: MAX_DEPTH + 1 });
        assert!(matches!(refused(&"NOT ".repeat(10_000)), SearchError::TooDeep { .. }));
        let many = |n: usize, term: &str| vec![term; n].join(" OR ");
        assert!(parse_filter(&many(MAX_TERMS, "a = 1")).is_ok());
        assert_eq!(refused(&many(MAX_TERMS + 1, "a = 1")), SearchError::TooMany { at: 900 });
        assert!(parse_filter(&many(MAX_EXPRESSIONS, "a RLIKE 'x'")).is_ok());
        assert!(matches!(refused(&many(MAX_EXPRESSIONS + 1, "a RLIKE 'x'")), SearchError::TooMany { .. }));
        assert_eq!(refused(&" ".repeat(MAX_TEXT + 1)), SearchError::TooLong);
    }
}
