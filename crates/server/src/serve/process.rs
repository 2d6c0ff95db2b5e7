//! Where this process stands, for its status and its metrics.

use mainstay_api::meter::{Exposition, MetricSource};
use mainstay_api::native::endpoint::ViewReads;
use mainstay_api::native::status::{ProcessStatus, Standing};
use mainstay_api::oip::InferenceService as _;
use mainstay_core::event::EventSeq;
use mainstay_core::time::MachineTime;
use mainstay_store::Database;

use mainstay_predictor::Predictor;

/// The parts of this process that have something to tell.
pub(super) struct Process {
    pub(super) started: MachineTime,
    pub(super) database: Database,
    pub(super) predictor: Predictor,
}

impl Process {
    fn head(&self) -> EventSeq {
        *self.database.writer.committed().borrow()
    }
}

impl Process {
    /// Looked-up rows by whether their view was materialised up to their data time.
    fn collect_reads(&self, text: &mut Exposition) {
        let snapshot = self.predictor.snapshot();
        let name = "mainstay_feature_reads_total";
        text.family(
            name,
            "counter",
            "Rows that were looked up in stored views, by whether those were materialised up to their data time.",
        );
        for served in snapshot.served() {
            for ViewReads { view, reads, beyond, .. } in served.reads() {
                for (coverage, value) in [("within", reads.saturating_sub(beyond)), ("beyond", beyond)] {
                    let labels = [
                        ("workspace", served.workspace.as_str()),
                        ("endpoint", served.endpoint.name.as_str()),
                        ("view", view.as_str()),
                        ("coverage", coverage),
                    ];
                    text.sample(name, &labels, value);
                }
            }
        }
    }
}

impl ProcessStatus for Process {
    fn standing(&self) -> Standing {
        let snapshot = self.predictor.snapshot();
        Standing {
            started: self.started,
            head: self.head(),
            ready: self.predictor.is_ready(),
            followed: snapshot.seq,
            serves: snapshot.digest,
            endpoints: snapshot.served().count(),
            troubles: snapshot.troubles.len(),
        }
    }
}

impl MetricSource for Process {
    fn collect(&self, text: &mut Exposition) {
        let counts = self.database.writer.counts();
        let standing = self.standing();
        for (name, kind, help, value) in [
            ("mainstay_writer_groups_total", "counter", "Transactions that were committed.", counts.groups),
            ("mainstay_writer_commands_total", "counter", "Commands in them.", counts.commands),
            ("mainstay_writer_failures_total", "counter", "Commands that the store failed.", counts.failures),
            (
                "mainstay_event_head",
                "gauge",
                "The newest event that this process committed.",
                standing.head.0,
            ),
            (
                "mainstay_predictor_followed",
                "gauge",
                "The event up to which the predictor has followed.",
                standing.followed.0,
            ),
            (
                "mainstay_predictor_endpoints",
                "gauge",
                "Endpoints that are served.",
                standing.endpoints as u64,
            ),
            (
                "mainstay_predictor_troubles",
                "gauge",
                "Endpoints whose newest revision cannot be served.",
                standing.troubles as u64,
            ),
        ] {
            text.family(name, kind, help);
            text.sample(name, &[], value);
        }
        self.collect_reads(text);
    }
}
