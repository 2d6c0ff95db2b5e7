//! What each column is to the loop, and which days are for what.

use mainstay_core::failed::Failed;
use mainstay_core::name::Name;
use mainstay_core::time::{DAY, DataTime};
use mainstay_data::schema::DataType;

use super::profile::{ColumnProfile, MANY, Profile};

/// Days that there must be: evidence is taken over days, never over rows.
const LEAST_DAYS: i64 = 10;
/// Rows that there must be.
const LEAST_ROWS: u64 = 200;
/// Features beyond which a person is told that training takes its time.
const MANY_FEATURES: usize = 100;
/// Names that feature definitions keep for themselves.
const RESERVED: [&str; 3] = ["event_timestamp", "created_timestamp", "row_id"];

/// What is asked of the data.
pub(super) struct Question<'a> {
    pub(super) target: &'a str,
    pub(super) positive: Option<&'a str>,
    pub(super) above: Option<f64>,
}

/// A column as a feature that a request brings.
#[derive(Debug)]
pub(super) struct Feature {
    pub(super) name: String,
    pub(super) column: String,
    pub(super) is_text: bool,
    pub(super) is_bool: bool,
}

/// A column that names whom a row is about.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) column: String,
    pub(super) dtype: &'static str,
}

/// The stretches of data time, in whole days.
#[derive(Debug)]
pub(super) struct Days {
    pub(super) from: DataTime,
    /// Where training ends and judging begins.
    pub(super) split: DataTime,
    pub(super) until: DataTime,
    pub(super) train: i64,
    pub(super) judge: i64,
    pub(super) validation: i64,
}

/// Everything that the files are written from.
#[derive(Debug)]
pub(super) struct Roles {
    pub(super) name: Name,
    /// The name, as feature definitions take it.
    pub(super) identifier: String,
    pub(super) time: String,
    pub(super) is_made_up: bool,
    pub(super) target: String,
    /// True where the answer is yes.
    pub(super) label: String,
    pub(super) features: Vec<Feature>,
    pub(super) keys: Vec<Key>,
    /// Columns of numbers whose recent mean is a feature of each key.
    pub(super) averaged: Vec<String>,
    /// Columns that are left out, each with the reason.
    pub(super) left_out: Vec<(String, &'static str)>,
    pub(super) days: Days,
    /// What a person should know before they go on.
    pub(super) notes: Vec<String>,
}

impl Roles {
    pub(super) fn of(
        profile: &Profile,
        name: &Name,
        question: &Question<'_>,
        time: &str,
        keys: &[String],
        is_made_up: bool,
    ) -> Result<Self, Failed> {
        if profile.rows < LEAST_ROWS {
            return Err(Failed::Usage(format!(
                "there are {} rows; a model needs at least {LEAST_ROWS}",
                profile.rows
            )));
        }
        let days = Days::of(profile)?;
        let mut notes = Vec::new();
        let label = label(profile, question, &mut notes)?;
        let keys = keys.iter().map(|key| key_of(profile, key)).collect::<Result<Vec<_>, _>>()?;
        let (mut features, mut left_out): (Vec<Feature>, _) = (Vec::new(), Vec::new());
        for column in &profile.columns {
            let is_key = keys.iter().any(|key| key.column == column.name);
            if column.name == time || column.name == question.target || is_key {
                continue;
            }
            match refusal(column, profile.rows) {
                Some(why) => left_out.push((column.name.clone(), why)),
                None => features.push(feature(column, &features)),
            }
        }
        if features.is_empty() && keys.is_empty() {
            return Err(Failed::Usage("no column is left to predict from".to_owned()));
        }
        if features.len() > MANY_FEATURES {
            notes.push(format!(
                "{} columns are features: training takes long; take out of features.yaml what cannot matter",
                features.len()
            ));
        }
        notes.extend(left_out.iter().map(|(column, why)| format!("column '{column}' is left out: {why}")));
        let numbers = features.iter().filter(|feature| !feature.is_text && !feature.is_bool);
        let averaged = numbers.take(3).map(|feature| feature.column.clone()).collect();
        Ok(Self {
            identifier: identifier(name.as_str()),
            name: name.clone(),
            time: time.to_owned(),
            is_made_up,
            target: question.target.to_owned(),
            label,
            features,
            keys,
            averaged,
            left_out,
            days,
            notes,
        })
    }
}

impl Days {
    fn of(profile: &Profile) -> Result<Self, Failed> {
        let start = profile.first.day();
        let count = profile.last.day() - start + 1;
        if count < LEAST_DAYS {
            let message = format!(
                "the rows span {count} days; Mainstay compares whole days, and needs at least {LEAST_DAYS} of them"
            );
            return Err(Failed::Usage(message));
        }
        let judge = (count / 5).max(3);
        let train = count - judge;
        let from = DataTime::from_micros(start * DAY);
        Ok(Self {
            from,
            split: from.plus(train * DAY),
            until: from.plus(count * DAY),
            train,
            judge,
            validation: (train / 6).max(1),
        })
    }
}

/// An SQL expression that is true where the answer is yes.
fn label(profile: &Profile, question: &Question<'_>, notes: &mut Vec<String>) -> Result<String, Failed> {
    let target = question.target;
    let column = profile.column(target);
    let column = column.ok_or_else(|| Failed::Usage(format!("there is no column '{target}'")))?;
    expect_two_answers(column, profile.rows)?;
    let quoted = quote(target);
    let is_number = matches!(column.data_type, DataType::Int64 | DataType::Float64);
    if let Some(above) = question.above {
        expect_both_sides(column, above)?;
        return Ok(format!("{quoted} > {above:?}"));
    }
    if column.data_type == DataType::Bool && question.positive.is_none() {
        return Ok(quoted);
    }
    let values: Vec<&str> = column.values.iter().flatten().map(String::as_str).collect();
    let positive = match question.positive {
        Some(value) if column.values.is_none() || values.contains(&value) => value,
        Some(value) => {
            let message = format!("column '{target}' never holds '{value}'; it holds: {}", values.join(", "));
            return Err(Failed::Usage(message));
        }
        None => {
            if let [_, second] = values.as_slice() {
                second
            } else {
                let message = format!(
                    "column '{target}' holds {}; a yes or no is predicted: say which value is yes with --positive, or \
                     above which number with --above",
                    column.values.as_ref().map_or_else(
                        || format!("more than {MANY} values"),
                        |all| format!("{} values", all.len())
                    )
                );
                return Err(Failed::Usage(message));
            }
        }
    };
    if is_number && positive.parse::<f64>().is_err() {
        return Err(Failed::Usage(format!("column '{target}' holds numbers, and '{positive}' is none")));
    }
    notes.push(format!("'{target}' counts as yes where it is {positive}; --positive says otherwise"));
    Ok(match column.data_type {
        DataType::Utf8 => format!("{quoted} = '{}'", positive.replace('\'', "''")),
        _ => format!("{quoted} = {positive}"),
    })
}

/// What never differs cannot be learned.
fn expect_two_answers(target: &ColumnProfile, rows: u64) -> Result<(), Failed> {
    let name = &target.name;
    let message = if target.nulls == rows {
        format!(
            "column '{name}' holds no value in any row: there is nothing to learn; name another with --target"
        )
    } else {
        match target.values.iter().flatten().collect::<Vec<_>>().as_slice() {
            [only] if target.values.is_some() => format!(
                "column '{name}' holds '{only}' in every row that has a value: a model needs rows of both answers; \
                 bring some of the other, or name another column with --target"
            ),
            _ => return Ok(()),
        }
    };
    Err(Failed::Usage(message))
}

/// A threshold must have numbers on both sides.
fn expect_both_sides(target: &ColumnProfile, above: f64) -> Result<(), Failed> {
    let name = &target.name;
    let Some((low, high)) = target.range else {
        return Err(Failed::Usage(format!("--above needs numbers, and column '{name}' holds none")));
    };
    if low <= above && above < high {
        return Ok(());
    }
    let message = format!(
        "the numbers in column '{name}' lie between {low} and {high}, so {above} does not divide them into yes and \
         no; give a number between with --above"
    );
    Err(Failed::Usage(message))
}

fn key_of(profile: &Profile, name: &str) -> Result<Key, Failed> {
    let column = profile.column(name).ok_or_else(|| Failed::Usage(format!("there is no column '{name}'")))?;
    let dtype = match column.data_type {
        DataType::Utf8 => "string",
        DataType::Int64 => "int64",
        DataType::Bool => "bool",
        _ => {
            return Err(Failed::Usage(format!(
                "column '{name}' cannot be a key; keys are texts or whole numbers"
            )));
        }
    };
    if identifier(name) != name {
        let message = format!("rename column '{name}': a key is named by lower-case letters, digits and _");
        return Err(Failed::Usage(message));
    }
    Ok(Key { column: name.to_owned(), dtype })
}

/// Why a column is no feature.
fn refusal(column: &ColumnProfile, rows: u64) -> Option<&'static str> {
    match column.data_type {
        DataType::Int64 if column.values.is_none() && is_named_id(&column.name) => {
            Some("it is named like an identifier, whose size says nothing")
        }
        DataType::Int64 if column.values.is_none() && numbers_rows(column, rows) => {
            Some("its numbers run through as many values as there are rows, like a row number")
        }
        DataType::Timestamp | DataType::Date => {
            Some("it holds instants; say in features.yaml what of them matters")
        }
        DataType::Utf8 if column.values.is_none() => {
            Some("it has more than 50 different texts, like an identifier")
        }
        _ if column.values.as_ref().is_some_and(|values| values.len() < 2) => Some("it is always the same"),
        _ => None,
    }
}

/// Whether one word of the name is `id`: `customer_id`, `ID`, `OrderId`, but not `humid`.
fn is_named_id(name: &str) -> bool {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let ends_in_id = |word: &str| {
        let before = word.strip_suffix("Id").or_else(|| word.strip_suffix("ID"));
        before.is_some_and(|before| before.ends_with(|c: char| c.is_ascii_lowercase()))
    };
    words.into_iter().any(|word| word.eq_ignore_ascii_case("id") || ends_in_id(word))
}

/// Whether a column's numbers, none of which is missing, have exactly the range of a count of the rows.
fn numbers_rows(column: &ColumnProfile, rows: u64) -> bool {
    let width = column.range.map(|(low, high)| high - low + 1.0);
    column.nulls == 0 && width.is_some_and(|width| (width - rows as f64).abs() < 0.5)
}

fn feature(column: &ColumnProfile, taken: &[Feature]) -> Feature {
    let base = identifier(&column.name);
    let is_free = |name: &str| taken.iter().all(|feature| feature.name != name);
    let numbered = (2..).map(|number| format!("{base}_{number}"));
    let name = std::iter::once(base.clone()).chain(numbered).find(|name| is_free(name)).unwrap_or(base);
    Feature {
        name,
        column: column.name.clone(),
        is_text: column.data_type == DataType::Utf8,
        is_bool: column.data_type == DataType::Bool,
    }
}

/// A name as feature definitions take it: lower-case letters, digits and single `_`.
pub(super) fn identifier(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    let words: Vec<String> =
        plain.collect::<String>().split('_').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let mut name: String = words.join("_").chars().take(60).collect();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || RESERVED.contains(&name.as_str())
    {
        name.insert_str(0, "f_");
    }
    name.trim_end_matches('_').to_owned()
}

/// A column in an SQL expression.
pub(super) fn quote(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

/// A text in YAML, in single quotes.
pub(super) fn yaml(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, nulls: u64, range: Option<(f64, f64)>, values: Option<&[&str]>) -> ColumnProfile {
        let data_type = if range.is_some() { DataType::Int64 } else { DataType::Utf8 };
        let values = values.map(|values| values.iter().map(|value| (*value).to_owned()).collect());
        ColumnProfile { name: name.to_owned(), data_type, nulls, range, values }
    }

    #[test]
    fn numbers_that_name_or_count_rows_are_no_features() {
        for name in ["id", "customer_id", "Kunde-ID", "orderId", "Order ID"] {
            assert!(refusal(&column(name, 0, Some((1.0, 9e6)), None), 600).is_some(), "{name}");
        }
        for name in ["humid", "idle", "width", "paid", "PAID"] {
            assert_eq!(refusal(&column(name, 0, Some((1.0, 9e6)), None), 600), None, "{name}");
        }
        assert!(refusal(&column("n", 0, Some((100.0, 699.0)), None), 600).is_some());
        assert_eq!(refusal(&column("n", 1, Some((100.0, 699.0)), None), 600), None, "some are missing");
        assert_eq!(refusal(&column("n", 0, Some((100.0, 700.0)), None), 600), None);
        assert_eq!(refusal(&column("id", 0, Some((1.0, 3.0)), Some(&["1", "2", "3"])), 600), None);
    }

    #[test]
    fn a_target_has_both_answers() {
        let said = |result: Result<(), Failed>| result.unwrap_err().to_string();
        let empty = said(expect_two_answers(&column("y", 9, None, Some(&[])), 9));
        assert!(empty.contains("holds no value in any row"), "{empty}");
        let same = said(expect_two_answers(&column("y", 1, None, Some(&["true"])), 9));
        assert!(same.contains("'true' in every row"), "{same}");
        expect_two_answers(&column("y", 0, None, Some(&["a", "b"])), 9).unwrap();
        expect_two_answers(&column("y", 0, Some((0.0, 99.0)), None), 100).unwrap();

        let amounts = column("y", 0, Some((1.0, 5.0)), None);
        expect_both_sides(&amounts, 1.0).unwrap();
        for outside in [0.5, 5.0, 7.0, f64::NAN] {
            let refused = said(expect_both_sides(&amounts, outside));
            assert!(refused.contains("between 1 and 5"), "{refused}");
        }
        let texts = said(expect_both_sides(&column("y", 0, None, None), 1.0));
        assert!(texts.contains("holds none"), "{texts}");
    }

    #[test]
    fn column_names_become_identifiers() {
        for (column, expected) in [
            ("Total Charges ($)", "total_charges"),
            ("2nd__visit", "f_2nd_visit"),
            ("überfällig", "berf_llig"),
            ("row_id", "f_row_id"),
            ("", "f"),
        ] {
            assert_eq!(identifier(column), expected, "{column}");
        }
        assert_eq!(yaml(&quote("it's \"x\"")), "'\"it''s \"\"x\"\"\"'");
    }
}
