//! Spans one below the other, each with a bar from its start to its end.

use serde_json::Value;

use crate::render::{cut, span as length, visible};

/// One span, of the columns of the API.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span<'a> {
    /// Where it stands in the columns.
    pub(super) place: usize,
    pub(super) id: &'a str,
    /// The place of its parent; negative for a root, or a parent that has not come.
    parent: i64,
    /// Nanoseconds after the start of the trace.
    start: u64,
    /// Nanoseconds; none while it goes on.
    duration: Option<u64>,
    pub(super) name: &'a str,
    pub(super) kind: &'a str,
    status: &'a str,
}

/// The spans, in the order of the columns.
pub(super) fn spans(columns: &Value) -> impl Iterator<Item = Span<'_>> {
    let text = |column: &str, place: usize| {
        let column = &columns[column];
        let code = column["codes"][place].as_u64().and_then(|code| usize::try_from(code).ok());
        code.and_then(|code| column["values"][code].as_str()).unwrap_or_default()
    };
    let ids = columns["id"].as_array().into_iter().flatten().enumerate();
    ids.map(move |(place, id)| Span {
        place,
        id: id.as_str().unwrap_or_default(),
        parent: columns["parent"][place].as_i64().unwrap_or(-1),
        start: columns["start"][place].as_u64().unwrap_or_default(),
        duration: columns["duration"][place].as_u64(),
        name: text("name", place),
        kind: text("type", place),
        status: text("status", place),
    })
}

/// Most lines; what is beyond is counted.
const LINES: usize = 1_000;
/// Deepest level that is still moved to the right.
const DEEPEST: usize = 20;
/// The widths of the name and of the bar are what is left of a line after these.
const FIGURES: usize = 44;

/// A line for each span, below its parent, in the order in which they began.
pub(super) fn lines(list: &Value, tokens: &Value, width: usize) -> Vec<String> {
    let all: Vec<Span<'_>> = spans(&list["columns"]).collect();
    let end = all.iter().map(|one| one.start.saturating_add(one.duration.unwrap_or_default())).max();
    let end = end.unwrap_or_default().max(1);
    let room = width.saturating_sub(FIGURES).max(30);
    let (bar, name) = (room / 2, room - room / 2);
    let ordered = ordered(&all);
    let mut lines: Vec<String> = ordered
        .iter()
        .take(LINES)
        .map(|(one, depth)| {
            let title = format!("{}{}", "  ".repeat((*depth).min(DEEPEST)), visible(one.name));
            let title = cut(&title, name);
            let took = one.duration.map_or_else(|| "goes on".to_owned(), |nanos| length(nanos as f64 / 1e6));
            let drawn = drawn(one.start, one.duration, end, bar);
            let mut line =
                format!("  {title:name$}  {:10}  {took:>8}  {drawn:bar$}", cut(&visible(one.kind), 10));
            if let Some(count) = tokens[one.place.to_string()].as_str() {
                line.push_str("  ");
                line.push_str(count);
            }
            if one.status == "ERROR" {
                line.push_str("  ERROR");
            }
            line.trim_end().to_owned()
        })
        .collect();
    if ordered.len() > LINES {
        lines.push(format!("  … and {} more; --json has them all", ordered.len() - LINES));
    }
    lines
}

/// Parents before their children, siblings by their start, each with its depth.
fn ordered<'a>(all: &[Span<'a>]) -> Vec<(Span<'a>, usize)> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); all.len()];
    let mut roots = Vec::new();
    for (place, one) in all.iter().enumerate() {
        match usize::try_from(one.parent).ok().filter(|parent| *parent != place) {
            Some(parent) if parent < all.len() => children[parent].push(place),
            _ => roots.push(place),
        }
    }
    let latest_first =
        |places: &mut Vec<usize>| places.sort_by_key(|at| std::cmp::Reverse((all[*at].start, *at)));
    latest_first(&mut roots);
    children.iter_mut().for_each(latest_first);
    let mut stack: Vec<(usize, usize)> = roots.into_iter().map(|at| (at, 0)).collect();
    let mut ordered = Vec::with_capacity(all.len());
    // What stands in a circle of parents is never reached from a root.
    while let Some((at, depth)) = stack.pop() {
        ordered.push((all[at], depth));
        stack.extend(children[at].iter().map(|child| (*child, depth + 1)));
    }
    ordered
}

/// A bar from the start to the end of a span, of a trace that lasts until `end`; each span has at least one mark.
fn drawn(start: u64, duration: Option<u64>, end: u64, width: usize) -> String {
    let cells = u128::try_from(width).unwrap_or(1);
    let at =
        |nanos: u64| usize::try_from(u128::from(nanos) * cells / u128::from(end)).unwrap_or(width).min(width);
    let from = at(start).min(width.saturating_sub(1));
    let until = at(start.saturating_add(duration.unwrap_or(end))).max(from + 1);
    format!("{}{}", " ".repeat(from), "█".repeat(until - from))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn children_stand_below_their_parents_in_the_order_of_their_start() {
        let list = json!({ "columns": {
            "id": ["a", "b", "c", "d"], "parent": [-1, 0, 0, 2], "start": [0, 600_000_000_u64, 0, 100_000_000_u64],
            "duration": [1_000_000_000_u64, 400_000_000_u64, 500_000_000_u64, null],
            "name": { "values": ["agent", "answer", "plan"], "codes": [0, 1, 2, 1] },
            "type": { "values": ["AGENT", "LLM"], "codes": [0, 1, -1, 1] },
            "status": { "values": ["UNSET", "OK", "ERROR"], "codes": [1, 2, 1, 0] },
        }});
        let tokens = json!({ "1": "12 in, 3 out" });
        let lines = lines(&list, &tokens, 64);
        assert_eq!(
            lines,
            [
                "  agent            AGENT            1 s  ███████████████",
                "    plan                         500 ms  ███████",
                "      answer       LLM          goes on   ██████████████",
                "    answer         LLM           400 ms           ██████  12 in, 3 out  ERROR",
            ]
        );
    }

    #[test]
    fn a_circle_of_parents_and_an_empty_trace_do_no_harm() {
        let circle =
            json!({ "columns": { "id": ["a", "b"], "parent": [1, 0], "start": [0, 0], "duration": [1, 1] } });
        assert!(lines(&circle, &Value::Null, 80).is_empty());
        assert!(lines(&Value::Null, &Value::Null, 80).is_empty());
        assert_eq!(drawn(5, Some(0), 10, 10), "     █");
        assert_eq!(drawn(10, Some(0), 10, 10), "         █");
    }
}
