//! `/models` and `/models/{name}`: registered models and their versions.

use askama::Template;
use axum::extract::Path;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_governance::gate::{GateReport, Verdict};
use mainstay_registry::model::VersionDetail;
use mainstay_registry::name::ModelName;

use super::{Row, reads};
use crate::frame::{Missing, Page, page};
use crate::show::figure::{counted, short};
use crate::show::link;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::show::source_run::SourceRun;
use crate::{Console, State, asset};

/// Most versions on a page, the newest.
const VERSIONS: usize = 100;

pub(super) fn routes() -> Vec<Row> {
    let model = RouteScope::Path(ResourceKind::Model, "name");
    vec![
        reads("/models", Action::ModelRead, RouteScope::Workspace, list),
        reads("/models/{name}", Action::ModelRead, model, show),
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
    rows: Vec<ListRow>,
}

async fn list(axum::extract::State(console): State, caller: Caller) -> Page {
    let models = console.registered.models(&caller.workspace).await?;
    let versions = console.registered.versions(&caller.workspace, None).await?;
    let now = console.now();
    let rows = models.into_iter().map(|detail| {
        let name = &detail.model.name;
        let own: Vec<_> = versions.iter().filter(|v| v.version.model == *name).collect();
        ListRow {
            href: link::model(name),
            versions: counted(own.len(), "version", "versions"),
            newest: own.last().map(|v| (v.version.number.0, link::version(name, v.version.number))),
            aliases: detail.aliases.iter().map(|(alias, to)| (alias.to_string(), to.0)).collect(),
            updated: Moment::ago(detail.model.updated, now),
            description: detail.model.description.clone(),
            name: name.to_string(),
        }
    });
    page(&ModelsPage { shell: Shell::new("Models", Section::Models), rows: rows.collect() })
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
    description: String,
    tags: Vec<(String, String)>,
    created: Moment,
    rows: Vec<VersionRow>,
    left_out: usize,
}

async fn show(axum::extract::State(console): State, caller: Caller, Path(name): Path<String>) -> Page {
    let name = ModelName::new(name)?;
    let detail = console.registered.model(&caller.workspace, &name).await?;
    let detail = detail.ok_or_else(|| Missing(format!("model {name}")))?;
    let mut versions = console.registered.versions(&caller.workspace, Some(&name)).await?;
    versions.reverse();
    let left_out = versions.len().saturating_sub(VERSIONS);
    let mut rows = Vec::new();
    for version in versions.iter().take(VERSIONS) {
        let report = console.judged(&caller.workspace, version.version.digest).await?;
        rows.push(version_row(version, report.as_ref(), &console));
    }
    page(&ModelPage {
        shell: Shell::new(name.to_string(), Section::Models).under("Models", "/models"),
        name: name.to_string(),
        description: detail.model.description,
        tags: detail.tags.into_iter().collect(),
        created: Moment::ago(detail.model.created, console.now()),
        rows,
        left_out,
    })
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
        run: version.run.as_ref().map(SourceRun::short),
        creator: version.creator.as_ref().map_or_else(String::new, ToString::to_string),
        created: Moment::ago(version.created, console.now()),
    }
}
