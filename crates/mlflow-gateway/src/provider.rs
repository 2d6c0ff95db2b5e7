//! What MLflow's pages ask before a secret is made: providers, what each needs, how secrets are kept.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_gateway::provider::{AuthMode, Field, PROVIDERS, auth_modes};
use serde::{Deserialize, Serialize};

use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{Empty, required};
use mainstay_mlflow::{Error, MlflowState};

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let read = Action::GatewayRead;
    Table::ajax("/3.0/mlflow")
        .get("gateway/supported-providers", read, providers)
        .get("gateway/supported-models", read, models)
        .get("gateway/provider-config", read, config)
        .get("gateway/secrets/config", read, secrets)
        .rows()
}

#[derive(Debug, Serialize)]
struct Providers {
    providers: &'static [&'static str],
}

async fn providers() -> Json<Providers> {
    Json(Providers { providers: PROVIDERS })
}

#[derive(Debug, Serialize)]
struct Models {
    models: [Empty; 0],
}

/// None: the catalogue of models with their prices changes by the week, and is not part of this program. A model
/// definition names its model freely.
async fn models() -> Json<Models> {
    Json(Models { models: [] })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    provider: Option<String>,
}

#[derive(Debug, Serialize)]
struct FieldBody {
    name: &'static str,
    #[serde(rename = "type")]
    of: &'static str,
    description: String,
    required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<&'static str>,
}

impl From<Field> for FieldBody {
    fn from(field: Field) -> Self {
        Self {
            name: field.name,
            of: "string",
            description: field.description.into_owned(),
            required: field.is_required,
            default: field.default,
        }
    }
}

#[derive(Debug, Serialize)]
struct ModeBody {
    mode: &'static str,
    display_name: &'static str,
    description: String,
    secret_fields: Vec<FieldBody>,
    config_fields: Vec<FieldBody>,
}

impl From<AuthMode> for ModeBody {
    fn from(mode: AuthMode) -> Self {
        let (secret, config): (Vec<Field>, Vec<Field>) =
            mode.fields.into_iter().partition(|field| field.is_secret);
        Self {
            mode: mode.id,
            display_name: mode.title,
            description: mode.description.into_owned(),
            secret_fields: secret.into_iter().map(FieldBody::from).collect(),
            config_fields: config.into_iter().map(FieldBody::from).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Config {
    auth_modes: Vec<ModeBody>,
    default_mode: &'static str,
    env_credentials_available: bool,
}

/// The ways into a provider. Credentials in the server's own environment are never used.
async fn config(Call(request): Call<Wanted>) -> Result<Json<Config>, Error> {
    let modes = auth_modes(&required("provider", request.provider)?);
    let default_mode = modes.first().map_or("api_key", |mode| mode.id);
    let auth_modes = modes.into_iter().map(ModeBody::from).collect();
    Ok(Json(Config { auth_modes, default_mode, env_credentials_available: false }))
}

#[derive(Debug, Serialize)]
struct Secrets {
    secrets_available: bool,
    using_default_passphrase: bool,
}

/// Whether the owner chose a passphrase. Without one there is no well-known key, as in a stock server, but one that
/// was drawn for this installation and lies in its directory of keys.
async fn secrets(State(state): State<MlflowState>) -> Json<Secrets> {
    let using_default_passphrase = !state.gateway_keys.has_passphrase();
    Json(Secrets { secrets_available: true, using_default_passphrase })
}
