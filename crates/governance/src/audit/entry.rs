//! What an event contributes to the tree.

use mainstay_core::digest::Digest;
use mainstay_core::entropy::Entropy;
use mainstay_core::event::EventSeq;
use mainstay_core::time::MachineTime;
use sha2::{Digest as _, Sha256};

/// Random bytes that keep a short body from being guessed from its digest. Erased with the body.
pub type Salt = [u8; 16];

/// Draws the salt of one event.
pub fn draw_salt(entropy: &dyn Entropy) -> Salt {
    entropy.bytes16()
}

/// `SHA-256(salt ‖ body)`, over the exact bytes of the body's JSON text as it is stored. The salt has
/// a fixed length, so the two cannot be confused.
pub fn body_digest(salt: &Salt, body: &str) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(salt);
    hasher.update(body.as_bytes());
    Digest::from_bytes(hasher.finalize().into())
}

/// Names the encoding below; a further encoding gets a further name.
const ENCODING: &[u8] = b"mainstay.event.1";

/// The facts of an event that the tree protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The position in the log, from 1.
    pub seq: EventSeq,
    /// When it was committed.
    pub at: MachineTime,
    /// What happened.
    pub kind: &'a str,
    /// Who did it.
    pub actor: &'a str,
    /// In which workspace.
    pub workspace: &'a str,
    /// To what, as `kind:id`.
    pub subject: &'a str,
    /// The [`body_digest`].
    pub body: Digest,
}

impl Entry<'_> {
    /// The leaf: `SHA-256(0x00 ‖ fields)`, the leaf hash of RFC 6962 §2.1.
    ///
    /// The fields are `mainstay.event.1`, seq, time in microseconds, kind, actor, workspace, subject
    /// and body digest, in this order; each is preceded by its length as eight little-endian bytes;
    /// numbers are eight little-endian bytes. So no two different entries are encoded alike.
    pub fn leaf(&self) -> Digest {
        let (seq, at) = (self.seq.0.to_le_bytes(), self.at.micros().to_le_bytes());
        let fields: [&[u8]; 8] = [
            ENCODING,
            &seq,
            &at,
            self.kind.as_bytes(),
            self.actor.as_bytes(),
            self.workspace.as_bytes(),
            self.subject.as_bytes(),
            self.body.as_bytes(),
        ];
        let mut hasher = Sha256::new();
        hasher.update([0]);
        for field in fields {
            hasher.update((field.len() as u64).to_le_bytes());
            hasher.update(field);
        }
        Digest::from_bytes(hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry<'static> {
        Entry {
            seq: EventSeq(7),
            at: MachineTime::from_micros(1_357_017_300_000_000),
            kind: "alias.moved",
            actor: "user:alice",
            workspace: "default",
            subject: "model:flight-delay",
            body: body_digest(&[3; 16], r#"{"alias":"champion"}"#),
        }
    }

    /// The value was computed by Python's hashlib from the encoding in the doc comment, see
    /// `tests/reference/leaf.py`.
    #[test]
    fn the_encoding_does_not_change() {
        let expected = include_str!("../../tests/reference/leaf.txt").trim();
        assert_eq!(entry().leaf().hex(), expected);
    }

    #[test]
    fn every_field_counts() {
        let base = entry();
        let changed = [
            Entry { seq: EventSeq(8), ..base },
            Entry { at: base.at.plus(1), ..base },
            Entry { kind: "alias.moveda", ..base },
            Entry { kind: "alias.move", actor: "duser:alice", ..base },
            Entry { actor: "user:bob", ..base },
            Entry { workspace: "other", ..base },
            Entry { subject: "model:other", ..base },
            Entry { body: body_digest(&[4; 16], r#"{"alias":"champion"}"#), ..base },
            Entry { body: body_digest(&[3; 16], r#"{"alias":"champiom"}"#), ..base },
        ];
        for entry in changed {
            assert_ne!(entry.leaf(), base.leaf(), "{entry:?}");
        }
    }
}
