//! Relative links in Markdown lead somewhere: to a file or folder, and to a heading where one is named.
//! And somebody links to every page under `docs/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::tree;
use crate::violation::{CheckError, Violation};

/// Checks all Markdown files.
pub(crate) fn check(root: &Path) -> Result<Vec<Violation>, CheckError> {
    let mut documents = BTreeMap::new();
    for path in tree::files(root)?.into_iter().filter(|path| tree::extension(path) == "md") {
        let text = tree::read(root, &path)?;
        documents.insert(path, text);
    }
    Ok(violations(&documents, &|path| root.join(path).exists()))
}

/// `documents`: texts by their path from the root. `exists`: whether a path from the root is there.
fn violations(documents: &BTreeMap<String, String>, exists: &dyn Fn(&str) -> bool) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut linked = BTreeSet::new();
    for (path, text) in documents {
        for (line, target) in targets(text) {
            if let Some(fault) = fault(path, &target, documents, exists) {
                found.push(Violation::at_line(path, line, fault));
            }
            let file = target.split('#').next().unwrap_or_default();
            linked.extend(resolve(path, file).filter(|other| other != path));
        }
    }
    let lost = documents.keys().filter(|path| path.starts_with("docs/") && !linked.contains(*path));
    found.extend(lost.map(|path| Violation::at(path, "no other page links here")));
    found
}

fn fault(
    path: &str,
    target: &str,
    documents: &BTreeMap<String, String>,
    exists: &dyn Fn(&str) -> bool,
) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, heading) =
        target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    let resolved = if file.is_empty() { Some(path.to_owned()) } else { resolve(path, file) };
    let Some(resolved) = resolved.filter(|path| exists(path)) else {
        return Some(format!("the link '{target}' leads nowhere"));
    };
    let (heading, document) = (heading?, documents.get(&resolved)?);
    (!headings(document).contains(heading))
        .then(|| format!("the link '{target}' names no heading of {resolved}"))
}

/// A link's path from the root; `None` if it leaves the repository.
fn resolve(from: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The targets of `[text](target)` and of `[name]: target`, with their lines; code is passed over.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, prose) in prose(text) {
        for (at, _) in prose.match_indices("](") {
            if let Some((target, _)) = prose[at + 2..].split_once(')') {
                found.push((line, first_word(target)));
            }
        }
        if let Some((name, target)) = prose.strip_prefix('[').and_then(|rest| rest.split_once("]: "))
            && !name.contains(']')
        {
            found.push((line, first_word(target)));
        }
    }
    found
}

/// A title may follow the target.
fn first_word(target: &str) -> String {
    target.split_whitespace().next().unwrap_or_default().trim_matches(['<', '>']).to_owned()
}

/// Lines outside of fenced code, without what stands between backticks, numbered from 1.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((number, line.split('`').step_by(2).collect::<Vec<_>>().join("`")));
        }
    }
    lines
}

/// The anchors that headings get: lower case, blanks as hyphens, punctuation left out; a repeated one
/// gets a number.
fn headings(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let title = line.trim_start_matches('#');
        if fenced || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let anchor: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter(kept)
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let mut unique = anchor.clone();
        let mut repeated = 0_usize;
        while !anchors.insert(unique) {
            repeated += 1;
            unique = format!("{anchor}-{repeated}");
        }
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(documents: &[(&str, &str)]) -> Vec<String> {
        let documents = documents.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())).collect();
        let exists =
            |path: &str| BTreeMap::contains_key(&documents, path) || path == "src/c.rs" || path == "src";
        violations(&documents, &exists).iter().map(ToString::to_string).collect()
    }

    /// The faults of `docs/a.md` beside `docs/b.md` and the file `src/c.rs`.
    fn faults(text: &str) -> Vec<String> {
        let other = "# Two words, `code`\n\n```sh\n# no heading\n```\n## Again\n## Again\n";
        faults_of(&[
            ("docs/a.md", text),
            ("docs/b.md", other),
            ("README.md", "[a](docs/a.md) [b](docs/b.md)"),
        ])
    }

    #[test]
    fn links_that_lead_somewhere_hold() {
        let text = "# Top\n[b](b.md) [c](../src/c.rs \"title\") [s](../src/) [o](https://example.org/x.md)\n\
                    [t](#top) [w](b.md#two-words-code) [g](b.md#again-1)\n\n[n]: b.md\n";
        assert_eq!(faults(text), Vec::<String>::new());
    }

    #[test]
    fn links_that_lead_nowhere_are_named_with_their_line() {
        assert_eq!(faults("\n[b](c.md)\n"), ["docs/a.md:2: the link 'c.md' leads nowhere"]);
        assert_eq!(faults("[b](../../b.md)").len(), 1);
        assert_eq!(faults("[n]: c.md").len(), 1);
        assert_eq!(faults("`code` [b](c.md)").len(), 1);
    }

    #[test]
    fn headings_must_be_there() {
        assert_eq!(
            faults("[b](b.md#three)"),
            ["docs/a.md:1: the link 'b.md#three' names no heading of docs/b.md"]
        );
        assert_eq!(faults("[b](b.md#no-heading)").len(), 1);
        assert_eq!(faults("[b](#nothing)").len(), 1);
    }

    #[test]
    fn a_page_that_nobody_links_to_is_named() {
        assert_eq!(faults_of(&[("docs/a.md", "[a](a.md)")]), ["docs/a.md: no other page links here"]);
        assert_eq!(faults_of(&[("NOTES.md", "")]), Vec::<String>::new());
    }

    #[test]
    fn code_is_not_read() {
        assert_eq!(faults("```\n[b](c.md)\n```\n`[b](c.md)`\n"), Vec::<String>::new());
    }

    #[test]
    fn the_links_of_this_repository_resolve() {
        let root = tree::root().unwrap();
        assert_eq!(check(&root).unwrap(), []);
    }
}
