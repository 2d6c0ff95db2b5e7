//! Dates as people write them: three numbers with the day, the month or the year first.

use serde::{Deserialize, Serialize};

use crate::scalar::{parse_date, parse_timestamp};

/// Which part of a written date comes first. The year has four digits; parts are separated by `.`, `/` or `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// `31.12.2024`, `31/12/2024`
    DayFirst,
    /// `12/31/2024`
    MonthFirst,
    /// `2024/12/31`
    YearFirst,
}

impl DateOrder {
    /// Every order.
    pub const ALL: [Self; 3] = [Self::DayFirst, Self::MonthFirst, Self::YearFirst];

    /// The name used in definitions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DayFirst => "day_first",
            Self::MonthFirst => "month_first",
            Self::YearFirst => "year_first",
        }
    }

    /// A date of this order, and what follows it, as RFC 3339 has them: `31.12.2024 3:05 PM` becomes
    /// `2024-12-31T15:05`. `None` if it is no date of this order; whether there is such a day and time is for
    /// [`parse_date`] and [`parse_timestamp`] to say.
    pub fn rfc3339(self, text: &str) -> Option<String> {
        let Written { parts: [first, second, third], clock, .. } = Written::read(text)?;
        let (year, month, day) = match self {
            Self::DayFirst => (third, second, first),
            Self::MonthFirst => (third, first, second),
            Self::YearFirst => (first, second, third),
        };
        if year.len() != 4 || month.len() > 2 || day.len() > 2 {
            return None;
        }
        let date = format!("{year}-{month:0>2}-{day:0>2}");
        match clock {
            "" => Some(date),
            clock => Some(format!("{date}T{}", of_24_hours(clock)?)),
        }
    }

    /// The orders in which a text is a date. With dots the day comes first wherever the year comes last; with
    /// `/` and `-` both are in use.
    pub fn possible(text: &str) -> impl Iterator<Item = Self> {
        let separator = Written::read(text).map(|written| written.separator);
        Self::ALL.into_iter().filter(move |order| match separator {
            None => false,
            Some('.') if *order == Self::MonthFirst => false,
            Some(_) => order.rfc3339(text).is_some_and(|text| is_instant(&text)),
        })
    }
}

fn is_instant(text: &str) -> bool {
    parse_date(text).is_some() || parse_timestamp(text).is_some()
}

/// A text that starts with three numbers.
struct Written<'a> {
    parts: [&'a str; 3],
    separator: char,
    clock: &'a str,
}

impl<'a> Written<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let text = text.trim_ascii();
        let end = text.find([' ', 'T', 't']).unwrap_or(text.len());
        let (date, rest) = text.split_at_checked(end)?;
        let separator = date.chars().find(|c| matches!(c, '.' | '/' | '-'))?;
        let mut parts = date.split(separator);
        let (first, second, third, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
            return None;
        };
        let is_number =
            |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let parts = [first, second, third];
        let clock = rest.get(1..).unwrap_or_default().trim_ascii();
        // What is cut off must not read as a date alone.
        let is_whole = rest.is_empty() || !clock.is_empty();
        (is_whole && parts.iter().all(|part| is_number(part))).then_some(Self { parts, separator, clock })
    }
}

/// `3:05 PM` as `15:05`; any other text as it is.
fn of_24_hours(clock: &str) -> Option<String> {
    let half = clock.len().checked_sub(2).and_then(|at| clock.get(at..)).unwrap_or_default();
    let later = if half.eq_ignore_ascii_case("am") {
        0
    } else if half.eq_ignore_ascii_case("pm") {
        12
    } else {
        return Some(clock.to_owned());
    };
    let clock = clock.get(..clock.len() - 2)?.trim_ascii_end();
    let (hour, rest) = clock.split_at_checked(clock.find(':')?)?;
    let hour: u32 = hour.parse().ok().filter(|hour| (1..=12).contains(hour))?;
    Some(format!("{:02}{rest}", hour % 12 + later))
}

#[cfg(test)]
mod tests {
    use DateOrder::{DayFirst, MonthFirst, YearFirst};

    use super::*;

    #[test]
    fn written_dates_become_rfc_3339() {
        for (order, text, expected) in [
            (DayFirst, "31.12.2024", "2024-12-31"),
            (DayFirst, "1/2/2024", "2024-02-01"),
            (DayFirst, "31-12-2024 23:59", "2024-12-31T23:59"),
            (MonthFirst, "12/31/2024 3:05:09 PM", "2024-12-31T15:05:09"),
            (MonthFirst, "1/2/2024 12:30 am", "2024-01-02T00:30"),
            (YearFirst, "2024/12/31T01:02:03+01:00", "2024-12-31T01:02:03+01:00"),
        ] {
            let read = order.rfc3339(text).unwrap();
            assert_eq!(read, expected);
            assert!(is_instant(&read), "{read}");
        }
        for bad in ["31.12.24", "31.12", "2024-12-31", "31.12.2024.", "a.b.2024", "", "1.2.2024 13:00 PM"] {
            assert_eq!(DayFirst.rfc3339(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_order_is_possible_where_it_makes_a_day() {
        let possible = |text| DateOrder::possible(text).collect::<Vec<_>>();
        assert_eq!(possible("31/12/2024"), [DayFirst]);
        assert_eq!(possible("12/31/2024 11:59 PM"), [MonthFirst]);
        assert_eq!(possible("03/04/2024"), [DayFirst, MonthFirst]);
        assert_eq!(possible("03.04.2024"), [DayFirst], "with dots the day comes first");
        assert_eq!(possible("2024/04/03"), [YearFirst]);
        assert_eq!(possible("2024-4-3"), [YearFirst]);
        for neither in ["31/31/2024", "1.2.3", "12.5", "10:30", "99/99/9999", "é1/12/2024"] {
            assert_eq!(possible(neither), [], "{neither}");
        }
    }
}
