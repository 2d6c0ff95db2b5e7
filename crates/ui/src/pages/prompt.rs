//! `/prompts`, `/prompts/{name}?version=…` and `/prompts/{name}/compare?from=…&to=…`: prompts, their versions, and what
//! differs between two of them. In the registry they are models whose tags say so; they are hidden from `/models`.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_registry::model::{ModelDetail, ModelSummary, VersionDetail, model_subject};
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_registry::prompt::{PROMPT_TYPE, is_prompt};
use serde::Deserialize;

use super::model_card::own_tags;
use super::prompt_text::{Body, Message, Part, body_of, plain, variables};
use super::{Row, asked, reads};
use crate::frame::{Error, Missing, Page, page};
use crate::show::diff::{DiffLine, Piece, lines};
use crate::show::figure::{counted, words};
use crate::show::link;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::{Console, State, asset};

/// Prompts on a page.
const PROMPTS: usize = 100;
/// Most versions on a page, the newest.
const VERSIONS: usize = 200;

pub(super) fn routes() -> Vec<Row> {
    let prompt = || RouteScope::Path(ResourceKind::Model, "name");
    vec![
        reads("/prompts", Action::ModelRead, RouteScope::Workspace, list).for_levels(),
        reads("/prompts/{name}", Action::ModelRead, prompt(), show).for_levels(),
        reads("/prompts/{name}/compare", Action::ModelRead, prompt(), compare).for_levels(),
    ]
}

struct ListRow {
    href: String,
    name: String,
    versions: String,
    newest: Option<String>,
    aliases: Vec<(String, u32)>,
    description: String,
    tags: Vec<(String, String)>,
    updated: Moment,
}

#[derive(Template)]
#[template(path = "prompts.html")]
struct PromptsPage {
    shell: Shell,
    search: String,
    rows: Vec<ListRow>,
    total: String,
    next: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    search: String,
    page: usize,
}

async fn list(
    axum::extract::State(console): State,
    caller: Caller,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Page {
    let Wanted { search, page: at } = asked(query)?;
    let readable = caller.readable();
    let mut prompts = console.registered.model_names(&caller.workspace).await?;
    let looked = search.trim().to_lowercase();
    prompts.retain(|one| {
        one.is_prompt && readable.has(&one.name) && one.name.as_str().to_lowercase().contains(&looked)
    });
    let (total, now) = (prompts.len(), console.now());
    let shown = prompts.into_iter().skip(at.saturating_mul(PROMPTS)).take(PROMPTS);
    let shown: Vec<ModelName> = shown.map(|one| one.name).collect();
    let mut rows = Vec::new();
    for ModelSummary { detail, versions, newest } in
        console.registered.summaries(&caller.workspace, &shown).await?
    {
        let name = &detail.model.name;
        let newest = match newest {
            Some(newest) => console.registered.version(&caller.workspace, name, newest).await?,
            None => None,
        };
        rows.push(ListRow {
            href: link::prompt(name),
            versions: counted(versions, "version", "versions"),
            newest: newest.map(|newest| plain(&body_of(&newest.tags), 160)),
            aliases: detail.aliases.iter().map(|(alias, to)| (alias.to_string(), to.0)).collect(),
            tags: own_tags(&detail.tags),
            updated: Moment::ago(detail.model.updated, now),
            description: detail.model.description,
            name: detail.model.name.to_string(),
        });
    }
    let next = (at.saturating_add(1).saturating_mul(PROMPTS) < total)
        .then(|| format!("/prompts?search={}&page={}", link::segment(&search), at + 1));
    page(&PromptsPage {
        shell: Shell::new("Prompts", Section::Prompts).seen_by(&caller),
        rows,
        total: counted(total, "prompt", "prompts"),
        next,
        search,
    })
}

struct VersionRow {
    number: u32,
    href: String,
    is_here: bool,
    /// Whether it is the one that the present one is compared with first.
    is_before: bool,
    aliases: Vec<String>,
    message: String,
    creator: String,
    created: Moment,
}

#[derive(Template)]
#[template(path = "prompt.html")]
struct PromptPage {
    shell: Shell,
    name: String,
    here: String,
    description: String,
    tags: Vec<(String, String)>,
    aliases: Vec<(String, u32)>,
    versions: Vec<VersionRow>,
    left_out: usize,
    /// The version that is shown, if there is one.
    number: Option<u32>,
    body: Option<Body>,
    variables: Vec<String>,
    /// What it says beside its text, with titles.
    settings: Vec<(String, String)>,
    version_tags: Vec<(String, String)>,
    /// The version before, with which it is compared first.
    before: Option<u32>,
    traces: String,
    audit: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Which {
    version: String,
}

/// The prompt of a name, and the numbers of its versions, the newest first.
async fn found(
    console: &Console,
    workspace: &Name,
    name: &str,
) -> Result<(ModelDetail, Vec<VersionNumber>), Error> {
    let name = ModelName::new(name)?;
    let detail = console.registered.model(workspace, &name).await?.filter(|one| is_prompt(&one.tags));
    let detail = detail.ok_or_else(|| Missing(format!("prompt {name}")))?;
    let numbers = console.registered.version_numbers(workspace, &name).await?;
    Ok((detail, numbers))
}

/// The version that a query names: by number or alias, the `usual` one of the newest if it names none.
async fn chosen(
    console: &Console,
    workspace: &Name,
    (detail, numbers): &(ModelDetail, Vec<VersionNumber>),
    (named, usual): (&str, usize),
) -> Result<Option<VersionDetail>, Error> {
    let name = &detail.model.name;
    let by_alias = detail.aliases.iter().find(|(alias, _)| alias.as_str() == named);
    let number = match by_alias {
        Some((_, number)) => *number,
        None if named.is_empty() => match numbers.get(usual) {
            Some(number) => *number,
            None => return Ok(None),
        },
        None => VersionNumber::parse(named)?,
    };
    let found = console.registered.version(workspace, name, number).await?;
    let found = found.filter(|found| !found.version.is_deleted());
    Ok(Some(found.ok_or_else(|| Missing(format!("version {named} of prompt {name}")))?))
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path(name): Path<String>,
    query: Result<Query<Which>, QueryRejection>,
) -> Page {
    let Which { version } = asked(query)?;
    let workspace = &caller.workspace;
    let found = found(&console, workspace, &name).await?;
    let shown = chosen(&console, workspace, &found, (&version, 0)).await?;
    let shown = shown.as_ref();
    let (detail, numbers) = &found;
    let name = &detail.model.name;
    let listed = numbers.get(..VERSIONS).unwrap_or(numbers);
    let versions = console.versions_of(workspace, name, listed).await?;
    let number = shown.map(|one| one.version.number);
    let body = shown.map(|one| body_of(&one.tags));
    let before = number.and_then(|number| numbers.iter().find(|one| **one < number)).copied();
    let row = |one: &VersionDetail| VersionRow {
        number: one.version.number.0,
        href: format!("{}?version={}", link::prompt(name), one.version.number),
        is_here: Some(one.version.number) == number,
        is_before: Some(one.version.number) == before,
        aliases: one.aliases.iter().map(ToString::to_string).collect(),
        message: one.version.description.clone(),
        creator: one.version.creator.as_ref().map_or_else(String::new, ToString::to_string),
        created: Moment::ago(one.version.created, console.now()),
    };
    page(&PromptPage {
        shell: Shell::new(name.to_string(), Section::Prompts).seen_by(&caller).under("Prompts", "/prompts"),
        here: link::prompt(name),
        audit: link::audit_of(model_subject(name)),
        tags: own_tags(&detail.tags),
        aliases: detail.aliases.iter().map(|(alias, to)| (alias.to_string(), to.0)).collect(),
        left_out: numbers.len().saturating_sub(VERSIONS),
        versions: versions.iter().map(row).collect(),
        variables: body.as_ref().map(variables).unwrap_or_default(),
        settings: shown.map(|one| settings(&one.tags).into_iter().collect()).unwrap_or_default(),
        version_tags: shown.map(|one| own_tags(&one.tags)).unwrap_or_default(),
        before: before.map(|number| number.0),
        traces: number.map_or_else(
            || "/traces".to_owned(),
            |number| link::traces_with(None, "prompt", format!("{name}/{number}")),
        ),
        number: number.map(|number| number.0),
        body,
        description: detail.model.description.clone(),
        name: name.to_string(),
    })
}

/// What the tags of a version begin with in which clients keep what belongs to it beside its text: the settings of the
/// model that it is meant for, the form of the answer, and whatever else they come to keep (`mlflow.prompt.constants`).
const SETTING: &str = "_mlflow_prompt_";

/// What a version says beside its text, by title. JSON is indented.
fn settings(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let title = |name: &str| match name {
        "model_config" => "Model settings".to_owned(),
        "response_format" => "Response format".to_owned(),
        other => words(other),
    };
    let of_it = tags.iter().filter(|(key, _)| *key != PROMPT_TYPE);
    let named = of_it.filter_map(|(key, value)| Some((title(key.strip_prefix(SETTING)?), indented(value))));
    named.collect()
}

/// JSON as it reads well; what is none stays as it is.
fn indented(json: &str) -> String {
    let read = serde_json::from_str::<serde_json::Value>(json);
    read.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| json.to_owned())
}

/// A part of the comparison: the text, or one of the messages.
struct Compared {
    title: String,
    lines: Vec<DiffLine>,
}

#[derive(Template)]
#[template(path = "prompt_compare.html")]
struct ComparePage {
    shell: Shell,
    name: String,
    here: String,
    numbers: Vec<u32>,
    from: u32,
    to: u32,
    parts: Vec<Compared>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Two {
    from: String,
    to: String,
}

async fn compare(
    axum::extract::State(console): State,
    caller: Caller,
    Path(name): Path<String>,
    query: Result<Query<Two>, QueryRejection>,
) -> Page {
    let Two { from, to } = asked(query)?;
    let workspace = &caller.workspace;
    let found = found(&console, workspace, &name).await?;
    let (detail, numbers) = &found;
    let name = &detail.model.name;
    let none = || Missing(format!("version of prompt {name} to compare with"));
    let before = numbers.len().min(2).saturating_sub(1);
    let from = chosen(&console, workspace, &found, (&from, before)).await?.ok_or_else(none)?;
    let to = chosen(&console, workspace, &found, (&to, 0)).await?.ok_or_else(none)?;
    let mut parts = compared(&body_of(&from.tags), &body_of(&to.tags));
    parts.extend(beside(&from.tags, &to.tags));
    parts.retain(|part| !part.lines.is_empty());
    page(&ComparePage {
        shell: Shell::new(format!("{name}: what differs"), Section::Prompts)
            .seen_by(&caller)
            .under("Prompts", "/prompts")
            .under(name.to_string(), link::prompt(name)),
        here: link::prompt(name),
        numbers: numbers.iter().map(|number| number.0).collect(),
        from: from.version.number.0,
        to: to.version.number.0,
        parts,
        name: name.to_string(),
    })
}

/// A text against a text, and message against message.
fn compared(from: &Body, to: &Body) -> Vec<Compared> {
    match (from, to) {
        (Body::Chat(old), Body::Chat(new)) => {
            let title = |at: usize, one: Option<&Message>| {
                format!("Message {}: {}", at + 1, one.map_or("", |one| one.role.as_str()))
            };
            let said = |one: Option<&Message>| {
                one.map(|one| format!("{}: {}", one.role, one.text())).unwrap_or_default()
            };
            let most = old.len().max(new.len());
            let part = |at: usize| Compared {
                title: title(at, new.get(at).or_else(|| old.get(at))),
                lines: lines(&said(old.get(at)), &said(new.get(at))),
            };
            (0..most).map(part).collect()
        }
        _ => vec![Compared { title: "Text".to_owned(), lines: lines(&from.whole(), &to.whole()) }],
    }
}

/// What differs beside the text: each setting, and the tags.
fn beside(from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) -> Vec<Compared> {
    let (old, new) = (settings(from), settings(to));
    let titles: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let said = |of: &BTreeMap<String, String>, title: &String| of.get(title).cloned().unwrap_or_default();
    let parts = titles
        .into_iter()
        .map(|title| Compared { lines: lines(&said(&old, title), &said(&new, title)), title: title.clone() });
    let listed = |tags: &BTreeMap<String, String>| {
        let all: Vec<String> =
            own_tags(tags).into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
        all.join("\n")
    };
    let tags = Compared { title: "Tags".to_owned(), lines: lines(&listed(from), &listed(to)) };
    parts.chain([tags]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_the_text_is_told_and_compared() {
        let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let old = tags(&[
            (PROMPT_TYPE, "chat"),
            ("_mlflow_prompt_response_format", r#"{"type":"object"}"#),
            ("_mlflow_prompt_model_config", r#"{"temperature":0}"#),
            ("_mlflow_prompt_new_thing", "x"),
            ("team", "ops"),
        ]);
        let titles: Vec<String> = settings(&old).into_keys().collect();
        assert_eq!(titles, ["Model settings", "Response format", "new thing"]);
        assert_eq!(settings(&old)["Response format"], "{\n  \"type\": \"object\"\n}");
        let new = tags(&[(PROMPT_TYPE, "chat"), ("_mlflow_prompt_model_config", r#"{"temperature":0}"#)]);
        let told: Vec<(String, bool)> =
            beside(&old, &new).into_iter().map(|part| (part.title, part.lines.is_empty())).collect();
        let expected =
            [("Model settings", true), ("Response format", false), ("new thing", false), ("Tags", false)];
        assert_eq!(told, expected.map(|(title, same)| (title.to_owned(), same)));
    }

    #[test]
    fn chats_are_compared_message_by_message() {
        let chat = |texts: &[(&str, &str)]| {
            Body::Chat(texts.iter().map(|(role, text)| Message::new(role, text)).collect())
        };
        let parts = compared(
            &chat(&[("system", "Be kind."), ("user", "{{q}}")]),
            &chat(&[("system", "Be terse."), ("user", "{{q}}"), ("assistant", "Yes")]),
        );
        let told: Vec<(&str, bool)> =
            parts.iter().map(|part| (part.title.as_str(), part.lines.is_empty())).collect();
        assert_eq!(
            told,
            [("Message 1: system", false), ("Message 2: user", true), ("Message 3: assistant", false)]
        );
    }
}
