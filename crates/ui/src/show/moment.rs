//! Instants and spans: relative on lists, exact on hover.

use askama::Template;
use mainstay_core::time::{DAY, DataTime, HOUR, MachineTime, SECOND, civil};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// An instant as a `time` element.
#[derive(Debug, Clone, Template)]
#[template(
    source = r#"<time datetime="{{ exact }}" title="{{ exact }}{% if data %} · the clock of the data{% endif %}">{{ shown }}</time>"#,
    ext = "html"
)]
pub(crate) struct Moment {
    exact: String,
    shown: String,
    data: bool,
}

// Rendered by its own template, which escapes.
impl askama::filters::HtmlSafe for Moment {}

impl Moment {
    /// How long ago, or the day.
    pub(crate) fn ago(at: MachineTime, now: MachineTime) -> Self {
        let past = now.since(at);
        let shown = match past {
            _ if past < 10 * SECOND => "just now".to_owned(),
            _ if past < 60 * SECOND => format!("{} s ago", past / SECOND),
            _ if past < HOUR => format!("{} min ago", past / (60 * SECOND)),
            _ if past < DAY => format!("{} h ago", past / HOUR),
            _ => date(at.day(), Some(now.day())),
        };
        Self { exact: at.to_string(), shown, data: false }
    }

    /// How long from now.
    pub(crate) fn ahead(at: MachineTime, now: MachineTime) -> Self {
        let left = at.since(now);
        let shown = if left <= 0 { "now".to_owned() } else { format!("in {}", span(left)) };
        Self { exact: at.to_string(), shown, data: false }
    }

    /// From a client's milliseconds.
    pub(crate) fn of_millis(millis: i64, now: MachineTime) -> Self {
        Self::ago(MachineTime::from_micros(millis.saturating_mul(1_000)), now)
    }

    /// An instant of the data, to the minute.
    pub(crate) fn of_data(at: DataTime) -> Self {
        Self { exact: at.to_string(), shown: data_minute(at), data: true }
    }
}

/// `2013-07-12 14:00`
pub(crate) fn data_minute(at: DataTime) -> String {
    at.to_string().get(..16).unwrap_or_default().replace('T', " ")
}

/// `Jul 12`, with its year where that is not the year of `today`.
fn date(day: i64, today: Option<i64>) -> String {
    let (year, month, of_month) = civil(day);
    let name = MONTHS.get(usize::try_from(month).unwrap_or(1).saturating_sub(1)).copied().unwrap_or("");
    if today.is_some_and(|today| civil(today).0 == year) {
        format!("{name} {of_month}")
    } else {
        format!("{name} {of_month}, {year}")
    }
}

/// `Jul 12`, for axes.
pub(crate) fn day_label(day: i64) -> String {
    date(day, Some(day))
}

/// A span in its two largest units: `2 m 14 s`.
pub(crate) fn span(micros: i64) -> String {
    let units = [(DAY, "d"), (HOUR, "h"), (60 * SECOND, "min"), (SECOND, "s")];
    let micros = micros.max(0);
    if micros < SECOND {
        return format!("{} ms", micros / 1_000);
    }
    if micros < 10 * SECOND {
        return format!("{}.{} s", micros / SECOND, micros % SECOND / 100_000);
    }
    let mut rest = micros;
    let mut parts = Vec::new();
    for (length, unit) in units {
        if rest >= length {
            parts.push(format!("{} {unit}", rest / length));
            rest %= length;
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (micros, text) in [
            (12_000, "12 ms"),
            (1_500_000, "1.5 s"),
            (134 * SECOND, "2 min 14 s"),
            (2 * HOUR, "2 h"),
            (DAY + 3 * HOUR + 5 * SECOND, "1 d 3 h"),
            (DAY + 5 * SECOND, "1 d"),
            (-5, "0 ms"),
        ] {
            assert_eq!(span(micros), text);
        }
    }

    #[test]
    fn an_instant_is_relative_and_exact_on_hover() {
        let at = MachineTime::from_micros(1_357_017_300 * SECOND);
        let ago = Moment::ago(at, at.plus(5 * 60 * SECOND)).render().unwrap();
        assert_eq!(
            ago,
            r#"<time datetime="2013-01-01T05:15:00Z" title="2013-01-01T05:15:00Z">5 min ago</time>"#
        );
        assert!(Moment::ago(at, at.plus(40 * DAY)).render().unwrap().ends_with(">Jan 1</time>"));
        assert!(Moment::ago(at, at.plus(400 * DAY)).render().unwrap().ends_with(">Jan 1, 2013</time>"));
    }
}
