//! The LLM gateway: `secrets`, `model_definitions`, and `endpoints` with `endpoint_model_mappings`, `endpoint_tags`
//! and `endpoint_bindings`.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_gateway::Stamps;
use mainstay_gateway::binding::{Binding, BindingKey, ResourceType};
use mainstay_gateway::endpoint::{
    Attachment, Endpoint, EndpointDetail, EndpointName, Fallback, FallbackStrategy, Linkage, Mapping,
    RoutingStrategy, Tag,
};
use mainstay_gateway::error::GatewayError;
use mainstay_gateway::id::EndpointId;
use mainstay_gateway::import::ImportedEndpoint;
use mainstay_gateway::model_definition::{ModelCard, ModelDefinition};
use mainstay_gateway::secret::{AuthConfig, Credentials, Secret, SecretName};
use mainstay_governance::webhook::{Subscription, Webhook};
use mainstay_store::params;
use mainstay_store::value::Row;
use serde_json::{Map, Value};

use super::{Page, Stock, has_nul, instant};
use crate::error::ImportError;
use crate::finding::Finding;
use crate::unsealing::{SealedThere, Unsealing};

const PAGE: u64 = 200;
const SECRETS: &str = "SELECT secret_id, created_at, last_updated_at, created_by, last_updated_by, secret_name, \
    provider, auth_config, encrypted_value, wrapped_dek, kek_version FROM secrets \
    WHERE workspace = $1 AND secret_id > $2 ORDER BY secret_id LIMIT $3";
const MODELS: &str = "SELECT m.model_definition_id, m.created_at, m.last_updated_at, m.created_by, \
    m.last_updated_by, m.name, m.provider, m.model_name, m.secret_id, s.secret_name \
    FROM model_definitions m LEFT JOIN secrets s ON s.secret_id = m.secret_id \
    WHERE m.workspace = $1 AND m.model_definition_id > $2 ORDER BY m.model_definition_id LIMIT $3";
const ENDPOINTS: &str = "SELECT endpoint_id, created_at, last_updated_at, created_by, last_updated_by, name, \
    routing_strategy, fallback_config_json, experiment_id, CASE WHEN usage_tracking THEN 1 ELSE 0 END \
    FROM endpoints WHERE workspace = $1 AND endpoint_id > $2 ORDER BY endpoint_id LIMIT $3";
/// A model as in [`MODELS`], and how it is attached. Of those that were attached at once the primary ones are first.
const MAPPINGS: &str = "SELECT m.model_definition_id, m.created_at, m.last_updated_at, m.created_by, \
    m.last_updated_by, m.name, m.provider, m.model_name, m.secret_id, s.secret_name, \
    p.mapping_id, p.endpoint_id, p.linkage_type, p.weight, p.fallback_order, p.created_at, p.created_by \
    FROM endpoint_model_mappings p JOIN model_definitions m ON m.model_definition_id = p.model_definition_id \
    LEFT JOIN secrets s ON s.secret_id = m.secret_id WHERE p.endpoint_id > $1 AND p.endpoint_id <= $2 \
    ORDER BY p.endpoint_id, p.created_at, p.linkage_type DESC, COALESCE(p.fallback_order, 0), p.mapping_id";
const TAGS: &str = "SELECT endpoint_id, key, value FROM endpoint_tags \
    WHERE endpoint_id > $1 AND endpoint_id <= $2 ORDER BY endpoint_id, key";
const BINDINGS: &str = "SELECT endpoint_id, resource_type, resource_id, display_name, created_at, created_by \
    FROM endpoint_bindings WHERE endpoint_id > $1 AND endpoint_id <= $2 \
    ORDER BY endpoint_id, resource_type, resource_id";
const NAMES: &str = "SELECT endpoint_id, name FROM endpoints WHERE workspace = $1";

/// Secrets, and the id of the last.
pub type Secrets = Page<OpenedSecret, String>;
/// Model definitions, and the id of the last.
pub type Models = Page<ModelDefinition, String>;
/// Endpoints, and the id of the last.
pub type Endpoints = Page<ImportedEndpoint, String>;

/// A secret with its value, on its way from one seal to the other.
#[derive(Debug)]
pub struct OpenedSecret {
    /// What is told of it.
    pub secret: Secret,
    /// Its value; without fields if it could not be opened, or cannot be kept.
    pub credentials: Credentials,
}

impl Stock {
    /// The secrets of a workspace behind the one of that id.
    pub async fn secrets(&mut self, workspace: &Name, after: Option<String>) -> Result<Secrets, ImportError> {
        let rows = self.query(SECRETS, params![workspace.as_str(), after.unwrap_or_default(), PAGE]).await?;
        let mut page = Page::end();
        for row in &rows {
            let secret = secret(row, &mut self.unsealing, &mut page.findings).map_err(ImportError::Source)?;
            page.last = Some(row.text(0).map_err(ImportError::Source)?.to_owned());
            page.items.extend(secret);
        }
        Ok(page)
    }

    /// The model definitions of a workspace behind the one of that id.
    pub async fn model_definitions(
        &mut self,
        workspace: &Name,
        after: Option<String>,
    ) -> Result<Models, ImportError> {
        let rows = self.query(MODELS, params![workspace.as_str(), after.unwrap_or_default(), PAGE]).await?;
        models(&rows).map_err(ImportError::Source)
    }

    /// The endpoints of a workspace behind the one of that id.
    pub async fn endpoints(
        &mut self,
        workspace: &Name,
        after: Option<String>,
    ) -> Result<Endpoints, ImportError> {
        let after = after.unwrap_or_default();
        let rows = self.query(ENDPOINTS, params![workspace.as_str(), &after, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(Page::end()) };
        let last = last.text(0).map_err(ImportError::Source)?.to_owned();
        let range = params![&after, &last];
        let children = Children {
            mappings: self.query(MAPPINGS, range).await?,
            tags: self.query(TAGS, range).await?,
            bindings: self.query(BINDINGS, range).await?,
        };
        endpoints(&rows, &children, last).map_err(ImportError::Source)
    }

    /// How many secrets of the gateway and of webhooks can be opened in these workspaces.
    pub async fn opened(&mut self, workspaces: &[Name]) -> Result<u64, ImportError> {
        let mut opened = 0;
        for workspace in workspaces {
            let mut after = None;
            loop {
                let page = self.secrets(workspace, after).await?;
                opened += page.items.iter().filter(|item| !item.secret.masked.is_empty()).count() as u64;
                let Some(last) = page.last else { break };
                after = Some(last);
            }
            let mut after = None;
            loop {
                let page = self.webhooks(workspace, after).await?;
                opened += page.items.iter().filter(|webhook| is_signed(webhook)).count() as u64;
                let Some(last) = page.last else { break };
                after = Some(last);
            }
        }
        Ok(opened)
    }

    /// The names of those endpoints of a workspace that can be kept, by id.
    pub async fn endpoint_names(
        &mut self,
        workspace: &Name,
    ) -> Result<BTreeMap<String, String>, ImportError> {
        let rows = self.query(NAMES, params![workspace.as_str()]).await?;
        let mut names = BTreeMap::new();
        for row in &rows {
            let id = row.text(0).map_err(ImportError::Source)?;
            let name = row.opt_text(1).map_err(ImportError::Source)?.unwrap_or_default();
            if id.parse::<EndpointId>().is_ok() && EndpointName::new(name.to_owned()).is_ok() {
                names.insert(id.to_owned(), name.to_owned());
            }
        }
        Ok(names)
    }
}

const fn is_signed(webhook: &Webhook) -> bool {
    matches!(webhook.definition.subscription, Subscription::Mlflow { secret: Some(_), .. })
}

/// `created, updated, created_by, updated_by` from the second column on; `None` for times that no clock shows.
fn stamps(row: &Row) -> Result<Option<Stamps>, StorageError> {
    let (Some(created), Some(updated)) = (instant(row.opt_int(1)?), instant(row.opt_int(2)?)) else {
        return Ok(None);
    };
    let text = |column| row.opt_text(column).map(|text| text.map(str::to_owned));
    Ok(Some(Stamps { created, updated, created_by: text(3)?, updated_by: text(4)? }))
}

fn secret(
    row: &Row,
    unsealing: &mut Unsealing,
    findings: &mut Vec<Finding>,
) -> Result<Option<OpenedSecret>, StorageError> {
    let (id, name) = (row.text(0)?, row.text(5)?);
    let mut find = |of: &str, reason: &dyn std::fmt::Display| {
        findings.push(Finding::new(format!("{of}secret {name:?} of the gateway"), reason));
    };
    let (parsed, checked) = (id.parse(), SecretName::new(name.to_owned()));
    let (Ok(parsed), Ok(checked), Some(stamps)) = (parsed, checked, stamps(row)?) else {
        find("", &"its id, its name or its times cannot be kept");
        return Ok(None);
    };
    let auth_config = row.opt_text(7)?.map_or_else(|| Ok(AuthConfig::default()), auth_config);
    let auth_config = auth_config.unwrap_or_else(|reason| {
        find("what stands beside the ", &reason);
        AuthConfig::default()
    });
    let sealed = SealedThere { value: row.blob(8)?, wrapped_key: row.blob(9)?, generation: row.int(10)? };
    let credentials =
        match unsealing.secret((id, name), &sealed) {
            Some(fields) => Credentials::new(fields).map_err(|error| error.to_string()),
            None => Err("it cannot be opened: MLFLOW_CRYPTO_KEK_PASSPHRASE is not what the stock server had"
                .to_owned()),
        };
    let credentials = credentials.unwrap_or_else(|reason| {
        let reason = format!("{reason}. The secret comes without a value, to be set anew (secrets/update)");
        find("the value of ", &reason);
        Credentials::none()
    });
    let secret = Secret {
        id: parsed,
        name: checked,
        masked: credentials.masked(),
        provider: row.opt_text(6)?.map(str::to_owned),
        auth_config,
        stamps,
    };
    Ok(Some(OpenedSecret { secret, credentials }))
}

fn auth_config(text: &str) -> Result<AuthConfig, String> {
    let fields: Option<Map<String, Value>> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let plain = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields = fields.unwrap_or_default().into_iter().filter(|(_, value)| !value.is_null());
    AuthConfig::new(fields.map(|(key, value)| (key, plain(value))).collect())
        .map_err(|error| error.to_string())
}

fn models(rows: &[Row]) -> Result<Models, StorageError> {
    let mut page = Page::end();
    for row in rows {
        page.last = Some(row.text(0)?.to_owned());
        match model_definition(row)? {
            Ok(definition) => page.items.push(definition),
            Err(reason) => {
                let of = format!("model definition {:?} of the gateway", row.text(5)?);
                page.findings.push(Finding::new(of, reason));
            }
        }
    }
    Ok(page)
}

/// A row of [`MODELS`]. A secret that cannot be kept is none.
fn model_definition(row: &Row) -> Result<Result<ModelDefinition, String>, StorageError> {
    let text = |column| row.text(column).map(str::to_owned);
    let card = ModelCard::new(text(5)?, text(6)?, text(7)?);
    let (id, stamps) = (row.text(0)?.parse(), stamps(row)?);
    let secret = row.opt_text(8)?.and_then(|id| id.parse().ok());
    let name = row.opt_text(9)?.and_then(|name| SecretName::new(name.to_owned()).ok());
    Ok(match (card, id, stamps) {
        (Ok(card), Ok(id), Some(stamps)) => {
            Ok(ModelDefinition { id, card, secret: secret.zip(name), stamps })
        }
        (Err(error), ..) => Err(error.to_string()),
        _ => Err("its id or its times cannot be kept".to_owned()),
    })
}

/// Everything that hangs on a page of endpoints.
struct Children {
    mappings: Vec<Row>,
    tags: Vec<Row>,
    bindings: Vec<Row>,
}

fn endpoints(rows: &[Row], children: &Children, last: String) -> Result<Endpoints, StorageError> {
    let (mut found, mut findings) = (BTreeMap::new(), Vec::new());
    for row in rows {
        match endpoint(row)? {
            Ok(endpoint) => {
                let detail = EndpointDetail { endpoint, mappings: Vec::new(), tags: BTreeMap::new() };
                found.insert(row.text(0)?, ImportedEndpoint { detail, bindings: Vec::new() });
            }
            Err(reason) => {
                let of = format!("endpoint {:?} of the gateway", row.opt_text(5)?.unwrap_or_default());
                findings.push(Finding::new(of, reason));
            }
        }
    }
    for row in &children.mappings {
        let Some(of) = found.get_mut(row.text(11)?) else { continue };
        match mapping(row, &of.detail.endpoint)? {
            Ok(mapping) => of.detail.mappings.push(mapping),
            Err(reason) => {
                let of =
                    format!("model {:?} of endpoint {:?}", row.text(5)?, of.detail.endpoint.name.as_str());
                findings.push(Finding::new(of, reason));
            }
        }
    }
    for row in &children.tags {
        let Some(of) = found.get_mut(row.text(0)?) else { continue };
        let (key, value) = (row.text(1)?.to_owned(), row.opt_text(2)?.unwrap_or_default().to_owned());
        match Tag::new(key, value) {
            Ok(Tag { key, value }) => drop(of.detail.tags.insert(key, value)),
            Err(error) => {
                let of = format!("tag {:?} of endpoint {:?}", row.text(1)?, of.detail.endpoint.name.as_str());
                findings.push(Finding::new(of, error));
            }
        }
    }
    for row in &children.bindings {
        let Some(of) = found.get_mut(row.text(0)?) else { continue };
        if let Some(binding) = binding(row, &of.detail.endpoint)? {
            of.bindings.push(binding);
        } else {
            let of = format!(
                "use of endpoint {:?} by {} {:?}",
                of.detail.endpoint.name.as_str(),
                row.text(1)?,
                row.text(2)?
            );
            findings.push(Finding::new(of, "that kind of user, its id or its times cannot be kept"));
        }
    }
    Ok(Page { items: found.into_values().collect(), findings, last: Some(last) })
}

fn endpoint(row: &Row) -> Result<Result<Endpoint, String>, StorageError> {
    let name = EndpointName::new(row.opt_text(5)?.unwrap_or_default().to_owned());
    let routing = row.opt_text(6)?.filter(|text| !text.is_empty());
    let routing = routing.map(|text| RoutingStrategy::named(text).ok_or("its routing strategy is not known"));
    let (id, stamps, routing) = (row.text(0)?.parse(), stamps(row)?, routing.transpose());
    Ok(match (name, id, stamps, routing) {
        (Ok(name), Ok(id), Some(stamps), Ok(routing)) => Ok(Endpoint {
            id,
            name,
            routing,
            fallback: row.opt_text(7)?.and_then(fallback),
            experiment: row.opt_int(8)?.and_then(|id| u64::try_from(id).ok()),
            tracks_usage: row.flag(9)?,
            stamps,
        }),
        (Err(error), ..) => Err(error.to_string()),
        (.., Err(reason)) => Err(reason.to_owned()),
        _ => Err("its id or its times cannot be kept".to_owned()),
    })
}

/// What cannot be read is no way to fall back, as in a stock server.
fn fallback(text: &str) -> Option<Fallback> {
    let said: Map<String, Value> = serde_json::from_str(text).ok()?;
    let strategy = said.get("strategy").and_then(Value::as_str).and_then(FallbackStrategy::named);
    let attempts = said.get("max_attempts").and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok());
    Fallback::new(strategy, attempts).ok()
}

/// A row of [`MAPPINGS`].
fn mapping(row: &Row, endpoint: &Endpoint) -> Result<Result<Mapping, String>, StorageError> {
    let definition = match model_definition(row)? {
        Ok(definition) => definition,
        Err(reason) => return Ok(Err(reason)),
    };
    let order = row.opt_int(14)?.map(i32::try_from).transpose();
    let (id, linkage, created) =
        (row.text(10)?.parse(), Linkage::named(row.text(12)?), instant(row.opt_int(15)?));
    let (Ok(order), Ok(id), Some(linkage), Some(created)) = (order, id, linkage, created) else {
        return Ok(Err("how it is attached cannot be kept".to_owned()));
    };
    let attachment = Attachment { id, definition: definition.id, linkage, weight: row.real(13)?, order };
    let stamps = Stamps::new(created, row.opt_text(16)?);
    let told = |error: GatewayError| error.to_string();
    Ok(attachment.checked().map_err(told).map(|attachment| Mapping {
        attachment,
        endpoint: endpoint.id,
        definition,
        stamps,
    }))
}

fn binding(row: &Row, endpoint: &Endpoint) -> Result<Option<Binding>, StorageError> {
    let display_name = row.opt_text(3)?.map(str::to_owned);
    let created =
        instant(row.opt_int(4)?).filter(|_| !has_nul(&[display_name.as_deref().unwrap_or_default()]));
    let kind = ResourceType::named(row.text(1)?);
    let key = kind.and_then(|kind| BindingKey::new(endpoint.id, kind, row.text(2).ok()?.to_owned()).ok());
    let user = row.opt_text(5)?;
    Ok(key.zip(created).map(|(key, created)| Binding {
        key,
        display_name,
        stamps: Stamps::new(created, user),
    }))
}
