//! Lets the writer take commands that are written against a domain's port.

use mainstay_core::command::{BoxFuture, Context, Job, Journal, Refused, Unit};
use mainstay_core::error::StorageError;
use mainstay_data::ports::DataTx;
use mainstay_evaluation::issue::port::IssueTx;
use mainstay_evaluation::port::EvaluationTx;
use mainstay_evaluation::scorer::port::ScorerTx;
use mainstay_features::port::FeaturesTx;
use mainstay_gateway::port::GatewayTx;
use mainstay_governance::port::{AuditTx, DeliveryTx, GovernanceTx, PeopleTx, ProjectionTx};
use mainstay_monitoring::port::MonitoringTx;
use mainstay_pipelines::port::PipelineTx;
use mainstay_registry::port::RegistryTx;
use mainstay_retention::port::{PurgeTx, RuleTx};
use mainstay_retention::quota::QuotaTx;
use mainstay_serving::port::ServingTx;
use mainstay_traces::port::TraceTx;
use mainstay_tracking::port::TrackingTx;
use mainstay_tracking::saved_view::port::SavedViewTx;
use mainstay_tracking::series::port::SeriesTx;

use crate::tx::StoreTx;
use crate::writer::Writer;

/// A job for a port, presented as a job for the one transaction type.
struct Narrowed<Tx: ?Sized>(Box<dyn Job<Tx>>);

macro_rules! ports {
    ($($port:ty),* $(,)?) => {$(
        impl Job<StoreTx> for Narrowed<$port> {
            fn context(&self) -> &Context {
                self.0.context()
            }

            fn apply<'a>(&'a mut self, tx: &'a mut StoreTx) -> BoxFuture<'a, Result<(), Refused>> {
                self.0.apply(tx)
            }

            fn settle(self: Box<Self>, committed: Result<(), StorageError>) {
                self.0.settle(committed);
            }
        }

        impl Unit<$port> for Writer {
            fn submit(&self, job: Box<dyn Job<$port>>) -> BoxFuture<'_, Result<(), StorageError>> {
                Unit::<StoreTx>::submit(self, Box::new(Narrowed(job)))
            }
        }
    )*};
}

ports! {
    dyn Journal,
    dyn AuditTx,
    dyn DataTx,
    dyn DeliveryTx,
    dyn EvaluationTx,
    dyn FeaturesTx,
    dyn GatewayTx,
    dyn GovernanceTx,
    dyn IssueTx,
    dyn MonitoringTx,
    dyn PeopleTx,
    dyn PipelineTx,
    dyn ProjectionTx,
    dyn PurgeTx,
    dyn QuotaTx,
    dyn RegistryTx,
    dyn RuleTx,
    dyn SavedViewTx,
    dyn ScorerTx,
    dyn SeriesTx,
    dyn ServingTx,
    dyn TraceTx,
    dyn TrackingTx,
}
