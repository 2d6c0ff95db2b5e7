//! What a document may ask for, counted before anything is looked up, as a stock server does
//! (`mlflow/server/graphql/graphql_no_batching.py`): fragments count where they are spread, once in each set
//! of selections.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::document::{Document, Field, Fragment, Selection};

/// Deepest selection; the fields of an operation are at depth 1.
const MAX_DEPTH: usize = 10;
/// Most fields of all operations.
const MAX_SELECTIONS: usize = 1_000;
/// Most selections that are looked at to find those fields: a fragment that is spread again adds no field, but takes
/// a look.
const MAX_LOOKS: usize = 20_000;
/// Most fields of the operations themselves.
pub(super) const MAX_ROOT_FIELDS: usize = 10;
/// Most aliases in one set of selections.
const MAX_ALIASES: usize = 10;

/// Says why a document asks for too much.
pub(super) fn check(document: &Document) -> Result<(), String> {
    let (mut root_fields, mut most_aliases, mut selections) = (0, 0, 0);
    let mut looks = MAX_LOOKS;
    let mut sets: Vec<(&[Selection], usize)> = Vec::new();
    for operation in &document.operations {
        sets.push((&operation.selections, 1));
        while let Some((set, depth)) = sets.pop() {
            if depth > MAX_DEPTH {
                return Err(format!("Query exceeds maximum depth of {MAX_DEPTH}"));
            }
            let found = fields(set, &document.fragments, &mut looks);
            selections += found.as_ref().map_or(0, Vec::len);
            let Some(fields) = found.filter(|_| selections <= MAX_SELECTIONS) else {
                return Err(format!("Query exceeds maximum total selections of {MAX_SELECTIONS}"));
            };
            if depth == 1 {
                root_fields += fields.len();
            }
            most_aliases = most_aliases.max(fields.iter().filter(|field| field.alias.is_some()).count());
            let nested = fields.into_iter().filter(|field| !field.selections.is_empty());
            sets.extend(nested.map(|field| (field.selections.as_slice(), depth + 1)));
        }
    }
    let within = |what: &str, got: usize, most: usize, variable: &str| {
        if got <= most {
            return Ok(());
        }
        Err(format!(
            "GraphQL queries should have at most {most} {what}, got {got} {what}. To increase the limit, set \
             the {variable} environment variable."
        ))
    };
    within("root fields", root_fields, MAX_ROOT_FIELDS, "MLFLOW_SERVER_GRAPHQL_MAX_ROOT_FIELDS")?;
    within("aliases", most_aliases, MAX_ALIASES, "MLFLOW_SERVER_GRAPHQL_MAX_ALIASES")
}

/// The fields of a set, those of its fragments included; `None` if it takes more looks than are left.
fn fields<'a>(
    set: &'a [Selection],
    fragments: &'a BTreeMap<String, Fragment>,
    looks: &mut usize,
) -> Option<Vec<&'a Field>> {
    let (mut fields, mut spread) = (Vec::new(), BTreeSet::new());
    let mut waiting: VecDeque<&[Selection]> = [set].into();
    while let Some(selections) = waiting.pop_front() {
        *looks = looks.checked_sub(selections.len())?;
        for selection in selections {
            match selection {
                Selection::Field(field) => fields.push(field),
                Selection::Inline { selections, .. } => waiting.push_back(selections),
                Selection::Spread { fragment, .. } => {
                    if let Some(found) = fragments.get(fragment)
                        && spread.insert(fragment)
                    {
                        waiting.push_back(&found.selections);
                    }
                }
            }
        }
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::super::parser::parse;
    use super::*;

    fn refused(text: &str) -> Option<String> {
        check(&parse(text).unwrap()).err()
    }

    fn repeated(n: usize, one: impl Fn(usize) -> String) -> String {
        (0..n).map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn limits_are_those_of_a_stock_server() {
        let roots = |n| format!("{{{}}}", repeated(n, |n| format!("f{n}")));
        assert_eq!(refused(&roots(10)), None);
        let text = "GraphQL queries should have at most 10 root fields, got 12 root fields. To increase the \
            limit, set the MLFLOW_SERVER_GRAPHQL_MAX_ROOT_FIELDS environment variable.";
        assert_eq!(refused(&roots(12)).as_deref(), Some(text));
        // Root fields with aliases break both limits; the first is told.
        let aliased = repeated(12, |n| format!("k{n}: f"));
        assert_eq!(refused(&format!("{{{aliased}}}")).as_deref(), Some(text));
        let inside = refused(&format!("{{a {{{aliased}}}}}")).unwrap();
        assert!(inside.contains("at most 10 aliases, got 12 aliases"), "{inside}");

        let deep = |n| format!("{}{}", "{a".repeat(n), "}".repeat(n));
        assert_eq!(refused(&deep(10)), None);
        assert_eq!(refused(&deep(11)).as_deref(), Some("Query exceeds maximum depth of 10"));
        let many = |n| format!("{{a {{{}}}}}", repeated(n, |n| format!("f{n}")));
        assert_eq!(refused(&many(999)), None);
        assert_eq!(refused(&many(1_000)).as_deref(), Some("Query exceeds maximum total selections of 1000"));
    }

    #[test]
    fn fragments_count_where_they_are_spread() {
        let fragment = format!("fragment F on Q {{{} ... {{ b }}}}", repeated(10, |n| format!("f{n}")));
        assert!(refused(&format!("{{ ...F }} {fragment}")).unwrap().contains("got 11 root fields"));
        // Once in each set, however often it is named there.
        assert_eq!(
            refused("{ ...F ...F ...G } fragment F on Q { a b c d e f } fragment G on Q { ...F }"),
            None
        );
        assert_eq!(refused("{ ...F } fragment F on Q { a ...F }"), None);
        let endless = refused("{ ...F } fragment F on Q { a { ...F } }");
        assert_eq!(endless.as_deref(), Some("Query exceeds maximum depth of 10"));
        let doubling =
            refused("{ ...F } fragment F on Q { a { ...F } b { ...F } c { ...F } d { ...F } }").unwrap();
        assert!(doubling.starts_with("Query exceeds maximum"), "{doubling}");
        // A set that spreads much without a field of its own costs as if it had them.
        let spreads =
            |n| format!("{{ a {{ ...F }} b {{ ...F }} }} fragment F on Q {{ c {}}}", "...F ".repeat(n));
        assert_eq!(refused(&spreads(9_000)), None);
        assert!(refused(&spreads(10_000)).unwrap().starts_with("Query exceeds maximum total selections"));
    }
}
