//! Tables as wide as the terminal.

/// No column is made narrower than this, in characters.
const NARROWEST: usize = 8;
/// Between two columns.
const GAP: usize = 2;

/// Cuts cells, the widest columns first, until the rows fit into `width` characters. The first column, which names
/// the row, is cut last unless it takes more than half of the room; where even that does not help, rows are longer
/// than the terminal is wide.
pub(super) fn fit(rows: &mut [Vec<String>], width: usize) {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows.iter() {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let gaps = GAP * widths.len().saturating_sub(1);
    let room = width.saturating_sub(gaps);
    let named = widths.first().copied().unwrap_or_default().min(room / 2);
    narrow(widths.get_mut(1..).unwrap_or_default(), room.saturating_sub(named));
    narrow(&mut widths, room);
    for row in rows {
        for (cell, width) in row.iter_mut().zip(&widths) {
            if cell.chars().count() > *width {
                *cell = cut(cell, *width);
            }
        }
    }
}

/// Takes from the widest until they are not wider than `room` together.
fn narrow(widths: &mut [usize], room: usize) {
    loop {
        let total: usize = widths.iter().sum();
        let Some(widest) = widths.iter_mut().max_by_key(|width| **width) else { return };
        if total <= room || *widest <= NARROWEST {
            return;
        }
        *widest -= 1;
    }
}

/// The beginning of a text, with a sign that something is left out.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(rows: &[&[&str]], width: usize) -> Vec<Vec<String>> {
        let mut rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|&cell| cell.to_owned()).collect()).collect();
        fit(&mut rows, width);
        rows
    }

    #[test]
    fn what_fits_is_left_alone() {
        assert_eq!(fitted(&[&["a", "b"]], 4), [["a", "b"]]);
    }

    #[test]
    fn the_widest_column_is_cut_first_and_the_name_last() {
        let rows: &[&[&str]] = &[&["0123456789", "a very long description of it", "ok"]];
        assert_eq!(fitted(rows, 30), [["0123456789", "a very long d…", "ok"]]);
        assert_eq!(fitted(rows, 20), [["0123456…", "a very …", "ok"]]);
        // A name that is longer than any terminal is wide leaves the others their room.
        let long = "x".repeat(300);
        let fitted = fitted(&[&[&long, "2026-01-01T00:00:00Z", "team=ops"]], 60);
        assert_eq!(fitted[0][1..], ["2026-01-01T00:00:00Z", "team=ops"]);
        assert_eq!(fitted[0][0].chars().count(), 28);
    }

    #[test]
    fn what_is_too_narrow_for_anybody_is_longer() {
        let rows: &[&[&str]] = &[&["0123456789", "a very long description of it", "ok"]];
        // Too narrow for anybody: nothing is lost to no use.
        assert_eq!(fitted(rows, 3), [["0123456…", "a very …", "ok"]]);
    }
}
