//! The gateway's secrets, model definitions and endpoints, and webhooks.

use mainstay_core::name::Name;
use mainstay_gateway::port::GatewayReader as _;
use mainstay_gateway::secret::Credentials;
use mainstay_governance::port::GovernanceReader as _;
use mainstay_governance::webhook::{Definition, Subscription, WebhookSecret};

use super::{Pair, Verifier, canonical};
use crate::error::ImportError;

impl Verifier<'_> {
    /// Each is opened on both sides.
    pub(super) async fn secrets(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let mut after = None;
        loop {
            let page = self.stock.secrets(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            for there in &page.items {
                let id = there.secret.id;
                let here = match self.reader.secret(workspace, id).await? {
                    Some(here) => {
                        let sealed = self.reader.sealed(workspace, id).await?;
                        let key = self.keys.key().await?;
                        let opened = sealed.map(|sealed| Credentials::open(&sealed, id, &key)).transpose()?;
                        Some(canonical::secret(&here, opened.as_ref() == Some(&there.credentials)))
                    }
                    None => None,
                };
                let what = || format!("secret {:?} of the gateway", there.secret.name.as_str());
                self.note(pair, what, &canonical::secret(&there.secret, true), here.as_ref());
            }
            (self.tell)("gateway secrets", page.items.len() as u64);
        }
    }

    pub(super) async fn model_definitions(
        &mut self,
        workspace: &Name,
        pair: &mut Pair,
    ) -> Result<(), ImportError> {
        let mut after = None;
        loop {
            let page = self.stock.model_definitions(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            for there in &page.items {
                let here = self.reader.model_definition(workspace, there.id).await?;
                let here = here.as_ref().map(canonical::model_definition);
                let what = || format!("model definition {:?} of the gateway", there.card.name);
                self.note(pair, what, &canonical::model_definition(there), here.as_ref());
            }
            (self.tell)("gateway model definitions", page.items.len() as u64);
        }
    }

    pub(super) async fn endpoints(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let bindings = self.reader.bindings(workspace).await?;
        let mut after = None;
        loop {
            let page = self.stock.endpoints(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            for there in &page.items {
                let of = &there.detail.endpoint;
                let here = self.reader.gateway_endpoint(workspace, of.id).await?;
                let bound = bindings.iter().filter(|binding| binding.key.endpoint == of.id);
                let here = here.map(|here| canonical::endpoint(&here, bound));
                let what = || format!("endpoint {:?} of the gateway", of.name.as_str());
                let there = canonical::endpoint(&there.detail, there.bindings.iter());
                self.note(pair, what, &there, here.as_ref());
            }
            (self.tell)("gateway endpoints", page.items.len() as u64);
        }
    }

    pub(super) async fn webhooks(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let ours = self.reader.webhooks().await?;
        let mut after = None;
        loop {
            let page = self.stock.webhooks(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            for there in &page.items {
                let here = ours.iter().find(|(at, webhook)| at == workspace && webhook.id == there.id);
                let here = here.map(|(_, webhook)| {
                    canonical::webhook(webhook, secret(&webhook.definition) == secret(&there.definition))
                });
                let what = || format!("webhook {}", there.id);
                self.note(pair, what, &canonical::webhook(there, true), here.as_ref());
            }
            (self.tell)("webhooks", page.items.len() as u64);
        }
    }
}

const fn secret(definition: &Definition) -> Option<&WebhookSecret> {
    match &definition.subscription {
        Subscription::Native { secret, .. } => Some(secret),
        Subscription::Mlflow { secret, .. } => secret.as_ref(),
    }
}
