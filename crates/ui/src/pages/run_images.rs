//! Images that a run logged with `mlflow.log_image(key=…, step=…)`: the client writes each twice, as it is and small,
//! under names that say what they are.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::object::Entry;

use crate::show::link::segment;

/// The folder in which clients leave them.
pub(super) const FOLDER: &str = "images";

/// What a name says: `sample~gen+step+3+timestamp+1700000000000+9f2c…+compressed.webp`. Older clients write `#` for
/// `~` and `%` for `+`.
#[derive(Debug, PartialEq, Eq)]
struct Named<'n> {
    /// As it was given to the client.
    key: String,
    step: i64,
    timestamp_ms: i64,
    /// What both files of an image share.
    stem: &'n str,
    is_small: bool,
}

fn named(name: &str) -> Option<Named<'_>> {
    ['+', '%'].into_iter().find_map(|mark| parted(name, mark))
}

fn parted(name: &str, mark: char) -> Option<Named<'_>> {
    let (whole, ending) = name.rsplit_once('.')?;
    let small = whole.strip_suffix("compressed").and_then(|stem| stem.strip_suffix(mark));
    let is_small = small.is_some();
    if ending != if is_small { "webp" } else { "png" } {
        return None;
    }
    let shared = small.unwrap_or(whole);
    let mut parts = shared.rsplitn(6, mark);
    let (_id, timestamp, second, step, first) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let key = parts.next().filter(|_| second == "timestamp" && first == "step")?;
    Some(Named {
        key: key.replace(['~', '#'], "/"),
        step: step.parse().ok()?,
        timestamp_ms: timestamp.parse().ok()?,
        stem: shared,
        is_small,
    })
}

/// One image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shot {
    pub(super) step: i64,
    /// Where the small one is, and the one as it was logged.
    pub(super) small: String,
    pub(super) full: String,
}

/// All images of a key, by step.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Strip {
    pub(super) key: String,
    pub(super) shots: Vec<Shot>,
}

/// The images among the files of the folder, by key; `raw` is the address of a file without its path.
pub(super) fn strips<'n>(names: impl Iterator<Item = &'n str>, raw: &str) -> Vec<Strip> {
    let mut files: BTreeMap<(String, i64, i64, &str), [Option<&str>; 2]> = BTreeMap::new();
    for name in names {
        let Some(said) = named(name) else { continue };
        let [full, small] = files.entry((said.key, said.step, said.timestamp_ms, said.stem)).or_default();
        *(if said.is_small { small } else { full }) = Some(name);
    }
    let address = |name: &str| format!("{raw}{}", segment(format!("{FOLDER}/{name}")));
    let mut strips: Vec<Strip> = Vec::new();
    for ((key, step, _, _), [full, small]) in files {
        let (Some(shown), Some(whole)) = (small.or(full), full.or(small)) else { continue };
        let shot = Shot { step, small: address(shown), full: address(whole) };
        match strips.last_mut().filter(|strip| strip.key == key) {
            Some(strip) => strip.shots.push(shot),
            None => strips.push(Strip { key, shots: vec![shot] }),
        }
    }
    strips
}

/// The folder's entries with each image once, and what the tree calls them. The one that is looked at stays.
pub(super) fn once(entries: Vec<Entry>, looked: Option<&str>) -> Vec<(String, Entry)> {
    let full: BTreeSet<String> = entries
        .iter()
        .filter_map(|entry| named(&entry.name).filter(|said| !said.is_small))
        .map(|said| said.stem.to_owned())
        .collect();
    let is_twin = |name: &str| named(name).is_some_and(|said| said.is_small && full.contains(said.stem));
    let kept = entries.into_iter().filter(|entry| looked == Some(&entry.name) || !is_twin(&entry.name));
    let called = |entry: Entry| match named(&entry.name) {
        Some(said) => (format!("{}, step {}", said.key, said.step), entry),
        None => (entry.name.clone(), entry),
    };
    kept.map(called).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "sample~gen+step+3+timestamp+1700000000000+0b1c-2d";
    const OLD: &str = "loss 1%step%-2%timestamp%5%9f";

    #[test]
    fn a_name_says_key_step_and_time() {
        let whole = format!("{NEW}.png");
        let said = named(&whole).unwrap();
        assert_eq!((said.key.as_str(), said.step, said.timestamp_ms), ("sample/gen", 3, 1_700_000_000_000));
        let small = format!("{OLD}%compressed.webp");
        let said = named(&small).unwrap();
        assert_eq!((said.key.as_str(), said.step, said.is_small, said.stem), ("loss 1", -2, true, OLD));
        for other in ["plot.png", "a+step+b+timestamp+1+x.png", "a+step+1+timestamp+1+x.webp", "+", ""] {
            assert_eq!(named(other), None, "{other}");
        }
    }

    #[test]
    fn an_image_is_there_once_and_in_the_order_of_steps() {
        let tenth = NEW.replace("+3+", "+10+");
        let names =
            [format!("{tenth}.png"), format!("{NEW}.png"), format!("{NEW}+compressed.webp"), "x.png".into()];
        let strips = strips(names.iter().map(String::as_str), "/raw?path=");
        assert_eq!(strips.len(), 1);
        let steps: Vec<i64> = strips[0].shots.iter().map(|shot| shot.step).collect();
        assert_eq!((strips[0].key.as_str(), steps), ("sample/gen", vec![3, 10]));
        let first = &strips[0].shots[0];
        assert!(first.small.ends_with("compressed.webp") && first.full.ends_with("0b1c-2d.png"), "{first:?}");
        assert_eq!(strips[0].shots[1].small, strips[0].shots[1].full, "where there is no small one");
    }

    #[test]
    fn the_tree_names_an_image_once() {
        let entry = |name: String| Entry { name, size: Some(1) };
        let all = || {
            vec![entry(format!("{NEW}+compressed.webp")), entry(format!("{NEW}.png")), entry("x.png".into())]
        };
        let called: Vec<String> = once(all(), None).into_iter().map(|(called, _)| called).collect();
        assert_eq!(called, ["sample/gen, step 3", "x.png"]);
        assert_eq!(once(all(), Some(&format!("{NEW}+compressed.webp"))).len(), 3, "it is looked at");
    }
}
