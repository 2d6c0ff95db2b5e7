//! `/models/{name}/compare?from=…&to=…`: what differs between two versions of a model.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::scope::ResourceKind;
use mainstay_registry::model::VersionDetail;
use mainstay_registry::name::{ModelName, VersionNumber};
use serde::Deserialize;

use super::version_facts::{Facts, Topic, facts};
use super::{Row, asked, reads};
use crate::frame::{Missing, Page, page};
use crate::show::link;
use crate::show::shell::{Section, Shell};
use crate::{State, asset};

pub(super) fn routes() -> Vec<Row> {
    let model = RouteScope::Path(ResourceKind::Model, "name");
    vec![reads("/models/{name}/compare", Action::ModelRead, model, compare).for_levels()]
}

/// A fact of both versions.
#[derive(Debug, PartialEq, Eq)]
struct Pair {
    key: String,
    from: Option<String>,
    to: Option<String>,
}

impl Pair {
    fn differs(&self) -> bool {
        self.from != self.to
    }
}

/// The facts of one topic.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    title: &'static str,
    pairs: Vec<Pair>,
}

impl Group {
    fn differing(&self) -> usize {
        self.pairs.iter().filter(|pair| pair.differs()).count()
    }
}

#[derive(Template)]
#[template(path = "version_compare.html")]
struct ComparePage {
    shell: Shell,
    name: String,
    here: String,
    numbers: Vec<u32>,
    from: u32,
    to: u32,
    /// Whether what is the same is shown too.
    all: bool,
    differing: usize,
    groups: Vec<Group>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    from: String,
    to: String,
    all: String,
}

async fn compare(
    axum::extract::State(console): State,
    caller: Caller,
    Path(name): Path<String>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Page {
    let Wanted { from, to, all } = asked(query)?;
    let name = ModelName::new(name)?;
    let numbers = console.registered.version_numbers(&caller.workspace, &name).await?;
    let find = async |named: &str, usual: usize| -> Result<VersionDetail, crate::frame::Error> {
        let missing = || Missing(format!("version {named} of model {name}"));
        let number = match named {
            "" => *numbers.get(usual).ok_or_else(missing)?,
            named => VersionNumber::parse(named)?,
        };
        let found = console.registered.version(&caller.workspace, &name, number).await?;
        let found = found.filter(|found| !found.version.is_deleted());
        Ok(found.ok_or_else(missing)?)
    };
    // The newest, and the one before it.
    let from = find(&from, numbers.len().min(2).saturating_sub(1)).await?;
    let to = find(&to, 0).await?;
    let (old, new) = (facts(&console, &caller, &from).await?, facts(&console, &caller, &to).await?);
    let groups = paired(old, new);
    let all = !all.is_empty();
    page(&ComparePage {
        shell: Shell::new(format!("{name}: what differs"), Section::Models)
            .seen_by(&caller)
            .under("Models", "/models")
            .under(name.to_string(), link::model(&name)),
        here: link::model(&name),
        numbers: numbers.iter().map(|number| number.0).collect(),
        from: from.version.number.0,
        to: to.version.number.0,
        all,
        differing: groups.iter().map(Group::differing).sum(),
        groups,
        name: name.to_string(),
    })
}

/// The facts of both side by side.
fn paired(mut old: Facts, mut new: Facts) -> Vec<Group> {
    let keys: BTreeSet<(Topic, String)> = old.keys().chain(new.keys()).cloned().collect();
    let mut groups: Vec<(Topic, Group)> = Vec::new();
    for key in keys {
        let pair = Pair { from: old.remove(&key), to: new.remove(&key), key: key.1 };
        match groups.last_mut().filter(|(topic, _)| *topic == key.0) {
            Some((_, group)) => group.pairs.push(pair),
            None => groups.push((key.0, Group { title: key.0.title(), pairs: vec![pair] })),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_side_by_side() {
        let facts = |all: &[(Topic, &str, &str)]| -> Facts {
            all.iter().map(|(topic, key, value)| ((*topic, (*key).to_owned()), (*value).to_owned())).collect()
        };
        let old =
            facts(&[(Topic::Params, "depth", "4"), (Topic::Params, "rate", "0.1"), (Topic::Tags, "a", "b")]);
        let new = facts(&[
            (Topic::Params, "depth", "6"),
            (Topic::Params, "rate", "0.1"),
            (Topic::Gates, "g", "passed"),
        ]);
        let groups = paired(old, new);
        let told: Vec<_> = groups
            .iter()
            .flat_map(|group| group.pairs.iter().map(|pair| (group.title, pair.key.as_str(), pair.differs())))
            .collect();
        assert_eq!(
            told,
            [
                ("Gates", "g", true),
                ("Parameters", "depth", true),
                ("Parameters", "rate", false),
                ("Tags", "a", true)
            ]
        );
    }
}
