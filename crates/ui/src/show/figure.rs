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
    if dollars >= 1.0 { format!("${dollars:.2}") } else { format!("${}", number(dollars)) }
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
    fn sizes_counts_and_digests() {
        assert_eq!([bytes(999), bytes(5_288_649), bytes(266_811)], ["999 B", "5.3 MB", "267 kB"]);
        assert_eq!([count(1_000), count(12), count(1_234_567)], ["1,000", "12", "1,234,567"]);
        assert_eq!([counted(1, "run", "runs"), counted(2, "run", "runs")], ["1 run", "2 runs"]);
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        assert_eq!(short(&digest), "012345…cdef");
        assert_eq!(short("short"), "short");
    }
}
