//! Secrets: create, get, update, delete, list. A value comes in and is sealed; none goes out.

use std::collections::BTreeMap;
use std::fmt;

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_gateway::command::secret::{CreateSecret, DeleteSecret, SealedValue, UpdateSecret};
use mainstay_gateway::id::SecretId;
use mainstay_gateway::secret::{AuthConfig, Credentials, MAX_FIELDS, Secret, SecretName, provider_name};
use mainstay_governance::webhook::mlflow::{InvalidWebhook, check_url};
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::body::SecretBody;
use crate::error::CallError;
use crate::{filled, id, none_named, none_of};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{Empty, required};
use mainstay_mlflow::{Error, Mlflow, MlflowState};

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, manage) = (Action::GatewayRead, Action::GatewayManage);
    Table::v3()
        .post("gateway/secrets/create", manage, create)
        .get("gateway/secrets/get", read, get)
        .post("gateway/secrets/update", manage, update)
        .delete("gateway/secrets/delete", manage, delete)
        .get("gateway/secrets/list", read, list)
        .rows()
}

/// The fields of a secret or of what stands beside it, as they come in: those over the most that either has are not
/// read. No error of reading them repeats what stands there, and neither does `Debug`.
#[derive(Default)]
struct Hidden(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Fields).map_err(|_| {
            D::Error::custom("secret_value and auth_config must be objects whose values are texts")
        })
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Hidden;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object whose values are texts")
    }

    fn visit_unit<E>(self) -> Result<Hidden, E> {
        Ok(Hidden::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Hidden, A::Error> {
        let mut fields = BTreeMap::new();
        while fields.len() <= MAX_FIELDS {
            let Some((name, value)) = map.next_entry()? else { return Ok(Hidden(fields)) };
            fields.insert(name, value);
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Hidden(fields))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

#[derive(Debug, Serialize)]
struct One {
    secret: SecretBody,
}

fn one(secret: Secret) -> Json<One> {
    Json(One { secret: secret.into() })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(alias = "secretId")]
    secret_id: Option<String>,
    #[serde(alias = "secretName")]
    secret_name: Option<String>,
    #[serde(alias = "secretValue")]
    secret_value: Hidden,
    provider: Option<String>,
    #[serde(alias = "authConfig")]
    auth_config: Hidden,
}

/// What stands beside a secret; the provider's address must be one that the public internet has.
fn auth_config(Hidden(fields): Hidden) -> Result<AuthConfig, Error> {
    let config = AuthConfig::new(fields)?;
    if let Some(base) = config.api_base() {
        check_url(base.to_owned(), false).map_err(|error| CallError::ApiBase(said_of_base(error)))?;
    }
    Ok(config)
}

/// What is wrong with an address. It is not repeated, as a password may stand in it.
fn said_of_base(error: InvalidWebhook) -> String {
    match error {
        InvalidWebhook::Scheme { scheme, allowed } => {
            format!("its scheme is '{scheme}', and allowed is '{allowed}'")
        }
        InvalidWebhook::NoHost(_) => "it must include a hostname".to_owned(),
        InvalidWebhook::Private { host, address } => {
            format!("it must not resolve to a non-public IP address, as '{host}' does ({address})")
        }
        InvalidWebhook::Url { reason, .. } => reason.to_owned(),
        _ => "it cannot be read as a URL".to_owned(),
    }
}

/// Seals a value for the secret of that id.
async fn sealed(state: &Mlflow, id: SecretId, Hidden(fields): Hidden) -> Result<SealedValue, Error> {
    let credentials = Credentials::new(fields)?;
    let key = state.gateway_keys.key().await?;
    let sealed = credentials.seal(id, &key, &*state.entropy)?;
    Ok(SealedValue::new(&credentials, sealed))
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<One>, Error> {
    let name = SecretName::new(required("secret_name", request.secret_name)?)?;
    let provider = filled(request.provider).map(provider_name).transpose()?;
    let auth_config = auth_config(request.auth_config)?;
    let id = SecretId::draw(&*state.entropy);
    let value = sealed(&state, id, request.secret_value).await?;
    let command = CreateSecret { workspace: caller.workspace, id, name, value, provider, auth_config };
    Ok(one(state.gateway.run(&caller.principal, command).await?))
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<One>, Error> {
    let by_name = filled(request.secret_name);
    let found = match (filled(request.secret_id), by_name) {
        (None, Some(name)) => {
            let all = state.gateway_reader.secrets(&caller.workspace).await?;
            let named = all.into_iter().find(|secret| secret.name.as_str() == name);
            named.ok_or_else(|| none_named::<SecretId>("secret_name", &name))?
        }
        (text, _) => {
            let id: SecretId = id(text)?;
            let found = state.gateway_reader.secret(&caller.workspace, id).await?;
            found.ok_or_else(|| none_of::<SecretId>(&id.to_string()))?
        }
    };
    Ok(one(found))
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<One>, Error> {
    let id: SecretId = id(request.secret_id)?;
    // An empty map changes nothing; one that is empty once it is checked clears what there was.
    let config = Some(request.auth_config).filter(|Hidden(fields)| !fields.is_empty());
    let config = config.map(auth_config).transpose()?;
    let value = match request.secret_value {
        Hidden(fields) if fields.is_empty() => None,
        hidden => Some(sealed(&state, id, hidden).await?),
    };
    let command = UpdateSecret { workspace: caller.workspace, id, value, auth_config: config };
    Ok(one(state.gateway.run(&caller.principal, command).await?))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<Empty>, Error> {
    let command = DeleteSecret { workspace: caller.workspace, id: id(request.secret_id)? };
    state.gateway.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Serialize)]
struct Many {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<SecretBody>,
}

async fn list(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<Many>, Error> {
    let provider = filled(request.provider);
    let all = state.gateway_reader.secrets(&caller.workspace).await?.into_iter();
    let wanted = all.filter(|secret| provider.is_none() || secret.provider == provider);
    Ok(Json(Many { secrets: wanted.map(SecretBody::from).collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_repeats_a_secret() {
        for bad in [
            r#"{"secret_value": "sk-secret"}"#,
            r#"{"secret_value": ["sk-secret"]}"#,
            r#"{"secret_value": {"api_key": {"sk-secret": 1}}}"#,
            r#"{"secret_value": {"api_key": "sk-secret", "n": 7}}"#,
            r#"{"auth_config": "sk-secret"}"#,
            r#"{"auth_config": {"n": null, "api_key": "sk-secret"}}"#,
        ] {
            let told = serde_json::from_str::<Message>(bad).unwrap_err().to_string();
            assert!(told.starts_with("secret_value and auth_config must be objects"), "{told}");
            assert!(!told.contains("sk-secret"), "{told}");
        }
        let good = r#"{"secretValue": {"api_key": "sk-secret"}, "secret_name": "a"}"#;
        let read: Message = serde_json::from_str(good).unwrap();
        assert_eq!(read.secret_value.0["api_key"], "sk-secret");
        assert!(!format!("{read:?}").contains("sk-secret"));
        let many = (0..1_000).map(|n| format!(r#""{n}": "sk-secret""#)).collect::<Vec<_>>().join(",");
        let read: Message = serde_json::from_str(&format!(r#"{{"secret_value": {{{many}}}}}"#)).unwrap();
        assert_eq!(read.secret_value.0.len(), MAX_FIELDS + 1);
        assert!(Credentials::new(read.secret_value.0).is_err());
        let empty: Message = serde_json::from_str(r#"{"secret_value": null}"#).unwrap();
        assert!(empty.secret_value.0.is_empty());
        let base = |url: &str| {
            let fields = BTreeMap::from([("api_base".to_owned(), url.to_owned())]);
            auth_config(Hidden(fields)).map(drop).map_err(Error::into_sentence)
        };
        assert_eq!(base("https://api.example.com/v1"), Ok(()));
        let told = base("https://ann:hunter2@api.example.com").unwrap_err();
        assert!(told.starts_with("Gateway secret api_base is not accepted:"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
        assert!(base("http://example.com").unwrap_err().contains("its scheme is 'http'"));
        assert!(base("https://127.0.0.1/").unwrap_err().contains("non-public"));
    }
}
