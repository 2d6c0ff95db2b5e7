//! How the file is written, found out or told, and checked before anything is made of it.

use mainstay_core::failed::Failed;
use mainstay_data::dates::DateOrder;
use mainstay_query::import::{ColumnLook, Look, TextFormat};

use super::names;

/// The share of a column's values that may be of another form.
const MISFITS: f64 = 0.01;

/// What the caller said of the file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    pub(super) date_order: Option<DateOrder>,
    pub(super) decimal_comma: bool,
}

/// Columns that the caller named, with what they are to them.
pub(super) struct Named<'a> {
    pub(super) target: &'a str,
    pub(super) time: Option<&'a str>,
    pub(super) keys: &'a [String],
}

/// The format of a file, and what a person should know of it.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) format: TextFormat,
    pub(super) notes: Vec<String>,
}

impl Form {
    /// Of a file that says itself what it holds.
    pub(super) fn of_no_text() -> Self {
        Self { format: TextFormat::default(), notes: Vec::new() }
    }

    pub(super) fn of(file: &str, look: &Look, named: &Named<'_>, told: Told) -> Result<Self, Failed> {
        let all = || look.columns.iter().map(|column| column.name.as_str());
        names::expect_all(file, named, all)?;
        if look.rows == 0 {
            return Err(Failed::Usage(format!(
                "{file} has a line of column names and no rows; a project is made from data"
            )));
        }
        let mut notes = Vec::new();
        let date_order = match told.date_order {
            Some(order) => Some(order),
            None => date_order(file, look, named.time, &mut notes)?,
        };
        let decimal_comma = told.decimal_comma || has_decimal_commas(look);
        // A comma is said as well where a file has one column: it is known now that this is meant.
        let is_plain = look.delimiter == ',' && look.columns.len() > 1;
        let format =
            TextFormat { delimiter: (!is_plain).then_some(look.delimiter), decimal_comma, date_order };
        if look.delimiter != ',' {
            notes.push(format!("fields are separated by {:?}; --delimiter says otherwise", look.delimiter));
        }
        if decimal_comma && !told.decimal_comma {
            notes.push("numbers are written with a decimal comma, such as 3,14".to_owned());
        }
        if let Some(order) = date_order.filter(|_| told.date_order.is_none()) {
            notes.push(format!(
                "dates are read with the {} first; --date-order says otherwise",
                order.as_str().trim_end_matches("_first")
            ));
        }
        match named.time {
            Some(time) => expect_instants(file, look, time, date_order)?,
            None => expect_no_instants(look)?,
        }
        Ok(Self { format, notes })
    }
}

fn fits(count: u64, column: &ColumnLook) -> bool {
    count > 0 && (column.values - count.min(column.values)) as f64 <= MISFITS * column.values as f64
}

/// The orders in which a column holds dates, as far as RFC 3339 does not say it.
fn orders(column: &ColumnLook) -> impl Iterator<Item = DateOrder> {
    let fitting = DateOrder::ALL.into_iter().zip(column.orders);
    fitting.filter(|(_, count)| *count > 0 && fits(count + column.iso, column)).map(|(order, _)| order)
}

/// The one order in which the file's dates make sense; the column of time decides where there is one.
fn date_order(
    file: &str,
    look: &Look,
    time: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Option<DateOrder>, Failed> {
    let is_time = |column: &&ColumnLook| Some(column.name.as_str()) == time;
    let first_time = look.columns.iter().filter(is_time);
    let others = look.columns.iter().filter(|column| !is_time(column));
    let mut unclear = None;
    for column in first_time.chain(others) {
        let mut possible = orders(column);
        match (possible.next(), possible.next()) {
            (Some(order), None) => return Ok(Some(order)),
            (Some(_), Some(_)) => unclear = unclear.or(Some(&column.name)),
            (None, _) => {}
        }
    }
    let Some(column) = unclear else { return Ok(None) };
    let doubt = format!(
        "the dates in column '{column}' of {file} can be read with the day or with the month first; say which \
         with --date-order day-first or --date-order month-first"
    );
    if time.is_none_or(|time| time == column) {
        return Err(Failed::Usage(doubt));
    }
    notes.push(doubt);
    Ok(None)
}

/// Whether more columns are of numbers such as `3,14` than of numbers such as `3.14`.
fn has_decimal_commas(look: &Look) -> bool {
    let comma = |column: &&ColumnLook| column.decimal_comma > 0 && column.decimal_point == 0;
    let point = |column: &&ColumnLook| column.decimal_point > 0 && column.decimal_comma == 0;
    let (commas, points) =
        (look.columns.iter().filter(comma).count(), look.columns.iter().filter(point).count());
    look.delimiter != ',' && commas > points
}

fn expect_instants(file: &str, look: &Look, time: &str, order: Option<DateOrder>) -> Result<(), Failed> {
    let Some(column) = look.columns.iter().find(|column| column.name == time) else { return Ok(()) };
    let ordered = DateOrder::ALL.iter().zip(column.orders).filter(|(known, _)| Some(**known) == order);
    let readable = column.iso + ordered.map(|(_, count)| count).sum::<u64>();
    if fits(readable, column) {
        return Ok(());
    }
    let example = match &column.odd {
        _ if column.values == 0 => {
            return Err(Failed::Usage(format!(
                "column '{time}' of {file} holds no value; name another with --time, or leave it out to take the rows in \
             their order"
            )));
        }
        Some(odd) => format!(", such as {odd:?}"),
        None => String::new(),
    };
    Err(Failed::Usage(format!(
        "column '{time}' of {file} holds values that are no instants here{example}. Instants are written as \
         2024-12-31 23:59:59, 2024-12-31T23:59:59+01:00, 31.12.2024 or 12/31/2024 11:59 PM, with four digits of the \
         year; --date-order says which of day, month and year comes first"
    )))
}

/// A file with instants in it has a time of its own: somebody has to say which.
fn expect_no_instants(look: &Look) -> Result<(), Failed> {
    let is_dated = |column: &&ColumnLook| fits(column.iso, column) || orders(column).next().is_some();
    let dated: Vec<&str> = look.columns.iter().filter(is_dated).map(|column| column.name.as_str()).collect();
    names::refuse_silent_order(&dated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, values: u64) -> ColumnLook {
        ColumnLook { name: name.to_owned(), values, ..ColumnLook::default() }
    }

    fn look(delimiter: char, columns: Vec<ColumnLook>) -> Look {
        Look { delimiter, columns, rows: 100, is_archive: false }
    }

    fn of(look: &Look, time: Option<&str>) -> Result<Form, String> {
        let named = Named { target: "y", time, keys: &[] };
        Form::of("a.csv", look, &named, Told::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_order_is_taken_where_only_one_makes_sense() {
        let day = ColumnLook { orders: [100, 40, 0], ..column("t", 100) };
        let either = ColumnLook { orders: [100, 100, 0], ..column("u", 100) };
        let plain = column("y", 100);
        let form = of(&look(',', vec![either.clone(), day, plain.clone()]), Some("t")).unwrap();
        assert_eq!(form.format.date_order, Some(DateOrder::DayFirst));
        assert!(form.notes[0].contains("the day first"), "{:?}", form.notes);

        let doubt = of(&look(',', vec![either.clone(), plain.clone()]), Some("u")).unwrap_err();
        assert!(doubt.contains("--date-order day-first") && doubt.contains("'u' of a.csv"), "{doubt}");
        let iso = ColumnLook { iso: 100, ..column("t", 100) };
        let form = of(&look(',', vec![iso.clone(), either, plain.clone()]), Some("t")).unwrap();
        assert_eq!(form.format, TextFormat::default(), "a date beside the time is only told of");
        assert!(form.notes[0].contains("--date-order"), "{:?}", form.notes);
        let unsaid = of(&look(',', vec![iso, plain]), None).unwrap_err();
        assert!(unsaid.contains("--time") && unsaid.contains(": t"), "{unsaid}");
    }

    #[test]
    fn values_that_are_no_instants_are_shown() {
        let odd = ColumnLook { odd: Some("1711929600".to_owned()), iso: 90, ..column("t", 100) };
        let refused = of(&look(',', vec![odd, column("y", 100)]), Some("t")).unwrap_err();
        assert!(refused.contains("\"1711929600\"") && refused.contains("2024-12-31"), "{refused}");
        let empty = of(&look(',', vec![column("t", 0), column("y", 100)]), Some("t")).unwrap_err();
        assert!(empty.contains("holds no value"), "{empty}");
    }

    #[test]
    fn decimal_commas_are_those_of_most_columns() {
        let number =
            |comma, point| ColumnLook { decimal_comma: comma, decimal_point: point, ..column("x", 100) };
        let has = |delimiter, columns: Vec<ColumnLook>| has_decimal_commas(&look(delimiter, columns));
        assert!(has(';', vec![number(50, 0), number(20, 0), number(0, 100)]));
        assert!(!has(';', vec![number(50, 0), number(0, 100)]));
        assert!(!has(',', vec![number(50, 0)]), "a comma that separates fields is none");
        assert!(!has(';', vec![number(0, 0)]));
    }
}
