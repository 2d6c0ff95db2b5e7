//! Sealing: each secret is encrypted under a data key of its own, drawn for it; that key is wrapped under the key
//! encryption key, which is never stored beside the data.
//!
//! Both steps are AES-256-GCM (NIST SP 800-38D) under a nonce of 96 random bits, written in front of the
//! ciphertext. What is sealed is bound to the secret's id by the associated data, so that a row's bytes are of no
//! use in another row. A data key seals once; under one key encryption key some 2^32 data keys can be wrapped
//! before two nonces are likely enough to be equal that the standard says to stop.
//!
//! The key encryption key is 32 random bytes from a file, or derived from a passphrase by Argon2id (RFC 9106). The
//! salt of that is fixed: the passphrase alone must open the secrets of a restored database, and it belongs to one
//! installation; its strength is in its length. Each wrapped key names the key that wraps it by a digest, so that
//! a wrong passphrase is told from damage, and so that keys of two generations can lie side by side while
//! [`Sealed::rewrapped`] takes the secrets from one to the other: that changes no ciphertext, as the data key stays.

use std::fmt;
use std::str::FromStr;

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use mainstay_core::entropy::Entropy;
use mainstay_core::error::{Coded, ErrorCode};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// Memory in KiB, passes and lanes of Argon2id: the second choice of RFC 9106, section 4.
const COST: (u32, u32, u32) = (64 << 10, 3, 4);
const SALT: &[u8] = b"mainstay gateway key encryption key, 1";
/// Fewest characters of a passphrase that nobody guesses.
pub const GOOD_PASSPHRASE: usize = 32;

/// Why something could not be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SealError {
    /// It was sealed under another key.
    #[error(
        "the secret was sealed under key {of}, and this server has key {has}: start it with the passphrase or the \
         key file of that time, or set the secret's value again"
    )]
    OtherKey {
        /// The key that it was sealed under.
        of: KeyId,
        /// The key that there is.
        has: KeyId,
    },
    /// The bytes are not what was sealed for this secret.
    #[error("the sealed secret is damaged, or of another secret; set its value again")]
    Unsealable,
    /// The passphrase gives no key.
    #[error("no key can be derived from the passphrase; choose another one")]
    Passphrase,
}

impl Coded for SealError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::OtherKey { .. } => ErrorCode::WrongState,
            Self::Unsealable => ErrorCode::Corrupt,
            Self::Passphrase => ErrorCode::InvalidArgument,
        }
    }
}

/// Names a key encryption key: 16 hexadecimal characters of a digest that does not lead back to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId(String);

impl KeyId {
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

impl FromStr for KeyId {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        let is_id =
            text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_id { Ok(Self(text.to_owned())) } else { Err(SealError::Unsealable) }
    }
}

/// The key that wraps the keys of secrets. `Debug` shows its id.
pub struct KeyEncryptionKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    id: KeyId,
}

impl KeyEncryptionKey {
    /// Draws a new key.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *bytes);
        Self::from_bytes(*bytes)
    }

    /// The key of these bytes.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"mainstay gateway key id\0");
        digest.update(bytes);
        let digest: [u8; 32] = digest.finalize().into();
        let (id, _) = digest.split_at(8);
        Self { bytes: Zeroizing::new(bytes), id: KeyId(hex::encode(id)) }
    }

    /// The key of a passphrase. It takes some hundred milliseconds and 64 MiB.
    pub fn from_passphrase(passphrase: &str) -> Result<Self, SealError> {
        let (memory, passes, lanes) = COST;
        let params =
            Params::new(memory, passes, lanes, Some(KEY_BYTES)).map_err(|_| SealError::Passphrase)?;
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2
            .hash_password_into(passphrase.as_bytes(), SALT, &mut *bytes)
            .map_err(|_| SealError::Passphrase)?;
        Ok(Self::from_bytes(*bytes))
    }

    /// The bytes, for the file that keeps them.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// What the key is named by.
    pub fn id(&self) -> &KeyId {
        &self.id
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyEncryptionKey({})", self.id)
    }
}

/// A sealed secret, as it is stored. `Debug` names the key alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The key encryption key.
    pub key: KeyId,
    /// The data key, wrapped: nonce, ciphertext, tag.
    pub wrapped_key: Vec<u8>,
    /// The values, sealed: nonce, ciphertext, tag.
    pub ciphertext: Vec<u8>,
}

impl Sealed {
    /// Seals `plaintext`; it opens only where `bound_to` is said again.
    pub fn seal(
        plaintext: &[u8],
        bound_to: &str,
        key: &KeyEncryptionKey,
        entropy: &dyn Entropy,
    ) -> Result<Self, SealError> {
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *data_key);
        let ciphertext = encrypt(plaintext, &data_key, &associated("value", bound_to), entropy)?;
        let wrapped_key = encrypt(&*data_key, &key.bytes, &associated("key", bound_to), entropy)?;
        Ok(Self { key: key.id.clone(), wrapped_key, ciphertext })
    }

    /// What was sealed.
    pub fn open(&self, bound_to: &str, key: &KeyEncryptionKey) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let data_key = self.data_key(bound_to, key)?;
        decrypt(&self.ciphertext, &data_key, &associated("value", bound_to))
    }

    /// The same under another key encryption key.
    pub fn rewrapped(
        &self,
        bound_to: &str,
        (old, new): (&KeyEncryptionKey, &KeyEncryptionKey),
        entropy: &dyn Entropy,
    ) -> Result<Self, SealError> {
        let data_key = self.data_key(bound_to, old)?;
        let wrapped_key = encrypt(&*data_key, &new.bytes, &associated("key", bound_to), entropy)?;
        Ok(Self { key: new.id.clone(), wrapped_key, ciphertext: self.ciphertext.clone() })
    }

    fn data_key(
        &self,
        bound_to: &str,
        key: &KeyEncryptionKey,
    ) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
        if self.key != key.id {
            return Err(SealError::OtherKey { of: self.key.clone(), has: key.id.clone() });
        }
        let opened = decrypt(&self.wrapped_key, &key.bytes, &associated("key", bound_to))?;
        let data_key: &[u8; KEY_BYTES] = opened.as_slice().try_into().map_err(|_| SealError::Unsealable)?;
        Ok(Zeroizing::new(*data_key))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed(under {})", self.key)
    }
}

fn associated(what: &str, bound_to: &str) -> Vec<u8> {
    format!("mainstay gateway {what}\0{bound_to}").into_bytes()
}

fn encrypt(
    plaintext: &[u8],
    key: &[u8; KEY_BYTES],
    associated: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE_BYTES];
    entropy.fill(&mut nonce);
    let cipher = Aes256Gcm::new(key.into());
    let sealed = cipher
        .encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad: associated })
        .map_err(|_| SealError::Unsealable)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn decrypt(sealed: &[u8], key: &[u8; KEY_BYTES], associated: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Unsealable)?;
    let cipher = Aes256Gcm::new(key.into());
    let opened = cipher.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: associated });
    opened.map(Zeroizing::new).map_err(|_| SealError::Unsealable)
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;

    use super::*;

    fn key(byte: u8) -> KeyEncryptionKey {
        KeyEncryptionKey::from_bytes([byte; KEY_BYTES])
    }

    #[test]
    fn only_the_key_and_the_place_open_it() {
        let entropy = SeededEntropy::new(1);
        let sealed = Sealed::seal(b"sk-secret", "s-1", &key(1), &entropy).unwrap();
        assert_eq!(sealed.open("s-1", &key(1)).unwrap().as_slice(), b"sk-secret");
        assert_eq!(sealed.open("s-2", &key(1)), Err(SealError::Unsealable));
        let other = sealed.open("s-1", &key(2)).unwrap_err();
        assert_eq!(other, SealError::OtherKey { of: key(1).id().clone(), has: key(2).id().clone() });
        // The same bytes under the name of another key: the tag tells.
        let renamed = Sealed { key: key(2).id().clone(), ..sealed.clone() };
        assert_eq!(renamed.open("s-1", &key(2)), Err(SealError::Unsealable));
        assert!(!sealed.ciphertext.windows(6).any(|window| window == b"secret"));
        assert_eq!(format!("{sealed:?} {:?}", key(1)).matches(key(1).id().as_str()).count(), 2);
    }

    #[test]
    fn any_changed_byte_is_found() {
        let entropy = SeededEntropy::new(2);
        let sealed = Sealed::seal(b"x", "s-1", &key(1), &entropy).unwrap();
        for at in 0..sealed.ciphertext.len() {
            let mut changed = sealed.clone();
            changed.ciphertext[at] ^= 1;
            assert_eq!(changed.open("s-1", &key(1)), Err(SealError::Unsealable), "ciphertext {at}");
        }
        for at in 0..sealed.wrapped_key.len() {
            let mut changed = sealed.clone();
            changed.wrapped_key[at] ^= 1;
            assert_eq!(changed.open("s-1", &key(1)), Err(SealError::Unsealable), "key {at}");
        }
        let short = Sealed { ciphertext: vec![0; 5], ..sealed };
        assert_eq!(short.open("s-1", &key(1)), Err(SealError::Unsealable));
    }

    #[test]
    fn a_rotation_changes_the_wrapping_alone() {
        let entropy = SeededEntropy::new(3);
        let sealed = Sealed::seal(b"value", "s-1", &key(1), &entropy).unwrap();
        let moved = sealed.rewrapped("s-1", (&key(1), &key(2)), &entropy).unwrap();
        assert_eq!(moved.ciphertext, sealed.ciphertext);
        assert_eq!(moved.open("s-1", &key(2)).unwrap().as_slice(), b"value");
        assert!(matches!(moved.open("s-1", &key(1)), Err(SealError::OtherKey { .. })));
        assert!(sealed.rewrapped("s-1", (&key(2), &key(1)), &entropy).is_err());
    }

    #[test]
    fn a_passphrase_is_always_the_same_key() {
        let phrase = "test-passphrase-at-least-32-characters-long";
        let (one, two) =
            (KeyEncryptionKey::from_passphrase(phrase), KeyEncryptionKey::from_passphrase(phrase));
        assert_eq!(one.unwrap().as_bytes(), two.unwrap().as_bytes());
        let other = KeyEncryptionKey::from_passphrase("another").unwrap();
        assert_ne!(other.id(), KeyEncryptionKey::from_passphrase(phrase).unwrap().id());
        assert_eq!(other.id().to_string().parse::<KeyId>().as_ref(), Ok(other.id()));
        assert!("xyz".parse::<KeyId>().is_err());
    }

    /// The values were computed by Python's `cryptography`, see `tests/reference/sealing.py`.
    #[test]
    fn the_format_does_not_change() {
        let reference = include_str!("../tests/reference/sealing.txt");
        let mut lines = reference.lines().map(|line| hex::decode(line).unwrap());
        let (kek, wrapped_key, ciphertext) =
            (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap());
        let kek = KeyEncryptionKey::from_bytes(kek.try_into().unwrap());
        let sealed = Sealed { key: kek.id().clone(), wrapped_key, ciphertext };
        assert_eq!(sealed.open("s-reference", &kek).unwrap().as_slice(), br#"{"api_key":"sk-reference"}"#);
        let derived = lines.next().unwrap();
        let phrase = KeyEncryptionKey::from_passphrase("a passphrase of the reference").unwrap();
        assert_eq!(phrase.as_bytes().as_slice(), derived);
    }
}
