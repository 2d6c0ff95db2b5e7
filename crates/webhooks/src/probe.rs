//! Trying a webhook out: one example, sent while somebody waits.

use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::entropy::Entropy;
use mainstay_core::time::Clock;
use mainstay_governance::port::{PROBE_BODY, Probed, WebhookProbe};
use mainstay_governance::webhook::mlflow::MlflowEvent;
use mainstay_governance::webhook::{Subscription, Webhook};

use crate::DeliveryOptions;
use crate::mlflow::{DeliveryId, Told, example, message};
use crate::sender::{Answer, NotDelivered, Sender};

/// Sends examples under the rules of all deliveries.
pub struct Prober {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    options: DeliveryOptions,
}

impl Prober {
    /// Calls nobody yet. `clock` gives the time that is signed, `entropy` the ids of deliveries.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, options: DeliveryOptions) -> Self {
        Self { clock, entropy, options }
    }

    async fn send(&self, webhook: &Webhook, event: MlflowEvent) -> Result<Answer, NotDelivered> {
        let secret = match &webhook.definition.subscription {
            Subscription::Mlflow { secret, .. } => secret.as_ref(),
            Subscription::Native { secret, .. } => Some(secret),
        };
        let now = self.clock.now();
        let told = Told { event, at: now, data: example(event) };
        let delivery = (DeliveryId::draw(&*self.entropy), now);
        let message = message(webhook, secret, &told, delivery, self.options.allow_private)?;
        Sender::new(&self.options, self.clock.clone())?.send(&message, PROBE_BODY).await
    }
}

#[async_trait]
impl WebhookProbe for Prober {
    fn allows_private(&self) -> bool {
        self.options.allow_private
    }

    async fn probe(&self, webhook: &Webhook, event: MlflowEvent) -> Probed {
        match self.send(webhook, event).await {
            Ok(Answer { status, body, .. }) => Probed::Answered {
                status: status.as_u16(),
                body: String::from_utf8_lossy(&body).into_owned(),
            },
            Err(error) => Probed::Unanswered(error.to_string()),
        }
    }
}
