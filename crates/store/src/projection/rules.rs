//! What each kind of event does to the projections.

mod people;

use mainstay_governance::audit::StoredEvent;
use serde_json::Value as Json;

use super::replay::Replayed;
use super::tables::Cell;

const ALIASES: &str = "model_aliases";
const APPROVALS: &str = "approvals";
const ENDPOINTS: &str = "endpoints";
const GATES: &str = "gate_reports";
const GRANTS: &str = "role_grants";
const PURGES: &str = "purges";
const RETENTION_RULES: &str = "retention_rules";
const QUOTAS: &str = "quotas";
const REVISIONS: &str = "endpoint_revisions";
const TOKENS: &str = "api_tokens";
const WORKSPACES: &str = "workspaces";

/// Whether events of this kind change a projection.
pub(super) fn concerns(kind: &str) -> bool {
    matches!(
        kind,
        "alias.moved"
            | "alias.imported"
            | "alias.deleted"
            | "model.renamed"
            | "model.deleted"
            | "model_version.deleted"
            | "gates.evaluated"
            | "approval.requested"
            | "approval.decided"
            | "approval.expired"
            | "approval.withdrawn"
            | "endpoint.created"
            | "endpoint.changed"
            | "endpoint.revised"
            | "endpoint.rolled_back"
            | "purge.started"
            | "purge.advanced"
            | "purge.finished"
            | "quota.set"
            | "retention_rule.saved"
            | "retention_rule.deleted"
            | "role.granted"
            | "role.revoked"
            | "workspace.created"
            | "token.created"
            | "token.revoked"
    ) || people::concerns(kind)
}

/// Applies one event of such a kind. `None` if its body lacks what the row needs.
pub(super) fn apply(state: &mut Replayed, event: &StoredEvent, body: &Json) -> Option<()> {
    let here = Cell::Text(event.workspace.clone());
    let (_, id) = event.subject.split_once(':')?;
    match event.kind.as_str() {
        "alias.moved" | "alias.imported" => {
            state.put(ALIASES, vec![here, text(id), member(body, "alias")?], vec![number(body, "to")?]);
        }
        "alias.deleted" => state.remove(ALIASES, &[here, text(id), member(body, "alias")?]),
        "model.renamed" => {
            let (from, to) = (member(body, "from")?, member(body, "to")?);
            rename_model(state, &here, &from, &to);
            people::rename_model(state, &here, &from, &to);
        }
        "model.deleted" => {
            state.of(ALIASES).retain(|key, _| !key.starts_with(&[here.clone(), text(id)]));
            people::forget_model(state, &here, &text(id));
        }
        "model_version.deleted" => {
            let (model, _) = id.rsplit_once('/')?;
            for alias in body.get("aliases")?.as_array()? {
                state.remove(ALIASES, &[here.clone(), text(model), text(alias.as_str()?)]);
            }
        }
        "gates.evaluated" => gates(state, here, body)?,
        "approval.requested" | "approval.decided" | "approval.expired" | "approval.withdrawn" => {
            let row = vec![
                here,
                member(body, "state")?,
                member(body, "digest")?,
                number(body, "requested")?,
                document(body),
            ];
            state.put(APPROVALS, vec![text(id)], row);
        }
        "endpoint.created" | "endpoint.changed" => {
            let definition = body.get("definition")?;
            let governed = Cell::Int(definition.get("governed")?.as_bool()?.into());
            let row = vec![member(definition, "model")?, governed, document(definition)];
            state.put(ENDPOINTS, vec![here.clone(), text(id)], row);
            revision(state, here, body)?;
        }
        "endpoint.revised" | "endpoint.rolled_back" => revision(state, here, body)?,
        "purge.started" | "purge.advanced" | "purge.finished" => {
            let finished = number(body, "finished").unwrap_or(Cell::Null);
            let row = vec![here, number(body, "started")?, finished, document(body)];
            state.put(PURGES, vec![text(id)], row);
        }
        "quota.set" if body.as_object()?.values().all(Json::is_null) => state.remove(QUOTAS, &[here]),
        "quota.set" => state.put(QUOTAS, vec![here], vec![document(body)]),
        "retention_rule.saved" => state.put(RETENTION_RULES, vec![here, text(id)], vec![document(body)]),
        "retention_rule.deleted" => state.remove(RETENTION_RULES, &[here, text(id)]),
        "role.granted" => {
            state.put(GRANTS, vec![here, member(body, "actor")?, member(body, "role")?], Vec::new());
        }
        "role.revoked" => state.remove(GRANTS, &[here, member(body, "actor")?, member(body, "role")?]),
        "workspace.created" => {
            state.put(WORKSPACES, vec![text(id)], vec![Cell::Int(event.at.micros()), text("")]);
            state.put(GRANTS, vec![text(id), member(body, "admin")?, text("admin")], Vec::new());
        }
        "token.created" | "token.revoked" => token(state, event, id, body)?,
        _ => people::apply(state, event, id, body)?,
    }
    Some(())
}

fn rename_model(state: &mut Replayed, workspace: &Cell, from: &Cell, to: &Cell) {
    let of_model = |key: &[Cell]| key.first() == Some(workspace) && key.get(1) == Some(from);
    let moved: Vec<_> = state.of(ALIASES).extract_if(.., |key, _| of_model(key)).collect();
    for (mut key, entry) in moved {
        key.splice(1..2, [to.clone()]);
        state.put(ALIASES, key, entry.cells);
    }
}

fn gates(state: &mut Replayed, workspace: Cell, report: &Json) -> Option<()> {
    let digest = member(report, "digest")?;
    let of_digest = [workspace.clone(), digest.clone()];
    let before = state.of(GATES).keys().filter(|key| key.starts_with(&of_digest)).count();
    let number = Cell::Int(i64::try_from(before).ok()? + 1);
    state.put(GATES, vec![workspace, digest, number], vec![document(report)]);
    Some(())
}

fn revision(state: &mut Replayed, workspace: Cell, body: &Json) -> Option<()> {
    let revision = body.get("revision")?;
    let key = vec![workspace, member(revision, "endpoint")?, number(revision, "number")?];
    state.put(REVISIONS, key, vec![document(revision)]);
    Some(())
}

fn token(state: &mut Replayed, event: &StoredEvent, id: &str, body: &Json) -> Option<()> {
    /// The place of `revoked` among the columns behind the key.
    const REVOKED: usize = 7;
    if event.kind == "token.revoked" {
        state.set(TOKENS, &[text(id)], REVOKED, Cell::Int(event.at.micros()));
        return Some(());
    }
    let expires = match body.get("expires")? {
        Json::Null => Cell::Null,
        _ => number(body, "expires")?,
    };
    let row = vec![
        text(&event.workspace),
        member(body, "label")?,
        member(body, "digest")?,
        document(body.get("grants")?),
        text(&event.actor),
        Cell::Int(event.at.micros()),
        expires,
        Cell::Null,
    ];
    state.put(TOKENS, vec![text(id)], row);
    Some(())
}

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

fn member(body: &Json, name: &str) -> Option<Cell> {
    body.get(name)?.as_str().map(text)
}

fn number(body: &Json, name: &str) -> Option<Cell> {
    body.get(name)?.as_i64().map(Cell::Int)
}

/// JSON as the tables hold it: members keep their order, so this is the text that was stored.
fn document(value: &Json) -> Cell {
    Cell::Text(value.to_string())
}
