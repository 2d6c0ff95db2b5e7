//! Where a run came from, as its client says in tags of its own (`mlflow.*`).

use std::collections::BTreeMap;

use crate::show::long_text::LongText;

/// The tag that describes a run, an experiment or a logged model, in Markdown.
pub(super) const NOTE: &str = "mlflow.note.content";
/// What is told by its own name, in this order.
const TOLD: &[(&str, &str)] = &[
    ("mlflow.source.name", "source"),
    ("mlflow.source.type", "kind of source"),
    ("mlflow.project.entryPoint", "entry point"),
    ("mlflow.source.git.commit", "Git commit"),
    ("mlflow.source.git.branch", "Git branch"),
    ("mlflow.source.git.repoURL", "repository"),
    ("mlflow.project.env", "environment"),
    ("mlflow.docker.image.uri", "image"),
];
/// Shown elsewhere on the page, or beside another one.
const ELSEWHERE: &[&str] =
    &[NOTE, "mlflow.parentRunId", "mlflow.runName", "mlflow.user", "mlflow.source.git.dirty"];
/// What begins so is the client's own.
const CLIENTS: &str = "mlflow.";

/// A line: what it is, and what it says.
pub(super) type Fact = (String, LongText);

/// The tags of a run, apart.
pub(super) struct Tags {
    /// Where the run came from.
    pub(super) origin: Vec<Fact>,
    /// Those of the person's own.
    pub(super) own: Vec<Fact>,
    /// What else the client keeps.
    pub(super) kept: Vec<Fact>,
}

impl Tags {
    pub(super) fn of(tags: &BTreeMap<String, String>) -> Self {
        let is_dirty =
            tags.get("mlflow.source.git.dirty").is_some_and(|said| said.eq_ignore_ascii_case("true"));
        let origin = TOLD.iter().filter_map(|(key, name)| {
            let value = tags.get(*key).filter(|value| !value.is_empty())?;
            let changed = *key == "mlflow.source.git.commit" && is_dirty;
            let value =
                if changed { format!("{value} with changes that are not in it") } else { value.clone() };
            Some(((*name).to_owned(), LongText::new(value)))
        });
        let is_told = |key: &str| TOLD.iter().any(|(told, _)| *told == key) || ELSEWHERE.contains(&key);
        let line = |(key, value): (&String, &String)| (key.clone(), LongText::new(value));
        Self {
            origin: origin.collect(),
            own: tags.iter().filter(|(key, _)| !key.starts_with(CLIENTS)).map(line).collect(),
            kept: tags
                .iter()
                .filter(|(key, _)| key.starts_with(CLIENTS) && !is_told(key))
                .map(line)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_told_apart() {
        let tags = [
            ("mlflow.source.name", "train.py"),
            ("mlflow.source.git.commit", "abc"),
            ("mlflow.source.git.dirty", "True"),
            ("mlflow.project.entryPoint", ""),
            ("mlflow.parentRunId", "0"),
            ("mlflow.log-model.history", "[]"),
            ("team", "ops"),
        ];
        let tags = Tags::of(&tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        let names = |facts: &[Fact]| facts.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&tags.origin), ["source", "Git commit"]);
        assert!(format!("{:?}", tags.origin[1].1).contains("abc with changes"));
        assert_eq!(
            (names(&tags.own), names(&tags.kept)),
            (vec!["team".into()], vec!["mlflow.log-model.history".into()])
        );
    }
}
