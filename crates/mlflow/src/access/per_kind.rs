//! `experiments/permissions/*` and `registered-models/permissions/*`, which clients before 3.17 speak.

use axum::Json;
use axum::extract::State;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::permission::Level;
use mainstay_core::scope::ResourceKind;
use mainstay_governance::command::{Before, GrantPermission, RevokePermission};
use mainstay_governance::error::GovernanceError;
use mainstay_governance::people::{Number, Target};
use mainstay_governance::user::UserName;
use serde::{Deserialize, Serialize};

use super::{everybody, expect, level, target, user_name};
use crate::body::Call;
use crate::table::Table;
use crate::wire::Empty;
use crate::{Error, MlflowError, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    // Each looks at the thing that it is about.
    let known = Action::AccountUse;
    Table::v2()
        .post("experiments/permissions/create", known, create)
        .get("experiments/permissions/get", known, get)
        .patch("experiments/permissions/update", known, update)
        .delete("experiments/permissions/delete", known, delete)
        .post("registered-models/permissions/create", known, create)
        .get("registered-models/permissions/get", known, get)
        .patch("registered-models/permissions/update", known, update)
        .delete("registered-models/permissions/delete", known, delete)
        .rows()
}

/// A message names an experiment or a model: the field tells which.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    #[serde(alias = "experimentId")]
    experiment_id: Option<String>,
    name: Option<String>,
    username: Option<String>,
    permission: Option<String>,
}

/// Which thing, and whose level on it.
struct Asked {
    on: Target,
    user: UserName,
    permission: Option<String>,
}

impl Named {
    fn checked(self) -> Result<Asked, Error> {
        let on = match self.name {
            Some(name) => target(ResourceKind::Model, Some(name), "name")?,
            None => target(ResourceKind::Experiment, self.experiment_id, "experiment_id")?,
        };
        Ok(Asked { on, user: user_name(self.username)?, permission: self.permission })
    }
}

/// What the clients call no permissions is a denial: it holds against what everybody has.
fn meant(level: Level) -> Level {
    if level == Level::NoPermissions { Level::Deny } else { level }
}

fn told(level: Level) -> &'static str {
    if level == Level::Deny { Level::NoPermissions.as_str() } else { level.as_str() }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum One {
    ExperimentPermission { experiment_id: String, user_id: Number, permission: &'static str },
    RegisteredModelPermission { workspace: Name, name: String, user_id: Number, permission: &'static str },
}

fn one(workspace: Name, on: &Target, user_id: Number, level: Level) -> One {
    let (id, permission) = (on.pattern().to_string(), told(level));
    if on.kind() == ResourceKind::Experiment {
        One::ExperimentPermission { experiment_id: id, user_id, permission }
    } else {
        One::RegisteredModelPermission { workspace, name: id, user_id, permission }
    }
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let Asked { on, user, permission } = request.checked()?;
    let (workspace, level) = (caller.workspace, meant(level(permission)?));
    let command = GrantPermission {
        workspace: workspace.clone(),
        user: user.clone(),
        on: on.clone(),
        level,
        before: Before::Absent,
    };
    state.people.commands.run(&caller.principal, command).await?;
    let people = everybody(&state).await?;
    let user_id = people.user(&user).ok_or(GovernanceError::NoUser(user))?.id;
    Ok(Json(one(workspace, &on, user_id, level)))
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let Asked { on, user, .. } = request.checked()?;
    expect(&state, &caller, Action::AccessShare, on.scope(&caller.workspace))?;
    let people = everybody(&state).await?;
    let user_id = people.user(&user).ok_or_else(|| GovernanceError::NoUser(user.clone()))?.id;
    let held = people
        .permissions
        .iter()
        .find(|held| held.user == user && held.on == on && held.workspace == caller.workspace);
    let missing = || {
        let (id, user) = (on.pattern().to_string(), user.to_string());
        if on.kind() == ResourceKind::Experiment {
            MlflowError::NoExperimentPermission { id, user }
        } else {
            MlflowError::NoModelPermission { workspace: caller.workspace.clone(), name: id, user }
        }
    };
    let level = held.ok_or_else(missing)?.level;
    Ok(Json(one(caller.workspace.clone(), &on, user_id, level)))
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let Asked { on, user, permission } = request.checked()?;
    let (workspace, level, before) = (caller.workspace, meant(level(permission)?), Before::Present);
    let command = GrantPermission { workspace, user, on, level, before };
    state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let Asked { on, user, .. } = request.checked()?;
    let command = RevokePermission { workspace: caller.workspace, user, on };
    state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}
