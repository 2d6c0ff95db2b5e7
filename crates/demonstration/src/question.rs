//! The questions, each with the page that answers it. They were written from what people ask, before they were
//! searched for, and none was changed because it was not found.

/// A question to the documentation.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// What is asked.
    pub text: &'static str,
    /// The path of the page that answers it.
    pub page: &'static str,
}

const fn asked(text: &'static str, page: &'static str) -> Question {
    Question { text, page }
}

/// Every question.
pub const QUESTIONS: &[Question] = &[
    asked("Why was my run refused with quota-exceeded?", "docs/errors/quota-exceeded.md"),
    asked("How do I get rid of deleted runs for good?", "docs/how-to/keep-and-delete.md"),
    asked("How can our chat be told that an alarm was raised?", "docs/how-to/webhooks.md"),
    asked("Can artifacts be kept in MinIO?", "docs/how-to/s3.md"),
    asked("How do I bring everything over from my old MLflow server?", "docs/how-to/move-from-mlflow.md"),
    asked("Does it run with a PostgreSQL database?", "docs/how-to/postgresql.md"),
    asked("How do I give a program a token that can only read?", "docs/how-to/tokens.md"),
    asked("How do I make a backup while the server runs?", "docs/how-to/back-up.md"),
    asked("Why am I told that the origin of my request is foreign?", "docs/errors/foreign-origin.md"),
    asked("What changed between two versions of a prompt?", "docs/how-to/compare-versions.md"),
    asked("How do I share an experiment with one other person?", "docs/how-to/users.md"),
    asked("Why can labels that come early be misleading?", "docs/concepts/monitoring.md"),
    asked("What becomes of a running pipeline when the machine loses power?", "docs/concepts/pipelines.md"),
    asked("Why may a version not be promoted when a gate is inconclusive?", "docs/errors/gate-not-passed.md"),
    asked("How can I prove that nobody changed the record afterwards?", "docs/concepts/record.md"),
    asked("What is the difference between machine time and data time?", "docs/concepts/time.md"),
    asked("How are features kept from looking into the future?", "docs/concepts/features.md"),
    asked("What is wrong with the filter of my search?", "docs/errors/invalid-filter.md"),
    asked("How do I ask an endpoint for a prediction with curl?", "docs/how-to/call-an-endpoint.md"),
    asked("Where are the API keys of LLM providers stored?", "docs/how-to/gateway-keys.md"),
    asked("How do I find the span that failed in a large trace?", "docs/how-to/look-at-traces.md"),
    asked("Are predictions lost when the server is killed?", "docs/concepts/prediction-log.md"),
    asked("Why can this run not be purged, what still uses it?", "docs/errors/still-needed.md"),
    asked("Can I train the model with a Python script of my own?", "docs/how-to/train-in-python.md"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::page::PAGES;

    #[test]
    fn every_question_is_asked_once_and_its_page_is_carried() {
        let texts: BTreeSet<&str> = QUESTIONS.iter().map(|question| question.text).collect();
        assert_eq!(texts.len(), QUESTIONS.len());
        for question in QUESTIONS {
            assert!(PAGES.iter().any(|page| page.path == question.page), "{}", question.page);
        }
    }
}
