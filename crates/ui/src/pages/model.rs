//! `/models` and `/models/{name}`: registered models and their versions.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Redirect, Response};
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::ResourceKind;
use mainstay_governance::gate::{GateReport, Verdict};
use mainstay_registry::model::{ModelSummary, VersionDetail};
use mainstay_registry::name::ModelName;
use mainstay_registry::prompt::is_prompt;
use serde::Deserialize;

use super::model_version::Rights;
use super::{Row, asked, reads};
use crate::frame::{Error, Missing, Page, page};
use crate::show::figure::{counted, short};
use crate::show::link;
use crate::show::markdown::Markdown;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::show::source_run::SourceRun;
use crate::{Console, State, asset};

/// Models on a page.
const MODELS: usize = 100;
/// Versions on a page, the newest first.
const VERSIONS: usize = 100;

pub(super) fn routes() -> Vec<Row> {
    let model = RouteScope::Path(ResourceKind::Model, "name");
    vec![
        reads("/models", Action::ModelRead, RouteScope::Workspace, list).for_levels(),
        reads("/models/{name}", Action::ModelRead, model, show).for_levels(),
    ]
}

struct ListRow {
    href: String,
    name: String,
    description: String,
    versions: String,
    newest: Option<(u32, String)>,
    aliases: Vec<(String, u32)>,
    updated: Moment,
}

#[derive(Template)]
#[template(path = "models.html")]
struct ModelsPage {
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
    let looked = search.trim().to_lowercase();
    let mut models = console.registered.model_names(&caller.workspace).await?;
    models.retain(|one| {
        !one.is_prompt && readable.has(&one.name) && one.name.as_str().to_lowercase().contains(&looked)
    });
    let (total, now) = (models.len(), console.now());
    let shown = models.into_iter().skip(at.saturating_mul(MODELS)).take(MODELS);
    let shown: Vec<ModelName> = shown.map(|one| one.name).collect();
    let row = |ModelSummary { detail, versions, newest }| {
        let name = &detail.model.name;
        ListRow {
            href: link::model(name),
            versions: counted(versions, "version", "versions"),
            newest: newest.map(|newest| (newest.0, link::version(name, newest))),
            aliases: detail.aliases.iter().map(|(alias, to)| (alias.to_string(), to.0)).collect(),
            updated: Moment::ago(detail.model.updated, now),
            description: detail.model.description.clone(),
            name: name.to_string(),
        }
    };
    let found = console.registered.summaries(&caller.workspace, &shown).await?;
    let rows = found.into_iter().map(row).collect();
    let next = (at.saturating_add(1).saturating_mul(MODELS) < total)
        .then(|| format!("/models?search={}&page={}", link::segment(&search), at + 1));
    page(&ModelsPage {
        shell: Shell::new("Models", Section::Models).seen_by(&caller),
        rows,
        total: counted(total, "model", "models"),
        next,
        search,
    })
}

/// What the gates of an artifact say, in one word.
pub(super) struct Judged {
    pub(super) says: String,
    pub(super) class: &'static str,
}

impl Judged {
    pub(super) fn by(report: Option<&GateReport>) -> Self {
        let Some(report) = report else {
            return Self { says: "not judged".to_owned(), class: "idle" };
        };
        let passed = report.gates.iter().filter(|gate| gate.verdict == Verdict::Passed).count();
        let failed = report.gates.iter().any(|gate| gate.verdict == Verdict::Failed);
        let all = report.gates.len();
        let class = if passed == all {
            "ok"
        } else if failed {
            "bad"
        } else {
            "warn"
        };
        Self { says: format!("{passed} of {all} passed"), class }
    }
}

impl Console {
    /// The newest report of an artifact.
    pub(super) async fn judged(
        &self,
        workspace: &Name,
        digest: Option<Digest>,
    ) -> Result<Option<GateReport>, StorageError> {
        let Some(digest) = digest else { return Ok(None) };
        Ok(self.governed.reports(workspace, &digest).await?.into_iter().next())
    }
}

struct VersionRow {
    href: String,
    number: u32,
    aliases: Vec<String>,
    stage: Option<&'static str>,
    digest: Option<(String, String)>,
    gates: Judged,
    run: Option<SourceRun>,
    creator: String,
    created: Moment,
}

#[derive(Template)]
#[template(path = "model.html")]
struct ModelPage {
    shell: Shell,
    name: String,
    about: Option<Markdown>,
    /// As it was written.
    description: String,
    tags: Vec<(String, String)>,
    rights: Rights,
    created: Moment,
    here: String,
    rows: Vec<VersionRow>,
    total: usize,
    next: Option<String>,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path(name): Path<String>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Error> {
    let Wanted { page: at, .. } = asked(query)?;
    let name = ModelName::new(name)?;
    let detail = console.registered.model(&caller.workspace, &name).await?;
    let detail = detail.ok_or_else(|| Missing(format!("model {name}")))?;
    if is_prompt(&detail.tags) {
        return Ok(Redirect::to(&link::prompt(&name)).into_response());
    }
    let numbers = console.registered.version_numbers(&caller.workspace, &name).await?;
    let total = numbers.len();
    let shown: Vec<_> = numbers.into_iter().skip(at.saturating_mul(VERSIONS)).take(VERSIONS).collect();
    let shown = console.versions_of(&caller.workspace, &name, &shown).await?;
    let runs = shown.iter().filter_map(|one| one.version.run.as_ref().and_then(RunRef::id)).collect();
    let names = console.run_names(&caller, &runs).await?;
    let mut rows = Vec::new();
    for version in &shown {
        let report = console.judged(&caller.workspace, version.version.digest).await?;
        let run = version.version.run.as_ref().map(|run| SourceRun::named(run, &names));
        rows.push(VersionRow { run, ..version_row(version, report.as_ref(), &console) });
    }
    let drawn = page(&ModelPage {
        shell: Shell::new(name.to_string(), Section::Models).seen_by(&caller).under("Models", "/models"),
        name: name.to_string(),
        about: Markdown::some(&detail.model.description),
        description: detail.model.description,
        rights: Rights::of(&caller, &name),
        tags: detail.tags.into_iter().collect(),
        created: Moment::ago(detail.model.created, console.now()),
        next: (at.saturating_add(1).saturating_mul(VERSIONS) < total)
            .then(|| format!("{}?page={}", link::model(&name), at + 1)),
        here: link::model(&name),
        rows,
        total,
    })?;
    Ok(drawn.into_response())
}

fn version_row(detail: &VersionDetail, report: Option<&GateReport>, console: &Console) -> VersionRow {
    let version = &detail.version;
    let stage = version.stage.as_str();
    VersionRow {
        href: link::version(&version.model, version.number),
        number: version.number.0,
        aliases: detail.aliases.iter().map(ToString::to_string).collect(),
        stage: Some(stage).filter(|stage| *stage != "None"),
        digest: version.digest.map(|digest| (digest.to_string(), short(&digest.to_string()))),
        gates: Judged::by(report),
        run: None,
        creator: version.creator.as_ref().map_or_else(String::new, ToString::to_string),
        created: Moment::ago(version.created, console.now()),
    }
}
