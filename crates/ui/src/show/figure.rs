//! Numbers: never more digits than a person compares, thousands apart.

/// A measured number with four significant digits: `0.7379`, `12.5`, `1.2e-7`, `336,776`.
pub(crate) fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let size = value.abs();
    let text = match size {
        0.0 => "0".to_owned(),
        _ if !(1e-4..1e12).contains(&size) => format!("{value:.2e}"),
        _ if size >= 1_000.0 => return grouped(&format!("{value:.0}")),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ if size >= 100.0 => trimmed(format!("{value:.1}")),
        _ if size >= 10.0 => trimmed(format!("{value:.2}")),
        _ if size >= 1.0 => trimmed(format!("{value:.3}")),
        _ => trimmed(format!("{value:.4}")),
    };
    text.replace('-', "−").replace("e−", "e-")
}

/// A number that somebody logged: a whole one as it is, another to six significant digits, and to more where it would
/// pass for a whole one. The island writes it the same way (`assets/figure.js`).
pub(crate) fn logged(value: f64) -> String {
    significant(value, 6)
}

fn significant(value: f64, digits: usize) -> String {
    const NO_NOISE: usize = 12;
    if !value.is_finite() || value == 0.0 {
        return number(value);
    }
    let size = value.abs();
    let whole = value.fract() == 0.0;
    if size >= 1e15 || (!whole && size < 1e-4) {
        return scientific(&rounded(value, digits).1);
    }
    if whole {
        return grouped(&format!("{value:.0}"));
    }
    let digits =
        (digits..=NO_NOISE).find(|digits| rounded(value, *digits).0.fract() != 0.0).unwrap_or(digits);
    let text = rounded(value, digits).0.to_string();
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{}.{fraction}", grouped(whole)),
        None => grouped(&text),
    }
}

/// To so many significant digits: the number, and as it is written with an exponent.
fn rounded(value: f64, digits: usize) -> (f64, String) {
    let text = format!("{value:.*e}", digits.saturating_sub(1));
    (text.parse().unwrap_or(value), text)
}

fn scientific(text: &str) -> String {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    format!("{}e{power}", trimmed(mantissa.to_owned()).replace('-', "−"))
}

/// All digits that tell a number from every other: what stands on hover.
pub(crate) fn exact(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "−Infinity" }.to_owned()
    } else if (1e-6..1e21).contains(&size) {
        value.to_string().replacen('-', "−", 1)
    } else {
        scientific(&format!("{value:e}"))
    }
}

/// What stands at ticks that are `step` apart: as many digits as tell them apart. The island writes them the same way
/// (`assets/run-axis.js`).
pub(crate) fn ticks(values: &[f64], step: f64) -> Vec<String> {
    let greatest = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    if greatest == 0.0 || step.is_nan() || step <= 0.0 {
        return values.iter().map(|value| logged(*value)).collect();
    }
    // Of the step without what computing it left behind.
    let (power, last) = (power_of(greatest), power_of(rounded(step, 3).0));
    let digits = |power: i32| usize::try_from(power - last).unwrap_or(0).min(20);
    let units = [(15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k")];
    let unit = units.into_iter().find(|(size, _)| power >= (*size).max(4));
    let text = |value: f64| match unit {
        _ if !(-3..18).contains(&power) => format!("{:.*}e{power}", digits(power), value / ten(power)),
        Some((size, letter)) if last > 0 && size - last <= 3 => {
            format!("{:.*}{letter}", digits(size), value / ten(size))
        }
        _ => {
            let text = format!("{value:.*}", digits(0));
            match text.split_once('.') {
                _ if power < 4 => text,
                Some((whole, fraction)) => format!("{}.{fraction}", grouped(whole)),
                None => grouped(&text),
            }
        }
    };
    let at = |value: &f64| if value.abs() < step / 1e6 { "0".to_owned() } else { minus(&text(*value)) };
    values.iter().map(at).collect()
}

fn minus(text: &str) -> String {
    text.strip_prefix('-').map_or_else(|| text.to_owned(), |rest| format!("−{rest}"))
}

/// The power of ten of a number's first digit.
fn power_of(value: f64) -> i32 {
    let text = format!("{value:e}");
    text.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0)
}

fn ten(power: i32) -> f64 {
    format!("1e{power}").parse().unwrap_or(1.0)
}

/// Without the zeros at the end of a fraction.
fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A count: `336,776`.
pub(crate) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

fn grouped(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("−", digits));
    let mut out = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `5.3 MB`, in powers of ten.
pub(crate) fn bytes(value: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut size = value as f64;
    let mut unit = 0;
    while size >= 1_000.0 && unit + 1 < units.len() {
        size /= 1_000.0;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or("B");
    if unit == 0 || size >= 100.0 { format!("{size:.0} {name}") } else { format!("{size:.1} {name}") }
}

/// US dollars: two digits of cents, more where that would say nothing.
pub(crate) fn money(dollars: f64) -> String {
    if dollars >= 1.0 { format!("${dollars:.2}") } else { format!("${}", significant(dollars, 4)) }
}

/// `1 run`, `2 runs`.
pub(crate) fn counted(value: usize, one: &str, many: &str) -> String {
    let number = grouped(&value.to_string());
    if value == 1 { format!("{number} {one}") } else { format!("{number} {many}") }
}

/// The start and end of an id or digest: enough to tell two apart by eye. `9f2c4b…05e1`
pub(crate) fn short(text: &str) -> String {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let all: Vec<char> = digits.chars().collect();
    if all.len() <= 14 {
        return digits.to_owned();
    }
    let head: String = all.iter().take(6).collect();
    let tail: String = all.iter().skip(all.len() - 4).collect();
    format!("{head}…{tail}")
}

/// A name of the record as words: `better_than_trivial` → `better than trivial`.
pub(crate) fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_significant_digits() {
        for (value, text) in [
            (0.737_936_8, "0.7379"),
            (-0.132_628, "−0.1326"),
            (0.5, "0.5"),
            (12.345_6, "12.35"),
            (123.45, "123.5"),
            (336_776.0, "336,776"),
            (-1_234_567.8, "−1,234,568"),
            (3.0, "3"),
            (0.0, "0"),
            (0.000_012, "1.20e-5"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "−∞"),
        ] {
            assert_eq!(number(value), text, "{value}");
        }
    }

    #[test]
    fn what_was_logged_is_told_from_its_neighbours() {
        for (value, text, all) in [
            (0.999_976, "0.999976", "0.999976"),
            (1.0 / 3.0, "0.333333", "0.3333333333333333"),
            (99.999_99, "99.99999", "99.99999"),
            (123_456.7, "123,456.7", "123456.7"),
            (123_456_789_012.0, "123,456,789,012", "123456789012"),
            (7_241_732_096.0, "7,241,732,096", "7241732096"),
            (-0.000_123_456, "−0.000123456", "−0.000123456"),
            (-1e-7, "−1e-7", "−1e-7"),
            (1.2345e301, "1.2345e301", "1.2345e301"),
            (0.1 + 0.2, "0.3", "0.30000000000000004"),
            (-0.0, "0", "0"),
            (f64::NEG_INFINITY, "−∞", "−Infinity"),
        ] {
            assert_eq!((logged(value).as_str(), exact(value).as_str()), (text, all));
        }
    }

    #[test]
    fn ticks_differ_where_their_values_do() {
        for (from, step, texts) in [
            (0.9999, 2e-5, ["0.99990", "0.99992", "0.99994"]),
            (-1_000_010.0, 5.0, ["−1,000,010", "−1,000,005", "−1,000,000"]),
            (3e-7, 5e-9, ["3.00e-7", "3.05e-7", "3.10e-7"]),
            (1.5e12, 5e9, ["1.500T", "1.505T", "1.510T"]),
            (0.0, 5e3, ["0", "5k", "10k"]),
            (20_000.0, 1.0, ["20,000", "20,001", "20,002"]),
            (-0.2, 0.2, ["−0.2", "0", "0.2"]),
            (1e301, 2e300, ["1.0e301", "1.2e301", "1.4e301"]),
            (3_124.0, 2.0, ["3124", "3126", "3128"]),
        ] {
            assert_eq!(ticks(&[from, from + step, from + 2.0 * step], step), texts);
        }
    }

    #[test]
    fn sizes_counts_and_digests() {
        assert_eq!([bytes(999), bytes(5_288_649), bytes(266_811)], ["999 B", "5.3 MB", "267 kB"]);
        assert_eq!([count(1_000), count(12), count(1_234_567)], ["1,000", "12", "1,234,567"]);
        assert_eq!([counted(1, "run", "runs"), counted(2, "run", "runs")], ["1 run", "2 runs"]);
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        assert_eq!(short(&digest), "012345…cdef");
        assert_eq!(short("short"), "short");
    }
}
