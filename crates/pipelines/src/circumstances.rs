//! Under which circumstances a step gave its result: what else than its definition it may have depended on.

use std::collections::BTreeMap;

use mainstay_core::digest::Digest;
use mainstay_core::id::PipelineRunId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a step found where it ran. Kept with its result, so that it can be done again, and compared.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Circumstances {
    /// The version of this program.
    pub program: String,
    /// The state of the code below the pipeline's root; of commands in a Git repository alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeVersion>,
    /// The digests of the files that pin the packages of the environment, by name: `uv.lock`, `requirements.txt`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub locks: BTreeMap<String, Digest>,
    /// The machine.
    pub hardware: Hardware,
    /// What its randomness was drawn from, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Value>,
    /// The table versions that it read, by dataset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, DataVersion>,
    /// The feature definitions that it read, by project.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<String, DataVersion>,
    /// The digests of the files that it depends on, by their paths below the pipeline's root.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Digest>,
}

/// A state of code under version control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeVersion {
    /// The commit that was checked out.
    pub commit: String,
    /// Whether files that are under version control were different from it.
    pub dirty: bool,
}

/// A table version, or a revision of feature definitions: by its number and by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataVersion {
    /// Its number.
    pub version: u64,
    /// The digest of its content.
    pub digest: Digest,
}

/// A machine, as far as results may depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hardware {
    /// The operating system, such as `linux`.
    pub os: String,
    /// The architecture, such as `x86_64`.
    pub arch: String,
    /// The model of the processor, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// How many threads may run at once.
    pub cores: usize,
    /// Bytes of memory, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

/// Where a result comes from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Provenance {
    /// The key under which the result may stand for an equal step.
    pub cache_key: Option<Digest>,
    /// The run that computed it, if it was taken over.
    pub reused_from: Option<PipelineRunId>,
    /// What the step found where it ran.
    pub circumstances: Option<Box<Circumstances>>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_takes_no_room() {
        let hardware =
            Hardware { os: "linux".into(), arch: "x86_64".into(), cores: 2, ..Hardware::default() };
        let known = Circumstances { program: "1".into(), hardware, ..Circumstances::default() };
        let text = json!({ "program": "1", "hardware": { "os": "linux", "arch": "x86_64", "cores": 2 } });
        assert_eq!(json!(known), text);
        assert_eq!(serde_json::from_value::<Circumstances>(text).unwrap(), known);
    }
}
