//! The pages of the documentation that the program carries, as they were when it was built.

/// A page of the documentation.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Its path in the repository.
    pub path: &'static str,
    /// Its text, in Markdown.
    pub text: &'static str,
}

macro_rules! pages {
    ($($path:literal)*) => {
        /// Every page of the concepts, the errors and the how-tos.
        pub const PAGES: &[Page] = &[$(Page {
            path: concat!("docs/", $path),
            text: include_str!(concat!("../../../docs/", $path)),
        },)*];
    };
}

pages! {
    "concepts/console.md"
    "concepts/features.md"
    "concepts/gates.md"
    "concepts/loop.md"
    "concepts/monitoring.md"
    "concepts/pipelines.md"
    "concepts/prediction-log.md"
    "concepts/record.md"
    "concepts/time.md"
    "errors/already-exists.md"
    "errors/corrupt.md"
    "errors/foreign-origin.md"
    "errors/gate-not-passed.md"
    "errors/internal.md"
    "errors/invalid-argument.md"
    "errors/invalid-data.md"
    "errors/invalid-definition.md"
    "errors/invalid-filter.md"
    "errors/invalid-model.md"
    "errors/invalid-name.md"
    "errors/label-conflict.md"
    "errors/malformed-body.md"
    "errors/method-not-allowed.md"
    "errors/not-found.md"
    "errors/not-reproducible.md"
    "errors/permission-denied.md"
    "errors/quota-exceeded.md"
    "errors/rate-limited.md"
    "errors/revision-conflict.md"
    "errors/signature-mismatch.md"
    "errors/stale-token.md"
    "errors/still-needed.md"
    "errors/storage-full.md"
    "errors/too-large.md"
    "errors/too-slow.md"
    "errors/unauthenticated.md"
    "errors/unavailable.md"
    "errors/unsupported.md"
    "errors/wrong-state.md"
    "how-to/ask-why.md"
    "how-to/back-up.md"
    "how-to/call-an-endpoint.md"
    "how-to/compare-versions.md"
    "how-to/gateway-keys.md"
    "how-to/keep-and-delete.md"
    "how-to/look-at-runs.md"
    "how-to/look-at-traces.md"
    "how-to/mlflow.md"
    "how-to/move-from-mlflow.md"
    "how-to/postgresql.md"
    "how-to/runs-from-the-terminal.md"
    "how-to/s3.md"
    "how-to/tokens.md"
    "how-to/train-in-python.md"
    "how-to/users.md"
    "how-to/webhooks.md"
    "how-to/write-a-pipeline.md"
    "how-to/write-features.md"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_page_of_these_folders_is_carried() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let mut written = BTreeSet::new();
        for folder in ["concepts", "errors", "how-to"] {
            for entry in std::fs::read_dir(docs.join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                written.insert(format!("docs/{folder}/{name}"));
            }
        }
        let carried: BTreeSet<String> = PAGES.iter().map(|page| page.path.to_owned()).collect();
        assert_eq!(carried, written);
    }
}
