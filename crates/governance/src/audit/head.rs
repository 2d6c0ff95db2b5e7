//! Heads: the size and root of the log at an instant, signed with Ed25519 (RFC 8032).

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer as _};
use mainstay_core::digest::Digest;
use mainstay_core::entropy::Entropy;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The first bytes of every message signed here, so that a signature can stand for nothing else.
const DOMAIN: &[u8] = b"mainstay.audit.head.1\0";
/// The first word of a private key file.
const SECRET: &str = "mainstay-ed25519-secret-1";
/// The first word of a public key file.
const PUBLIC: &str = "mainstay-ed25519-public-1";

/// A key file cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is not a key file: it must hold '{SECRET}' or '{PUBLIC}' and 64 hexadecimal characters")]
pub struct InvalidKey;

impl Coded for InvalidKey {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// A head was not signed by the key that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the head was not signed by the key that it names, or it was changed afterwards")]
pub struct WrongSignature;

impl Coded for WrongSignature {
    fn code(&self) -> ErrorCode {
        ErrorCode::Corrupt
    }
}

/// The first eight bytes of the SHA-256 of a public key, as 16 hexadecimal characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl KeyId {
    /// An id as it was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The state of the log at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many events it held; the sequence number of the last one.
    pub size: u64,
    /// The root of the tree of their leaves.
    pub root: Digest,
    /// When, in microseconds since the Unix epoch.
    pub time: MachineTime,
}

impl Head {
    /// `mainstay.audit.head.1`, a zero byte, size, root, time; numbers as eight little-endian bytes.
    fn message(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(DOMAIN.len() + 48);
        message.extend_from_slice(DOMAIN);
        message.extend_from_slice(&self.size.to_le_bytes());
        message.extend_from_slice(self.root.as_bytes());
        message.extend_from_slice(&self.time.micros().to_le_bytes());
        message
    }
}

/// A head with its signature: what is kept elsewhere and given to `mainstay audit verify --head`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// The state.
    #[serde(flatten)]
    pub head: Head,
    /// Who signed.
    pub key: KeyId,
    /// 64 bytes as hexadecimal.
    pub signature: String,
}

/// The key that signs heads. Its `Debug` shows the id only; its memory is cleared when dropped.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Draws a new key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut seed = [0; 32];
        entropy.fill(&mut seed);
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// Signs a head.
    pub fn sign(&self, head: Head) -> SignedHead {
        let signature = hex::encode(self.0.sign(&head.message()).to_bytes());
        SignedHead { head, key: self.public().id(), signature }
    }

    /// The other half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The content of the key file: one line, the format's name and the seed. Keep it unreadable to
    /// others.
    pub fn to_file(&self) -> String {
        format!("{SECRET} {}\n", hex::encode(self.0.to_bytes()))
    }

    /// Reads a key file.
    pub fn from_file(text: &str) -> Result<Self, InvalidKey> {
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(&key_line(text, SECRET)?)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public().id())
    }
}

/// The key that checks heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// The id by which heads name this key.
    pub fn id(&self) -> KeyId {
        let digest = Digest::of(self.0.as_bytes());
        KeyId(hex::encode(digest.as_bytes().iter().take(8).copied().collect::<Vec<u8>>()))
    }

    /// Checks a head, with the strict rules that leave one signature per message and key.
    pub fn verify(&self, signed: &SignedHead) -> Result<(), WrongSignature> {
        let mut bytes = [0; 64];
        hex::decode_to_slice(&signed.signature, &mut bytes).map_err(|_| WrongSignature)?;
        if signed.key != self.id() {
            return Err(WrongSignature);
        }
        self.0
            .verify_strict(&signed.head.message(), &Signature::from_bytes(&bytes))
            .map_err(|_| WrongSignature)
    }

    /// The content of the public key file.
    pub fn to_file(&self) -> String {
        format!("{PUBLIC} {}\n", hex::encode(self.0.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    /// Reads a public key file.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let bytes = key_line(text, PUBLIC)?;
        ed25519_dalek::VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| InvalidKey)
    }
}

fn key_line(text: &str, format: &str) -> Result<[u8; 32], InvalidKey> {
    let digits = text.trim().strip_prefix(format).ok_or(InvalidKey)?.strip_prefix(' ').ok_or(InvalidKey)?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| InvalidKey)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;

    use super::*;

    fn head() -> Head {
        Head { size: 3, root: Digest::of(b"root"), time: MachineTime::from_micros(9) }
    }

    #[test]
    fn signed_heads_are_checked_field_by_field() {
        let key = SigningKey::generate(&SeededEntropy::new(1));
        let signed = key.sign(head());
        assert_eq!(key.public().verify(&signed), Ok(()));
        let text = serde_json::to_string(&signed).unwrap();
        assert_eq!(serde_json::from_str::<SignedHead>(&text).unwrap(), signed);

        let other = SigningKey::generate(&SeededEntropy::new(2));
        assert_eq!(other.public().verify(&signed), Err(WrongSignature));
        for changed in [
            Head { size: 4, ..head() },
            Head { root: Digest::of(b"r"), ..head() },
            Head { time: MachineTime::from_micros(8), ..head() },
        ] {
            let forged = SignedHead { head: changed, ..signed.clone() };
            assert_eq!(key.public().verify(&forged), Err(WrongSignature));
        }
        for bad in ["", "00", "zz"] {
            let forged = SignedHead { signature: bad.to_owned(), ..signed.clone() };
            assert_eq!(key.public().verify(&forged), Err(WrongSignature));
        }
    }

    #[test]
    fn key_files_round_trip_and_keep_their_halves_apart() {
        let key = SigningKey::generate(&SeededEntropy::new(1));
        let again = SigningKey::from_file(&key.to_file()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(key.public().to_file().parse::<PublicKey>(), Ok(key.public()));
        assert!(key.to_file().parse::<PublicKey>().is_err());
        assert!(SigningKey::from_file(&key.public().to_file()).is_err());
        assert!(!format!("{key:?}").contains(&hex::encode(key.0.to_bytes())));
    }
}
