//! People who log in: their names, and what is kept of their passwords.
//!
//! A password is hashed by Argon2id (RFC 9106) with 19 MiB, two passes and a salt of 16 random bytes, the least that
//! OWASP's password storage sheet recommends; the parameters stand in the hash, so that they can grow. The hash is
//! in one table and nowhere else: events hold its SHA-256, by which a hash that was put in its place is found.

use std::fmt;
use std::str::FromStr;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use mainstay_core::digest::Digest;
use mainstay_core::entropy::Entropy;
use mainstay_core::principal::Actor;
use serde::{Serialize, Serializer};
use subtle::ConstantTimeEq as _;

use crate::error::GovernanceError;

/// Longest name, in characters.
const MAX_NAME: usize = 255;
/// Shortest password, in characters.
const MIN_PASSWORD: usize = 12;
/// Longest password, in bytes.
const MAX_PASSWORD: usize = 1_024;
/// Memory of a hash, in KiB; passes over it; lanes.
type Cost = (u32, u32, u32);
/// Of new hashes.
const COST: Cost = (19 * 1_024, 2, 1);
/// Bytes of a hash.
const HASH: usize = 32;
/// What a password is hashed with when its owner is not known.
const NO_SALT: [u8; 16] = [0; 16];

/// The name by which somebody logs in: 1 to 255 characters, no `:`, which HTTP's Basic scheme ends a name with, no
/// control characters, no space at its ends, and not `local`, which is whoever sits at the machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

impl UserName {
    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, GovernanceError> {
        let text = text.into();
        let is_plain = !text.contains(|c: char| c == ':' || c.is_control());
        let ends = text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
        if text.is_empty() || text.chars().count() > MAX_NAME || !is_plain || ends || text == "local" {
            return Err(GovernanceError::InvalidUserName);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As whom they act.
    pub fn actor(&self) -> Actor {
        Actor::user(self)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for UserName {
    type Err = GovernanceError;

    fn from_str(text: &str) -> Result<Self, GovernanceError> {
        Self::new(text)
    }
}

impl Serialize for UserName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A password that may be taken. `Debug` hides it.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, GovernanceError> {
        let text = text.into();
        if text.chars().count() < MIN_PASSWORD {
            return Err(GovernanceError::ShortPassword);
        }
        if text.len() > MAX_PASSWORD {
            return Err(GovernanceError::LongPassword);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What is kept of a password: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes a password under a new salt. It takes some ten milliseconds: not for a thread that talks to clients.
    pub fn of(password: &Password, entropy: &dyn Entropy) -> Result<Self, GovernanceError> {
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let hash = hash(password.reveal(), &salt, COST).ok_or(GovernanceError::Unhashable)?;
        let (memory, passes, lanes) = COST;
        let [salt, hash] = [&salt[..], &hash[..]].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        Ok(Self(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}")))
    }

    /// A hash as it was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text that is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What events say of it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// Whether it is of this password. It takes as long as making it.
    pub fn matches(&self, password: &str) -> bool {
        let Some((cost, salt, kept)) = self.parts() else {
            refuse_slowly(password);
            return false;
        };
        let found = hash(password, &salt, cost);
        let is_same = found.is_some_and(|found| bool::from(found[..].ct_eq(&kept[..])));
        is_same && password.len() <= MAX_PASSWORD
    }

    /// The cost, the salt and the hash.
    fn parts(&self) -> Option<(Cost, Vec<u8>, Vec<u8>)> {
        let rest = self.0.strip_prefix("$argon2id$v=19$m=")?;
        let mut parts = rest.split('$');
        let (costs, salt, kept) = (parts.next()?, parts.next()?, parts.next()?);
        let (memory, rest) = costs.split_once(",t=")?;
        let (passes, lanes) = rest.split_once(",p=")?;
        let cost = (memory.parse().ok()?, passes.parse().ok()?, lanes.parse().ok()?);
        let kept = STANDARD_NO_PAD.decode(kept).ok().filter(|kept| kept.len() == HASH)?;
        Some((cost, STANDARD_NO_PAD.decode(salt).ok()?, kept))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Takes as long as looking whether a password is somebody's, so that nobody learns who there is.
pub fn refuse_slowly(password: &str) {
    std::hint::black_box(hash(password, &NO_SALT, COST));
}

fn hash(password: &str, salt: &[u8], (memory, passes, lanes): Cost) -> Option<[u8; HASH]> {
    // A longer one is nobody's; it must not decide how long the answer takes.
    let password = password.as_bytes().get(..MAX_PASSWORD).unwrap_or(password.as_bytes());
    let params = Params::new(memory, passes, lanes, Some(HASH)).ok()?;
    let mut found = [0; HASH];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password, salt, &mut found).ok()?;
    Some(found)
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;

    use super::*;

    /// The value is of the reference implementation's own tests (`P-H-C/phc-winner-argon2`, `src/test.c`).
    #[test]
    fn the_reference_is_understood() {
        let reference =
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash = PasswordHash::stored(reference);
        assert!(hash.matches("password") && !hash.matches("differentpassword") && !hash.matches(""));
    }

    #[test]
    fn a_password_is_its_hash_and_no_other() {
        let entropy = SeededEntropy::new(1);
        let password = Password::new("correct horse battery").unwrap();
        let (one, two) =
            (PasswordHash::of(&password, &entropy).unwrap(), PasswordHash::of(&password, &entropy).unwrap());
        assert!(one.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", one.as_str());
        assert_ne!(one, two, "each has a salt of its own");
        assert!(one.matches("correct horse battery") && two.matches("correct horse battery"));
        assert!(!one.matches("correct horse batter"));
        assert_eq!(format!("{password:?} {one:?}"), "Password(…) PasswordHash(…)");
        for damaged in ["", "$argon2id$v=19$m=19456,t=2,p=1$AAAA", "$2b$12$abc", "x"] {
            assert!(!PasswordHash::stored(damaged).matches("correct horse battery"));
        }
    }

    #[test]
    fn names_and_passwords_are_checked() {
        for good in ["ann", "ann@example.org", "Ünïcode 2", "a"] {
            assert!(UserName::new(good).is_ok(), "{good}");
        }
        let long = "x".repeat(256);
        for bad in ["", "a:b", " a", "a ", "a\nb", "a\0", "local", &long] {
            assert!(UserName::new(bad).is_err(), "{bad:?}");
        }
        assert!(Password::new("elevenchars").is_err() && Password::new("twelve chars").is_ok());
        assert!(Password::new("x".repeat(1_024)).is_ok() && Password::new("x".repeat(1_025)).is_err());
    }
}
