//! `/retention`: what is deleted for good, by which rules, and what a rule would take before it is kept.

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query};
use axum::response::Redirect;
use mainstay_api::Caller;
use mainstay_api::native::retention::{Looked, Sampled, look};
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::MachineTime;
use mainstay_retention::port::StandingRule;
use mainstay_retention::purge::{Cause, Counts, Purge, purge_subject};
use mainstay_retention::quota::{Limits, Usage};
use mainstay_retention::rule::command::{DeleteRule, SaveRule};
use mainstay_retention::rule::{RuleKind, Terms};
use mainstay_retention::survey::Wanted;
use mainstay_retention::target::{Target, TargetKind};
use serde::Deserialize;

use super::{Row, asked, filled, reads, sends};
use crate::frame::{Error, Page, page};
use crate::show::figure::{bytes, count, counted};
use crate::show::link;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::{Console, State, asset};

/// Purges on the page.
const SHOWN: usize = 50;

pub(super) fn routes() -> Vec<Row> {
    let rule = RouteScope::Path(ResourceKind::RetentionRule, "name");
    vec![
        reads("/retention", Action::RetentionRead, RouteScope::Workspace, show),
        reads("/retention/preview", Action::RetentionManage, RouteScope::Workspace, preview),
        sends("/retention/rules", Action::RetentionManage, RouteScope::Workspace, save),
        sends("/retention/rules/{name}/remove", Action::RetentionManage, rule, remove),
    ]
}

/// A rule as it stands in a form: every field a text, an empty one meaning nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Wish {
    name: String,
    kind: String,
    experiment: String,
    older_than_days: String,
    deleted_for_days: String,
    keep_last: String,
    keep_tagged: String,
}

/// A field holds no number.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' must be a whole number, or left empty")]
struct NoNumber(&'static str);

impl mainstay_core::error::Coded for NoNumber {
    fn code(&self) -> mainstay_core::error::ErrorCode {
        mainstay_core::error::ErrorCode::InvalidArgument
    }
}

fn number<T: std::str::FromStr>(name: &'static str, text: &str) -> Result<Option<T>, NoNumber> {
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| NoNumber(name)),
    }
}

impl Wish {
    fn of(rule: &StandingRule) -> Self {
        let Terms { older_than_days, deleted_for_days, keep_last, keep_tagged } = rule.rule.terms.clone();
        let days = |days: Option<u32>| days.map(|days| days.to_string()).unwrap_or_default();
        Self {
            name: rule.rule.name.to_string(),
            kind: rule.rule.kind.to_string(),
            experiment: rule.rule.experiment.map(|id| id.to_string()).unwrap_or_default(),
            older_than_days: days(older_than_days),
            deleted_for_days: days(deleted_for_days),
            keep_last: keep_last.map(|keep| keep.to_string()).unwrap_or_default(),
            keep_tagged: keep_tagged.join(", "),
        }
    }

    fn wanted(&self) -> Result<Wanted, Error> {
        let kind: RuleKind = self.kind.parse()?;
        let experiment = Some(self.experiment.trim()).filter(|id| !id.is_empty());
        let experiment = experiment.map(ExperimentId::parse).transpose()?;
        let tags = self.keep_tagged.split(',').map(str::trim).filter(|tag| !tag.is_empty());
        let terms = Terms {
            older_than_days: number("older than days", &self.older_than_days)?,
            deleted_for_days: number("deleted for days", &self.deleted_for_days)?,
            keep_last: number("keep the last", &self.keep_last)?,
            keep_tagged: tags.map(str::to_owned).collect(),
        };
        terms.check(kind)?;
        Ok(Wanted { kind, experiment, terms })
    }

    /// The address of the preview.
    fn href(&self) -> String {
        let part = link::segment;
        format!(
            "/retention/preview?name={}&kind={}&experiment={}&older_than_days={}&deleted_for_days={}&keep_last={}\
             &keep_tagged={}#preview",
            part(&self.name),
            part(&self.kind),
            part(&self.experiment),
            part(&self.older_than_days),
            part(&self.deleted_for_days),
            part(&self.keep_last),
            part(&self.keep_tagged),
        )
    }
}

/// Something that is limited.
struct UsageRow {
    what: &'static str,
    used: String,
    limit: String,
    is_full: bool,
}

struct RuleRow {
    name: String,
    says: String,
    preview: String,
    remove: String,
    author: String,
    saved: Moment,
    applied: Option<Moment>,
}

struct PurgeRow {
    href: String,
    started: Moment,
    who: String,
    rule: Option<String>,
    reason: String,
    takes: String,
    is_finished: bool,
    left: String,
    files: String,
    freed: String,
    elsewhere: u64,
}

struct SampleRow {
    what: &'static str,
    id: String,
    href: Option<String>,
    ended: String,
    lies: String,
}

struct HeldRow {
    what: String,
    by: String,
}

struct Preview {
    takes: String,
    is_empty: bool,
    sample: Vec<SampleRow>,
    held: Vec<HeldRow>,
    held_count: u64,
    has_more: bool,
}

struct Choice {
    value: &'static str,
    name: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "retention.html")]
struct RetentionPage {
    shell: Shell,
    usage: Vec<UsageRow>,
    rules: Vec<RuleRow>,
    purges: Vec<PurgeRow>,
    wish: Wish,
    kinds: Vec<Choice>,
    preview: Option<Preview>,
}

async fn show(axum::extract::State(console): State, caller: Caller) -> Page {
    shown(&console, &caller, Wish::default(), None).await
}

/// The same page with what a rule would take. It names what lies in all experiments, so it is for those alone who may
/// write rules.
async fn preview(
    axum::extract::State(console): State,
    caller: Caller,
    query: Result<Query<Wish>, QueryRejection>,
) -> Page {
    let (wish, kept) = (asked(query)?, &console.retention);
    let (wanted, now) = (wish.wanted()?, console.now());
    let looked = look((&*kept.reader, &*kept.artifacts), &caller.workspace, &wanted, now).await?;
    shown(&console, &caller, wish, Some(Preview::of(looked))).await
}

async fn shown(console: &Console, caller: &Caller, wish: Wish, preview: Option<Preview>) -> Page {
    let (now, kept) = (console.now(), &console.retention);
    let rules = kept.reader.rules(&caller.workspace).await?;
    let purges = kept.reader.purges(&caller.workspace, &PageRequest::first(SHOWN)).await?;
    let usage = kept.quotas.usage(&caller.workspace).await?;
    let kinds = RuleKind::ALL.map(|kind| Choice {
        value: kind.as_str(),
        name: named(kind),
        chosen: wish.kind == kind.as_str(),
    });
    page(&RetentionPage {
        shell: Shell::new("Retention", Section::Experiments)
            .seen_by(caller)
            .under("Experiments", "/experiments"),
        usage: usage.map(|usage| UsageRow::all(&usage, now)).unwrap_or_default(),
        rules: rules.iter().map(|rule| RuleRow::of(rule, now)).collect(),
        purges: purges.items.into_iter().map(|purge| PurgeRow::of(purge, now)).collect(),
        wish,
        kinds: kinds.into(),
        preview,
    })
}

const fn named(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::Runs => "runs",
        RuleKind::RunArtifacts => "artifacts of runs",
        RuleKind::Traces => "traces",
        RuleKind::LoggedModels => "logged models",
        RuleKind::Experiments => "experiments",
    }
}

/// What a rule says, as a sentence.
fn sentence(kind: RuleKind, experiment: Option<ExperimentId>, terms: &Terms) -> String {
    let mut parts = vec![match experiment {
        Some(id) => format!("{} of experiment {id}", named(kind)),
        None => named(kind).to_owned(),
    }];
    let days = |days: u32| counted(usize::try_from(days).unwrap_or_default(), "day", "days");
    if let Some(age) = terms.older_than_days {
        parts.push(format!("{} after their end", days(age)));
    }
    if let Some(age) = terms.deleted_for_days {
        parts.push(format!("{} after they were deleted", days(age)));
    }
    if let Some(keep) = terms.keep_last {
        parts.push(format!("but the newest {} of each experiment", count(keep)));
    }
    if !terms.keep_tagged.is_empty() {
        parts.push(format!("but those tagged {}", terms.keep_tagged.join(" or ")));
    }
    parts.join(", ")
}

/// What is taken, as a list of words.
fn taken(counts: Counts) -> String {
    let of = [
        (counts.experiments, "experiment", "experiments"),
        (counts.runs, "run", "runs"),
        (counts.logged_models, "logged model", "logged models"),
        (counts.traces, "trace", "traces"),
        (counts.run_artifacts, "run's artifacts", "runs' artifacts"),
    ];
    let some = of.into_iter().filter(|(count, ..)| *count > 0);
    let told: Vec<String> = some
        .map(|(count, one, many)| counted(usize::try_from(count).unwrap_or(usize::MAX), one, many))
        .collect();
    if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
}

impl UsageRow {
    /// All that is limited.
    fn all(usage: &Usage, now: MachineTime) -> Vec<Self> {
        let Limits { experiments, runs, traces_per_day, artifact_bytes } = usage.limits;
        let row = |what, used: u64, limit: Option<u64>, told: fn(u64) -> String| {
            limit.map(|limit| Self { what, used: told(used), limit: told(limit), is_full: used >= limit })
        };
        [
            row("experiments", usage.experiments, experiments, count),
            row("runs", usage.runs, runs, count),
            row("traces today", usage.traces_on(now.day()), traces_per_day, count),
            row("artifacts", usage.artifact_bytes, artifact_bytes, bytes),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl RuleRow {
    fn of(standing: &StandingRule, now: MachineTime) -> Self {
        let rule = &standing.rule;
        Self {
            name: rule.name.to_string(),
            says: sentence(rule.kind, rule.experiment, &rule.terms),
            preview: Wish::of(standing).href(),
            remove: format!("/retention/rules/{}/remove", link::segment(&rule.name)),
            author: rule.author.to_string(),
            saved: Moment::ago(rule.saved, now),
            applied: standing.applied.map(|at| Moment::ago(at, now)),
        }
    }
}

impl PurgeRow {
    fn of(purge: Purge, now: MachineTime) -> Self {
        Self {
            href: link::audit_of(purge_subject(purge.id)),
            started: Moment::ago(purge.started, now),
            who: purge.actor.to_string(),
            rule: match purge.cause {
                Cause::Asked => None,
                Cause::Rule(name) => Some(name.to_string()),
            },
            reason: purge.reason,
            takes: taken(purge.takes),
            is_finished: purge.finished.is_some(),
            left: count(purge.left),
            files: count(purge.done.objects),
            freed: bytes(purge.done.bytes),
            elsewhere: purge.done.elsewhere,
        }
    }
}

impl Preview {
    fn of(looked: Looked) -> Self {
        let held = looked.held.iter().take(looked.sample.len().max(20));
        Self {
            takes: taken(looked.takes),
            is_empty: looked.takes.total() == 0,
            sample: looked.sample.into_iter().map(SampleRow::of).collect(),
            held: held.map(|(target, by)| HeldRow::of(target, by)).collect(),
            held_count: looked.held_count,
            has_more: looked.has_more,
        }
    }
}

impl SampleRow {
    fn of(sampled: Sampled) -> Self {
        let (what, href) = match sampled.kind {
            TargetKind::Trace => ("trace", None),
            TargetKind::RunArtifacts => ("artifacts of run", Some(link::run(&sampled.id))),
            TargetKind::LoggedModel => ("logged model", None),
            TargetKind::Run => ("run", Some(link::run(&sampled.id))),
            TargetKind::Experiment => ("experiment", Some(link::experiment(&sampled.id))),
        };
        let lies = match (sampled.objects, sampled.bytes) {
            (Some(0), _) => "no files".to_owned(),
            (Some(files), Some(size)) => format!("{} files, {}", count(files), bytes(size)),
            _ => "out of reach, or not its own alone".to_owned(),
        };
        Self { what, id: sampled.id, href, ended: sampled.ended_at.unwrap_or_default(), lies }
    }
}

impl HeldRow {
    fn of(target: &Target, by: &[mainstay_retention::target::Hold]) -> Self {
        let by = by.iter().take(3).map(ToString::to_string);
        Self { what: target.to_string(), by: by.collect::<Vec<_>>().join(", ") }
    }
}

async fn save(
    axum::extract::State(console): State,
    caller: Caller,
    form: Result<Form<Wish>, FormRejection>,
) -> Result<Redirect, Error> {
    let wish = filled(form)?;
    let name = Name::new(wish.name.trim())?;
    let Wanted { kind, experiment, terms } = wish.wanted()?;
    let command = SaveRule { workspace: caller.workspace.clone(), name, kind, experiment, terms };
    console.retention.rules.run(&caller.principal, command).await?;
    Ok(Redirect::to("/retention"))
}

async fn remove(
    axum::extract::State(console): State,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Redirect, Error> {
    let command = DeleteRule { workspace: caller.workspace.clone(), name: Name::new(name)? };
    console.retention.rules.run(&caller.principal, command).await?;
    Ok(Redirect::to("/retention"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_as_a_sentence_and_comes_back_from_its_form() {
        let wish = Wish {
            name: "old runs".to_owned(),
            kind: "runs".to_owned(),
            experiment: " 7 ".to_owned(),
            older_than_days: "90".to_owned(),
            keep_last: "1000".to_owned(),
            keep_tagged: "keep, stage=prod".to_owned(),
            ..Wish::default()
        };
        let Ok(wanted) = wish.wanted() else { panic!("the form holds a rule") };
        assert_eq!(
            sentence(wanted.kind, wanted.experiment, &wanted.terms),
            "runs of experiment 7, 90 days after their end, but the newest 1,000 of each experiment, \
             but those tagged keep or stage=prod"
        );
        assert!(wish.href().starts_with("/retention/preview?name=old%20runs&kind=runs&"));
        assert!(Wish { older_than_days: "soon".to_owned(), ..wish }.wanted().is_err());
        assert_eq!(taken(Counts::default()), "nothing");
        assert_eq!(taken(Counts { runs: 1, traces: 2, ..Counts::default() }), "1 run, 2 traces");
    }
}
