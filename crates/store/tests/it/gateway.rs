//! The LLM gateway's secrets, model definitions and endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_gateway::binding::{BindingKey, ResourceType};
use mainstay_gateway::command::attachment::{AttachModel, DetachModel};
use mainstay_gateway::command::binding::{CreateBinding, DeleteBinding};
use mainstay_gateway::command::endpoint::{CreateEndpoint, DeleteEndpoint, EndpointChange, UpdateEndpoint};
use mainstay_gateway::command::model_definition::{
    CreateModelDefinition, DeleteModelDefinition, ModelDefinitionChange, UpdateModelDefinition,
};
use mainstay_gateway::command::secret::{CreateSecret, DeleteSecret, SealedValue, UpdateSecret};
use mainstay_gateway::command::tag::{DeleteEndpointTag, SetEndpointTag};
use mainstay_gateway::endpoint::{
    Attachment, Attachments, EndpointDetail, EndpointName, Fallback, FallbackStrategy, Linkage,
    RoutingStrategy, Tag,
};
use mainstay_gateway::id::{EndpointId, MappingId, ModelDefinitionId, SecretId};
use mainstay_gateway::model_definition::{ModelCard, ModelDefinition};
use mainstay_gateway::port::{GatewayReader as _, GatewayTx};
use mainstay_gateway::sealing::KeyEncryptionKey;
use mainstay_gateway::secret::{AuthConfig, Credentials, Secret, SecretName};

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

const VALUE: &str = "sk-the-value-of-the-secret";

fn caller() -> Principal {
    Principal::system("test")
}

fn key() -> KeyEncryptionKey {
    KeyEncryptionKey::from_bytes([3; 32])
}

pub(crate) struct Gateway {
    pub(crate) commands: Commands<dyn GatewayTx>,
    entropy: SeededEntropy,
}

impl Gateway {
    pub(crate) fn new(fresh: &Fresh) -> Self {
        let unit = Arc::new(fresh.database.writer.clone());
        Self { commands: Commands::new(unit, Arc::new(AllowAll)), entropy: SeededEntropy::new(5) }
    }

    fn value(&self, id: SecretId, text: &str) -> SealedValue {
        let fields = BTreeMap::from([("api_key".to_owned(), text.to_owned())]);
        let credentials = Credentials::new(fields).unwrap();
        SealedValue::new(&credentials, credentials.seal(id, &key(), &self.entropy).unwrap())
    }

    fn create_secret(&self, name: &str) -> CreateSecret {
        let id = SecretId::draw(&self.entropy);
        let auth_config = AuthConfig::new(BTreeMap::from([("region".to_owned(), "eu".to_owned())])).unwrap();
        CreateSecret {
            workspace: default_workspace(),
            id,
            name: SecretName::new(name.to_owned()).unwrap(),
            value: self.value(id, VALUE),
            provider: Some("openai".to_owned()),
            auth_config,
        }
    }

    async fn secret(&self, name: &str) -> Secret {
        self.commands.run(&caller(), self.create_secret(name)).await.unwrap()
    }

    async fn model(&self, name: &str, secret: SecretId) -> ModelDefinition {
        let card = ModelCard::new(name.to_owned(), "openai".to_owned(), "gpt-4".to_owned()).unwrap();
        let id = ModelDefinitionId::draw(&self.entropy);
        let command = CreateModelDefinition { workspace: default_workspace(), id, card, secret };
        self.commands.run(&caller(), command).await.unwrap()
    }

    /// An endpoint with a model, and the commands that rename and delete it.
    pub(crate) async fn endpoint(
        &self,
        name: &str,
        renamed: &str,
    ) -> (EndpointId, UpdateEndpoint, DeleteEndpoint) {
        let model = self.model(name, self.secret(name).await.id).await;
        let create = self.create_endpoint(name, vec![self.attachment(model.id, Linkage::Primary)]);
        let id = self.commands.run(&caller(), create).await.unwrap().endpoint.id;
        let name = Some(EndpointName::new(renamed.to_owned()).unwrap());
        let change = EndpointChange { name, ..EndpointChange::default() };
        let workspace = default_workspace();
        let rename = UpdateEndpoint { workspace: workspace.clone(), id, change };
        (id, rename, DeleteEndpoint { workspace, id })
    }

    fn attachment(&self, definition: ModelDefinitionId, linkage: Linkage) -> Attachment {
        Attachment { id: MappingId::draw(&self.entropy), definition, linkage, weight: 0.5, order: None }
    }

    fn create_endpoint(&self, name: &str, attachments: Vec<Attachment>) -> CreateEndpoint {
        let id = EndpointId::draw(&self.entropy);
        CreateEndpoint {
            workspace: default_workspace(),
            id,
            name: EndpointName::new(name.to_owned()).unwrap(),
            attachments: Attachments::new(id, attachments).unwrap(),
            routing: Some(RoutingStrategy::RequestBasedTrafficSplit),
            fallback: None,
            experiment: Some(7),
            tracks_usage: true,
        }
    }
}

both!(a_secret_is_kept_sealed_and_told_masked, async |fresh: Fresh| {
    let (gateway, workspace) = (Gateway::new(&fresh), default_workspace());
    let reader = &fresh.database.reader;
    let made = gateway.secret("openai key").await;
    assert_eq!(made.masked["api_key"], "sk-...cret");
    assert_eq!(reader.secret(&workspace, made.id).await.unwrap(), Some(made.clone()));
    assert_eq!(reader.secrets(&workspace).await.unwrap(), std::slice::from_ref(&made));
    assert!(reader.secrets(&Name::new("other").unwrap()).await.unwrap().is_empty());
    let sealed = reader.sealed(&workspace, made.id).await.unwrap().unwrap();
    let opened = Credentials::open(&sealed, made.id, &key()).unwrap();
    assert_eq!(opened.fields().collect::<Vec<_>>(), [("api_key", VALUE)]);

    let taken = gateway.commands.run(&caller(), gateway.create_secret("openai key")).await.unwrap_err();
    assert_eq!(
        (taken.code(), taken.to_string()),
        (ErrorCode::AlreadyExists, "Secret with name 'openai key' already exists".to_owned())
    );

    let workspace = default_workspace();
    let value = Some(gateway.value(made.id, "sk-another-value-9876"));
    let update = UpdateSecret { workspace: workspace.clone(), id: made.id, value, auth_config: None };
    let changed = gateway.commands.run(&caller(), update).await.unwrap();
    assert_eq!((changed.masked["api_key"].as_str(), &changed.auth_config), ("sk-...9876", &made.auth_config));
    assert!(changed.stamps.updated.millis() > made.stamps.created.millis());
    let sealed = reader.sealed(&workspace, made.id).await.unwrap().unwrap();
    let opened = Credentials::open(&sealed, made.id, &key()).unwrap();
    assert_eq!(opened.fields().next(), Some(("api_key", "sk-another-value-9876")));

    // Nothing of a value is on the record.
    let events = fresh.database.read(&EventQuery::after(EventSeq(0), 100)).await.unwrap();
    let text = format!("{events:?}");
    assert!(text.contains("gateway_secret.changed"), "{text}");
    for part in [VALUE, "sk-...", "another-value"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    gateway
        .commands
        .run(&caller(), DeleteSecret { workspace: workspace.clone(), id: made.id })
        .await
        .unwrap();
    assert_eq!(reader.sealed(&workspace, made.id).await.unwrap(), None);
    let gone = gateway.commands.run(&caller(), DeleteSecret { workspace, id: made.id }).await.unwrap_err();
    assert_eq!(gone.code(), ErrorCode::NotFound);
});

both!(a_model_definition_outlives_its_secret_and_not_its_use, async |fresh: Fresh| {
    let (gateway, workspace) = (Gateway::new(&fresh), default_workspace());
    let reader = &fresh.database.reader;
    let secret = gateway.secret("key").await;
    let made = gateway.model("chat", secret.id).await;
    assert_eq!(made.secret, Some((secret.id, secret.name.clone())));
    let change = ModelDefinitionChange {
        model: Some("gpt-5".to_owned()),
        provider: Some("azure".to_owned()),
        ..ModelDefinitionChange::default()
    };
    let update = UpdateModelDefinition { workspace: workspace.clone(), id: made.id, change };
    let changed = gateway.commands.run(&caller(), update).await.unwrap();
    assert_eq!(
        (&*changed.card.model, &*changed.card.provider, &*changed.card.name),
        ("gpt-5", "azure", "chat")
    );
    assert_eq!(reader.model_definitions(&workspace).await.unwrap(), [changed]);

    let other = gateway.model("other", secret.id).await;
    let change = ModelDefinitionChange { name: Some("chat".to_owned()), ..ModelDefinitionChange::default() };
    let rename = UpdateModelDefinition { workspace: workspace.clone(), id: other.id, change };
    assert_eq!(gateway.commands.run(&caller(), rename).await.unwrap_err().code(), ErrorCode::AlreadyExists);

    let attachments = vec![gateway.attachment(made.id, Linkage::Primary)];
    let create = gateway.create_endpoint("e", attachments);
    let endpoint = gateway.commands.run(&caller(), create).await.unwrap().endpoint.id;
    let delete = DeleteModelDefinition { workspace: workspace.clone(), id: made.id };
    let used = gateway.commands.run(&caller(), delete.clone()).await.unwrap_err();
    assert!(
        used.to_string().starts_with("Cannot delete model definition that is currently in use"),
        "{used}"
    );

    gateway
        .commands
        .run(&caller(), DeleteSecret { workspace: workspace.clone(), id: secret.id })
        .await
        .unwrap();
    let found = reader.gateway_endpoint(&workspace, endpoint).await.unwrap().unwrap();
    assert_eq!(found.mappings[0].definition.secret, None);
    let detach = DetachModel { workspace: workspace.clone(), endpoint, definition: made.id };
    gateway.commands.run(&caller(), detach).await.unwrap();
    gateway.commands.run(&caller(), delete).await.unwrap();
    assert_eq!(reader.model_definition(&workspace, made.id).await.unwrap(), None);
});

fn models(detail: &EndpointDetail) -> Vec<(ModelDefinitionId, Linkage)> {
    detail.mappings.iter().map(|one| (one.attachment.definition, one.attachment.linkage)).collect()
}

both!(an_endpoint_keeps_its_models_in_order, async |fresh: Fresh| {
    let (gateway, workspace) = (Gateway::new(&fresh), default_workspace());
    let reader = &fresh.database.reader;
    let secret = gateway.secret("key").await;
    let (a, b) = (gateway.model("a", secret.id).await.id, gateway.model("b", secret.id).await.id);
    let (primary, fallback) = (Linkage::Primary, Linkage::Fallback);
    let both = vec![gateway.attachment(b, primary), gateway.attachment(a, fallback)];
    let made = gateway.commands.run(&caller(), gateway.create_endpoint("chat", both)).await.unwrap();
    assert_eq!(models(&made), [(b, primary), (a, fallback)]);
    assert_eq!((made.endpoint.fallback, made.endpoint.experiment), (Some(Fallback::default()), Some(7)));
    let id = made.endpoint.id;
    assert_eq!(reader.gateway_endpoint(&workspace, id).await.unwrap(), Some(made));

    let one = vec![gateway.attachment(a, primary)];
    let twice =
        gateway.commands.run(&caller(), gateway.create_endpoint("chat", one.clone())).await.unwrap_err();
    assert_eq!(twice.code(), ErrorCode::AlreadyExists);
    let unknown = ModelDefinitionId::draw(&gateway.entropy);
    let none = gateway.create_endpoint("none", vec![gateway.attachment(unknown, primary)]);
    assert_eq!(gateway.commands.run(&caller(), none).await.unwrap_err().code(), ErrorCode::NotFound);
    assert_eq!(reader.gateway_endpoints(&workspace).await.unwrap().len(), 1, "it left nothing");

    let again = gateway.attachment(b, primary);
    let attach = |attachment| AttachModel { workspace: workspace.clone(), endpoint: id, attachment };
    let refused = gateway.commands.run(&caller(), attach(again)).await.unwrap_err();
    assert!(refused.to_string().contains("is already attached to endpoint"), "{refused}");
    gateway.commands.run(&caller(), attach(gateway.attachment(b, fallback))).await.unwrap();
    let found = reader.gateway_endpoint(&workspace, id).await.unwrap().unwrap();
    assert_eq!(models(&found), [(b, primary), (a, fallback), (b, fallback)]);
    let detach = DetachModel { workspace: workspace.clone(), endpoint: id, definition: b };
    gateway.commands.run(&caller(), detach.clone()).await.unwrap();
    let gone = gateway.commands.run(&caller(), detach).await.unwrap_err();
    assert!(gone.to_string().contains("is not attached to endpoint"), "{gone}");

    let fallback = Fallback::new(Some(FallbackStrategy::Sequential), Some(2)).unwrap();
    let change = EndpointChange {
        name: Some(EndpointName::new("talk".to_owned()).unwrap()),
        attachments: Some(Attachments::new(id, one).unwrap()),
        fallback: Some(fallback),
        tracks_usage: Some(false),
        ..EndpointChange::default()
    };
    let update = UpdateEndpoint { workspace: workspace.clone(), id, change };
    let changed = gateway.commands.run(&caller(), update).await.unwrap();
    assert_eq!(models(&changed), [(a, primary)]);
    assert_eq!((changed.endpoint.name.as_str(), changed.endpoint.fallback), ("talk", Some(fallback)));
    assert!(!changed.endpoint.tracks_usage && changed.endpoint.experiment == Some(7));
});

both!(tags_and_bindings_go_with_their_endpoint, async |fresh: Fresh| {
    let (gateway, workspace) = (Gateway::new(&fresh), default_workspace());
    let reader = &fresh.database.reader;
    let secret = gateway.secret("key").await;
    let model = gateway.model("m", secret.id).await.id;
    let create = gateway.create_endpoint("chat", vec![gateway.attachment(model, Linkage::Primary)]);
    let endpoint = gateway.commands.run(&caller(), create).await.unwrap().endpoint.id;
    for value in ["one", "two"] {
        let tag = Tag::new("team".to_owned(), value.to_owned()).unwrap();
        let set = SetEndpointTag { workspace: workspace.clone(), endpoint, tag };
        gateway.commands.run(&caller(), set).await.unwrap();
    }
    let found = reader.gateway_endpoint(&workspace, endpoint).await.unwrap().unwrap();
    assert_eq!(found.tags, BTreeMap::from([("team".to_owned(), "two".to_owned())]));
    for _ in 0..2 {
        let delete = DeleteEndpointTag { workspace: workspace.clone(), endpoint, key: "team".to_owned() };
        gateway.commands.run(&caller(), delete).await.unwrap();
    }
    let key = BindingKey::new(endpoint, ResourceType::Scorer, "job-1".to_owned()).unwrap();
    let bind = CreateBinding { workspace: workspace.clone(), key: key.clone() };
    gateway.commands.run(&caller(), bind.clone()).await.unwrap();
    assert_eq!(gateway.commands.run(&caller(), bind).await.unwrap_err().code(), ErrorCode::AlreadyExists);
    let bound = reader.bindings(&workspace).await.unwrap();
    assert_eq!(bound.iter().map(|one| &one.key).collect::<Vec<_>>(), [&key]);
    let other = BindingKey::new(endpoint, ResourceType::Scorer, "job-2".to_owned()).unwrap();
    let unbind = |key| DeleteBinding { workspace: workspace.clone(), key };
    assert_eq!(gateway.commands.run(&caller(), unbind(other)).await.unwrap_err().code(), ErrorCode::NotFound);
    let delete = DeleteEndpoint { workspace: workspace.clone(), id: endpoint };
    gateway.commands.run(&caller(), delete).await.unwrap();
    assert!(reader.bindings(&workspace).await.unwrap().is_empty());
    assert!(reader.gateway_endpoints(&workspace).await.unwrap().is_empty());
    assert_eq!(gateway.commands.run(&caller(), unbind(key)).await.unwrap_err().code(), ErrorCode::NotFound);
});
