//! What type a column of text has.
//!
//! The first [`SAMPLE`] telling values of a column decide its kind: truth values, numbers, times or
//! text. All later values can only widen it: integers to floats, dates to instants. If more than the
//! allowed share of all values do not fit the kind, the column is text; otherwise those rows are
//! quarantined, where a person sees them.

use mainstay_data::schema::DataType;

use super::cells::{Grammar, parse_bool};

/// How many values decide the kind.
const SAMPLE: u64 = 10_000;

/// What a single value could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Bool,
    Int,
    Float,
    Date,
    Timestamp,
    Text,
}

/// What the values of one column were so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    sample: [u64; 6],
    all: [u64; 6],
    seen: u64,
}

impl Evidence {
    /// Counts a value that is not null.
    pub(super) fn observe(&mut self, field: &str, grammar: &Grammar<'_>) {
        // Text once, text for ever: the sample allows no exception.
        if self.count(&self.sample, Class::Text) > 0 {
            return;
        }
        let class = classify(field.trim_ascii(), grammar) as usize;
        self.seen += 1;
        let tallies = if self.seen <= SAMPLE {
            [Some(&mut self.sample), Some(&mut self.all)]
        } else {
            [None, Some(&mut self.all)]
        };
        for tally in tallies.into_iter().flatten() {
            if let Some(count) = tally.get_mut(class) {
                *count += 1;
            }
        }
    }

    #[expect(clippy::unused_self, reason = "reads better at its callers")]
    fn count(&self, tally: &[u64; 6], class: Class) -> u64 {
        tally.get(class as usize).copied().unwrap_or(0)
    }

    /// The type, if at most `max_misfits` (a share) of the values may not fit it.
    pub(super) fn conclude(&self, max_misfits: f64) -> DataType {
        let sampled = |class| self.count(&self.sample, class);
        let all = |class| self.count(&self.all, class);
        let kinds: [(&[Class], DataType, Class, DataType); 3] = [
            (&[Class::Bool], DataType::Bool, Class::Bool, DataType::Bool),
            (&[Class::Int, Class::Float], DataType::Int64, Class::Float, DataType::Float64),
            (&[Class::Date, Class::Timestamp], DataType::Date, Class::Timestamp, DataType::Timestamp),
        ];
        let in_sample: u64 = self.sample.iter().sum();
        for (classes, narrow, wider, wide) in kinds {
            let fitting_sample: u64 = classes.iter().map(|&class| sampled(class)).sum();
            if in_sample == 0 || fitting_sample != in_sample {
                continue;
            }
            let fitting: u64 = classes.iter().map(|&class| all(class)).sum();
            let misfits = self.seen - fitting;
            if misfits as f64 > max_misfits * self.seen as f64 {
                return DataType::Utf8;
            }
            return if all(wider) > 0 { wide } else { narrow };
        }
        DataType::Utf8
    }
}

/// An integer with a leading zero is a code, not a number, and so is one beyond 64 bits.
fn classify(field: &str, grammar: &Grammar<'_>) -> Class {
    let Some(&first) = field.as_bytes().first() else { return Class::Text };
    if matches!(first, b't' | b'T' | b'f' | b'F') {
        return if parse_bool(field).is_some() { Class::Bool } else { Class::Text };
    }
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return Class::Text;
    }
    let digits = field.strip_prefix(['+', '-']).unwrap_or(field);
    let padded = digits.starts_with('0') && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if !padded && field.parse::<i64>().is_ok() {
        return Class::Int;
    }
    if field.as_bytes().get(4) == Some(&b'-') || grammar.has_date_order() {
        if grammar.date(field).is_some() {
            return Class::Date;
        }
        if grammar.timestamp(field).is_some() {
            return Class::Timestamp;
        }
    }
    let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
    if !padded && !all_digits && grammar.float(field).is_some() { Class::Float } else { Class::Text }
}

#[cfg(test)]
mod tests {
    use mainstay_data::dates::DateOrder;

    use super::*;
    use crate::import::{ImportOptions, TextFormat};

    fn of(values: &[&str]) -> DataType {
        of_format(values, TextFormat::default())
    }

    fn of_format(values: &[&str], format: TextFormat) -> DataType {
        let options = ImportOptions { format, ..ImportOptions::default() };
        let mut evidence = Evidence::default();
        for value in values {
            evidence.observe(value, &Grammar::of(&options));
        }
        evidence.conclude(0.01)
    }

    #[test]
    fn the_format_decides_what_numbers_and_dates_look_like() {
        let german =
            TextFormat { decimal_comma: true, date_order: Some(DateOrder::DayFirst), ..Default::default() };
        assert_eq!(of_format(&["1,5", "2"], german), DataType::Float64);
        assert_eq!(of_format(&["31.12.2024", "1.1.2025"], german), DataType::Date);
        assert_eq!(of_format(&["31.12.2024", "1.1.2025 10:30"], german), DataType::Timestamp);
        assert_eq!(of_format(&["2024-12-31"], german), DataType::Date);
        assert_eq!(of_format(&["1.5"], german), DataType::Utf8);
        for text in [&["1,5"][..], &["31.12.2024"]] {
            assert_eq!(of(text), DataType::Utf8, "{text:?}");
        }
    }

    #[test]
    fn the_narrowest_type_that_fits_all() {
        assert_eq!(of(&["1", "-2", "0"]), DataType::Int64);
        assert_eq!(of(&["1", "2.5", "1e3"]), DataType::Float64);
        assert_eq!(of(&["true", "False"]), DataType::Bool);
        assert_eq!(of(&["2013-01-01"]), DataType::Date);
        assert_eq!(of(&["2013-01-01", "2013-01-01 05:00:00"]), DataType::Timestamp);
        assert_eq!(of(&["2013-01-01T05:00:00Z"]), DataType::Timestamp);
        for text in [&["1", "x"][..], &["true", "1"], &["2013-01-01", "5"], &["inf"], &[]] {
            assert_eq!(of(text), DataType::Utf8, "{text:?}");
        }
    }

    #[test]
    fn codes_stay_text() {
        assert_eq!(of(&["01234", "98765"]), DataType::Utf8);
        assert_eq!(of(&["12345678901234567890"]), DataType::Utf8);
        assert_eq!(of(&["0", "0.5", "-0.25"]), DataType::Float64);
    }

    #[test]
    fn later_values_widen_or_are_misfits() {
        let options = ImportOptions::default();
        let grammar = Grammar::of(&options);
        let mut evidence = Evidence::default();
        (0..SAMPLE).for_each(|i| evidence.observe(&i.to_string(), &grammar));
        assert_eq!(evidence.conclude(0.01), DataType::Int64);
        evidence.observe("0.5", &grammar);
        assert_eq!(evidence.conclude(0.01), DataType::Float64);
        (0..50).for_each(|_| evidence.observe("oops", &grammar));
        assert_eq!(evidence.conclude(0.01), DataType::Float64, "a few bad values are misfits");
        (0..100).for_each(|_| evidence.observe("oops", &grammar));
        assert_eq!(evidence.conclude(0.01), DataType::Utf8, "many are another type");
    }
}
