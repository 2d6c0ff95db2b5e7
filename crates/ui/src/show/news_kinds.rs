//! Which events are worth a line among the news; all of them stand in the audit.

/// Their kinds, in order. What is logged by the thousand (metrics, spans, tags, steps) is not among them.
pub(crate) const NEWS_KINDS: [&str; 82] = [
    "access.refused",
    "alarm.cleared",
    "alarm.raised",
    "alarm.resolved",
    "alias.deleted",
    "alias.moved",
    "approval.decided",
    "approval.expired",
    "approval.requested",
    "approval.withdrawn",
    "custom_role.created",
    "custom_role.deleted",
    "dataset.created",
    "endpoint.changed",
    "endpoint.created",
    "endpoint.revised",
    "endpoint.rolled_back",
    "evaluation_dataset.created",
    "evaluation_dataset.deleted",
    "experiment.created",
    "experiment.deleted",
    "experiment.imported",
    "experiment.purged",
    "experiment.renamed",
    "experiment.restored",
    "features.applied",
    "features.materialised",
    "gates.evaluated",
    "gateway_endpoint.created",
    "gateway_endpoint.deleted",
    "gateway_model.created",
    "gateway_model.deleted",
    "gateway_secret.created",
    "gateway_secret.deleted",
    "issue.created",
    "logged_model.created",
    "model.created",
    "model.deleted",
    "model.imported",
    "model.renamed",
    "model_version.deleted",
    "model_version.registered",
    "model_version.staged",
    "permission.granted",
    "permission.revoked",
    "pipeline.defined",
    "pipeline_run.finished",
    "pipeline_run.started",
    "purge.finished",
    "purge.started",
    "quota.set",
    "retention_rule.deleted",
    "retention_rule.saved",
    "role.granted",
    "role.revoked",
    "rollout.aborted",
    "rollout.advanced",
    "rollout.held",
    "rollout.promoted",
    "rollout.rolled_back",
    "rollout.started",
    "run.created",
    "run.deleted",
    "run.imported",
    "run.purged",
    "run.restored",
    "run.updated",
    "saved_view.saved",
    "schedule.refused",
    "scorer.registered",
    "step.failed",
    "step.skipped",
    "table.committed",
    "table.validated",
    "token.created",
    "token.revoked",
    "user.created",
    "user.deleted",
    "webhook.created",
    "webhook.deleted",
    "workspace.created",
    "workspace.deleted",
];

/// Whether an event is worth a line among the news.
pub(crate) fn is_news(kind: &str) -> bool {
    NEWS_KINDS.binary_search(&kind).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_are_in_order() {
        assert!(NEWS_KINDS.is_sorted());
        assert!(is_news("run.created") && is_news("alarm.raised"));
        assert!(!is_news("run.logged") && !is_news("trace.started") && !is_news("run.tagged"));
    }
}
