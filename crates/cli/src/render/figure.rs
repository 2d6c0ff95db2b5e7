//! Numbers, as briefly or as exactly as is asked. What JSON has no number for comes as a text, and has one spelling
//! everywhere: `NaN`, `Infinity`, `-Infinity`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Number, Value};

use super::{cell, cell_with};

/// From here on not every whole number is a double: 2^53.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// A number with five significant digits; whole numbers as they are.
pub(super) fn brief(number: &Number) -> String {
    let value = match real(number) {
        Ok(value) => value,
        Err(integer) => return integer,
    };
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e9).contains(&size) {
        return format!("{value:.4e}");
    }
    let decimals = (0..=8).find(|decimals| size * 10_f64.powi(*decimals) >= 1e4).unwrap_or(8);
    let text = format!("{value:.*}", usize::try_from(decimals).unwrap_or_default());
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A number with all its digits: read again, it is the same number.
fn whole(number: &Number) -> String {
    let value = match real(number) {
        Ok(value) => value,
        Err(integer) => return integer,
    };
    if (1e-5..1e16).contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
}

/// A double, or a whole number as it is written: without a point, however it came.
fn real(number: &Number) -> Result<f64, String> {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(value) if value.fract() == 0.0 && value.abs() < WHOLE => Err(format!("{value:.0}")),
        Some(value) => Ok(value),
        None => Err(number.to_string()),
    }
}

/// A value on one line, numbers with all their digits.
pub(crate) fn exact(value: &Value) -> String {
    cell_with(value, whole)
}

/// Which columns of a table need all digits, so that values which differ do not look the same.
#[derive(Debug, Default)]
pub(crate) struct Digits(BTreeSet<String>);

impl Digits {
    /// Of the values that the columns have in all rows.
    pub(crate) fn of<'a>(values: impl Iterator<Item = (&'a str, &'a Value)>) -> Self {
        let mut shown: BTreeMap<(&str, String), String> = BTreeMap::new();
        let mut unclear = BTreeSet::new();
        for (column, value) in values.filter(|(_, value)| value.is_number()) {
            let all = exact(value);
            let first = shown.entry((column, cell(value))).or_insert_with(|| all.clone());
            if *first != all {
                unclear.insert(column.to_owned());
            }
        }
        Self(unclear)
    }

    /// A value of a column.
    pub(crate) fn cell(&self, column: &str, value: &Value) -> String {
        if self.0.contains(column) { exact(value) } else { cell(value) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn brief_figures_have_five_digits() {
        let cases = [
            (json!(0.149_746_750_185), "0.14975"),
            (json!(0.5), "0.5"),
            (json!(0.0), "0"),
            (json!(-4.339_712), "-4.3397"),
            (json!(123_456.789), "123457"),
            (json!(0.000_012_345_6), "1.2346e-5"),
            (json!(12), "12"),
            (json!(7_241_732_096.0), "7241732096"),
            (json!(-1.5e300), "-1.5000e300"),
            (json!(1_384_513_200_000_000_u64), "1384513200000000"),
            (json!("-Infinity"), "-Infinity"),
        ];
        for (value, text) in cases {
            assert_eq!(cell(&value), text);
        }
    }

    #[test]
    fn exact_figures_are_the_same_when_they_are_read_again() {
        let cases = [
            (json!(0.999_976), "0.999976"),
            (json!(299.999), "299.999"),
            (json!(7_241_732_096.0), "7241732096"),
            (json!(-3.0), "-3"),
            (json!(-0.0), "-0"),
            (json!(0.1 + 0.2), "0.30000000000000004"),
            (json!(3.0e-7), "3e-7"),
            (json!(1e20), "1e20"),
            (json!(f64::MAX), "1.7976931348623157e308"),
            (json!("NaN"), "NaN"),
            (json!(u64::MAX), "18446744073709551615"),
        ];
        for (value, text) in cases {
            assert_eq!(exact(&value), text);
            if let Some(number) = value.as_f64() {
                assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits(), "{text}");
            }
        }
    }

    #[test]
    fn a_column_has_as_many_digits_as_tell_its_values_apart() {
        let (near, nearer, far) = (json!(0.999_976), json!(0.999_98), json!(0.123_456_7));
        let digits = Digits::of([("auc", &near), ("auc", &nearer), ("loss", &far)].into_iter());
        assert_eq!(digits.cell("auc", &near), "0.999976");
        assert_eq!(digits.cell("auc", &nearer), "0.99998");
        assert_eq!(digits.cell("loss", &far), "0.12346");
    }
}
