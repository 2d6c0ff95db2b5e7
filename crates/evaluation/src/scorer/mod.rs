//! Scorers: named, versioned descriptions of how an answer is judged. They belong to an experiment. The
//! server keeps them and never runs them, which is why one that carries code is refused.
//!
//! Semantics are those of `mlflow/store/tracking/sqlalchemy_store.py` of 3.18. The judge of a scorer may be an
//! endpoint of the gateway, which it names; the version remembers the endpoint by its id, and is shown with the name
//! that the endpoint has by then.

pub mod command;
pub mod error;
pub mod import;
pub mod port;
mod serialized;

use std::fmt;
use std::str::FromStr;

use mainstay_core::entropy::Entropy;
use mainstay_core::id::{InvalidId, parse_bytes, write_hex};
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::time::MachineTime;

pub use serialized::{SerializedScorer, with_judge_endpoint};

use mainstay_core::experiment::ExperimentId;

mainstay_core::id_type! {
    /// Names one setting of how a scorer is run on traces as they come.
    pub struct OnlineConfigId;
}

/// The id of a scorer: a random UUID, which stays while versions come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScorerId([u8; 16]);

impl ScorerId {
    /// Draws a new id.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = entropy.bytes16();
        // Version 4, variant 1 (RFC 9562).
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for ScorerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Hex([u8; 16]);
        impl fmt::Display for Hex {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(self.0, f)
            }
        }
        let hex = Hex(self.0).to_string();
        let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
        f.write_str(&groups.join("-"))
    }
}

impl FromStr for ScorerId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let id = Self(parse_bytes(&text.replace('-', ""))?);
        if id.to_string() == text { Ok(id) } else { Err(InvalidId) }
    }
}

/// A scorer, without its versions. One that lost all its versions stays, unseen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scorer {
    /// The id.
    pub id: ScorerId,
    /// Its experiment.
    pub experiment: ExperimentId,
    /// Its name, unique in the experiment.
    pub name: String,
}

/// A version of a scorer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScorerVersion {
    /// The number: one more than the highest that there is.
    pub number: i64,
    /// What the client sent: JSON text.
    pub serialized: String,
    /// When it was registered.
    pub created: MachineTime,
}

/// A version with its scorer: what readers and commands hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredScorer {
    /// The scorer.
    pub scorer: Scorer,
    /// The version.
    pub version: ScorerVersion,
}

/// How a scorer is run on traces as they come.
#[derive(Debug, Clone, PartialEq)]
pub struct OnlineConfig {
    /// The id, a new one with each change.
    pub id: OnlineConfigId,
    /// Which scorer.
    pub scorer: ScorerId,
    /// On traces of which experiment.
    pub experiment: ExperimentId,
    /// On which share of them, from 0 to 1.
    pub sample_rate: f64,
    /// On which of them.
    pub filter: Option<String>,
}

/// How the record names a scorer.
pub fn scorer_subject(experiment: ExperimentId, name: &str) -> Subject {
    Subject::new(ResourceKind::Scorer, format_args!("{experiment}/{name}"))
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;

    use super::*;

    #[test]
    fn ids_are_random_uuids() {
        let id = ScorerId::draw(&SeededEntropy::new(1));
        let text = id.to_string();
        assert_eq!((text.len(), text.as_bytes()[14]), (36, b'4'));
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.replace('-', "").parse::<ScorerId>(), Err(InvalidId));
    }
}
