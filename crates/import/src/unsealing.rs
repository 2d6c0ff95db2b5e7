//! Opens what a stock server sealed: the gateway's secrets (`mlflow/utils/crypto.py` of 3.18) and the secrets of
//! webhooks (`EncryptedString` of `mlflow/store/model_registry/dbmodels/models.py`).
//!
//! A secret of the gateway is JSON under AES-256-GCM with a key of its own, bound to the secret's id and name; that
//! key is wrapped likewise, bound to nothing, under one that PBKDF2-HMAC-SHA256 (RFC 8018) derives from the server's
//! passphrase and the number of the key's generation. The nonce of 12 bytes stands in front of each ciphertext. A
//! webhook's secret is a Fernet token: AES-128-CBC, and HMAC-SHA256 over everything before it.

use std::collections::BTreeMap;
use std::fmt;

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::{Block, BlockCipherDecrypt as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a stock server takes that was given no passphrase (`DEFAULT_KEK_PASSPHRASE`).
const DEFAULT_PASSPHRASE: &str = "mlflow-default-kek-passphrase-for-development-only";
const SALT: &[u8] = b"mlflow-secrets-kek-v1-2025";
const ITERATIONS: u32 = 600_000;
const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;
/// Bytes of a block of AES.
const BLOCK: usize = 16;
/// Bytes of an HMAC-SHA256.
const MAC: usize = 32;
/// Version and time of a Fernet token.
const FERNET_HEAD: usize = 9;
const FERNET_VERSION: u8 = 0x80;

type Key = Zeroizing<[u8; KEY_BYTES]>;

/// The keys of a stock server, as far as they are known. `Debug` shows none.
pub struct Unsealing {
    passphrase: Zeroizing<String>,
    /// By generation, once each was derived.
    wrapping: BTreeMap<u32, Key>,
    webhooks: Option<Key>,
}

impl Unsealing {
    /// With what the server was given as `MLFLOW_CRYPTO_KEK_PASSPHRASE`, if it was, and as
    /// `MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY`. `None` if the latter is no key.
    pub fn new(passphrase: Option<String>, webhook_key: Option<&str>) -> Option<Self> {
        let webhooks = match webhook_key {
            None => None,
            Some(text) => {
                let bytes = URL_SAFE.decode(text.trim()).map(Zeroizing::new).ok()?;
                let key: &[u8; KEY_BYTES] = bytes.as_slice().try_into().ok()?;
                Some(Zeroizing::new(*key))
            }
        };
        let passphrase =
            passphrase.filter(|text| !text.is_empty()).unwrap_or_else(|| DEFAULT_PASSPHRASE.to_owned());
        Some(Self { passphrase: Zeroizing::new(passphrase), wrapping: BTreeMap::new(), webhooks })
    }

    /// The fields of a secret of the gateway; `None` if the passphrase is another, or the bytes are those of another
    /// secret.
    pub fn secret(
        &mut self,
        (id, name): (&str, &str),
        sealed: &SealedThere<'_>,
    ) -> Option<BTreeMap<String, String>> {
        let generation = u32::try_from(sealed.generation).ok()?;
        if !self.wrapping.contains_key(&generation) {
            let key = derived(self.passphrase.as_bytes(), generation)?;
            self.wrapping.insert(generation, key);
        }
        let data_key = decrypted(sealed.wrapped_key, &**self.wrapping.get(&generation)?, b"")?;
        let bound_to = format!("{id}|{name}");
        let text = decrypted(sealed.value, data_key.as_slice().try_into().ok()?, bound_to.as_bytes())?;
        serde_json::from_slice(&text).ok()
    }

    /// The secret of a webhook; `None` if the key is another, or is not known.
    pub fn webhook(&self, token: &str) -> Option<Zeroizing<Vec<u8>>> {
        let (mac_key, cipher_key) = self.webhooks.as_ref()?.split_at(BLOCK);
        let token = URL_SAFE.decode(token).ok()?;
        let (signed, mac) = token.split_at_checked(token.len().checked_sub(MAC)?)?;
        let mut expected = Hmac::<Sha256>::new_from_slice(mac_key).ok()?;
        expected.update(signed);
        expected.verify_slice(mac).ok()?;
        let (head, sealed) = signed.split_at_checked(FERNET_HEAD)?;
        let (blocks, rest) = sealed.as_chunks::<BLOCK>();
        if head.first() != Some(&FERNET_VERSION) || !rest.is_empty() {
            return None;
        }
        let cipher = Aes128::new_from_slice(cipher_key).ok()?;
        let mut text = Zeroizing::new(Vec::with_capacity(sealed.len()));
        for pair in blocks.windows(2) {
            let [before, sealed] = pair else { return None };
            let mut block = Block::<Aes128>::from(*sealed);
            cipher.decrypt_block(&mut block);
            text.extend(block.iter().zip(before).map(|(byte, before)| byte ^ before));
        }
        let padding = usize::from(*text.last()?);
        let end = text.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding))?;
        text.truncate(end);
        Some(text)
    }
}

impl fmt::Debug for Unsealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unsealing(…)")
    }
}

/// A secret of the gateway as a stock server stores it.
#[derive(Debug, Clone, Copy)]
pub struct SealedThere<'a> {
    /// Nonce, ciphertext, tag.
    pub value: &'a [u8],
    /// The key of the value, likewise.
    pub wrapped_key: &'a [u8],
    /// Which generation of the wrapping key.
    pub generation: i64,
}

/// The one block of PBKDF2 that the key is.
fn derived(passphrase: &[u8], generation: u32) -> Option<Key> {
    let keyed = Hmac::<Sha256>::new_from_slice(passphrase).ok()?;
    let next = |parts: &[&[u8]]| -> Key {
        let mut mac = keyed.clone();
        for part in parts {
            mac.update(part);
        }
        Zeroizing::new(mac.finalize().into_bytes().into())
    };
    let mut last = next(&[SALT, &generation.to_be_bytes(), &1_u32.to_be_bytes()]);
    let mut key = last.clone();
    for _ in 1..ITERATIONS {
        last = next(&[&*last]);
        key.iter_mut().zip(last.iter()).for_each(|(byte, other)| *byte ^= other);
    }
    Some(key)
}

fn decrypted(sealed: &[u8], key: &[u8; KEY_BYTES], bound_to: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload { msg: sealed, aad: bound_to };
    let opened = Aes256Gcm::new(key.into()).decrypt(&Nonce::from(*nonce), payload);
    opened.map(Zeroizing::new).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FERNET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    /// The values were sealed by Python's `cryptography`, see `tests/reference/unsealing.py`.
    fn reference() -> [Vec<u8>; 3] {
        let lines = include_str!("../tests/reference/unsealing.txt").lines();
        lines.map(|line| hex::decode(line).unwrap()).collect::<Vec<_>>().try_into().unwrap()
    }

    #[test]
    fn secrets_are_opened_by_passphrase_generation_id_and_name() {
        let [wrapped_key, value, _] = reference();
        let sealed = SealedThere { value: &value, wrapped_key: &wrapped_key, generation: 2 };
        let known = || Unsealing::new(Some("a passphrase of the reference".to_owned()), None).unwrap();
        let opened = known().secret(("s-1", "a näme"), &sealed).unwrap();
        assert_eq!(opened, BTreeMap::from([("api_key".to_owned(), "sk-réference".to_owned())]));
        assert_eq!(known().secret(("s-2", "a näme"), &sealed), None);
        let later = SealedThere { generation: 3, ..sealed };
        assert_eq!(known().secret(("s-1", "a näme"), &later), None);
        assert_eq!(Unsealing::new(None, None).unwrap().secret(("s-1", "a näme"), &sealed), None);
        for short in [&value[..0], &value[..NONCE_BYTES + 3]] {
            let cut = SealedThere { value: short, ..sealed };
            assert_eq!(known().secret(("s-1", "a näme"), &cut), None);
        }
    }

    #[test]
    fn secrets_of_webhooks_are_fernet_tokens() {
        let [_, _, token] = reference();
        let token = String::from_utf8(token).unwrap();
        let known = Unsealing::new(None, Some(FERNET_KEY)).unwrap();
        assert_eq!(known.webhook(&token).unwrap().as_slice(), "schlüssel".as_bytes());
        let other = Unsealing::new(None, Some(&URL_SAFE.encode([1; 32]))).unwrap();
        for (unsealing, token) in [(&other, &*token), (&known, ""), (&known, "é"), (&known, &token[4..])] {
            assert!(unsealing.webhook(token).is_none(), "{token}");
        }
        assert!(Unsealing::new(None, None).unwrap().webhook(&token).is_none());
        assert!(Unsealing::new(None, Some("short")).is_none());
    }
}
