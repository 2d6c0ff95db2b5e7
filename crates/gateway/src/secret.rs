//! Secrets: credentials of a provider, by the names of their fields.
//!
//! [`Secret`] is what is told of one. [`Credentials`] are the values; they live for as long as a request takes, and
//! leave it sealed.

use std::collections::BTreeMap;
use std::fmt;

use mainstay_core::scope::{ResourceKind, Subject};
use zeroize::Zeroizing;

use crate::Stamps;
use crate::error::GatewayError;
use crate::id::SecretId;
use crate::sealing::{KeyEncryptionKey, SealError, Sealed};
use crate::text::{MAX_NAME, MAX_PROVIDER, free, name};
use mainstay_core::entropy::Entropy;

/// Most fields of one secret, and of what is not secret beside them.
pub const MAX_FIELDS: usize = 50;
/// Longest value of a field, in characters; the key file of a service account has some 2,400.
const MAX_VALUE: usize = 16_384;
/// Shortest value of which some characters are shown.
const MIN_SHOWN: usize = 12;
/// The one field by which a request's destination is chosen; it stands beside the secret, where people see it.
pub const API_BASE: &str = "api_base";
/// Other names under which clients of providers take a destination.
const DESTINATIONS: [&str; 4] = ["base_url", "custom_llm_provider", "fallbacks", "model_list"];

/// The secret fields of a provider with their values. `Debug` hides the values, and they are wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(BTreeMap<String, Zeroizing<String>>);

impl Credentials {
    /// Checks the names and lengths. No error repeats a value.
    pub fn new(fields: BTreeMap<String, String>) -> Result<Self, GatewayError> {
        let fields: BTreeMap<_, _> =
            fields.into_iter().map(|(key, value)| (key, Zeroizing::new(value))).collect();
        let destinations = DESTINATIONS.into_iter().chain([API_BASE]);
        refuse_keys("secret_value", fields.keys(), destinations)?;
        if fields.is_empty() {
            return Err(GatewayError::NoValue);
        }
        if fields.values().any(|value| value.chars().nth(MAX_VALUE).is_some()) {
            return Err(GatewayError::TooLong { field: "secret_value", limit: MAX_VALUE });
        }
        Ok(Self(fields))
    }

    /// No fields at all: of a secret whose value is to be set anew.
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// The values, for whoever calls the provider.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// What people see of the values: the first three characters and the last four, as MLflow shows them; of a
    /// value that is shorter than twelve characters nothing, where MLflow shows seven of eight.
    pub fn masked(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(key, value)| (key.clone(), masked(value))).collect()
    }

    /// Seals the values for the secret of that id, and of no other.
    pub fn seal(
        &self,
        id: SecretId,
        key: &KeyEncryptionKey,
        entropy: &dyn Entropy,
    ) -> Result<Sealed, SealError> {
        let fields: BTreeMap<&str, &str> = self.fields().collect();
        let text = serde_json::to_vec(&fields).map(Zeroizing::new).map_err(|_| SealError::Unsealable)?;
        Sealed::seal(&text, &id.to_string(), key, entropy)
    }

    /// Opens what was sealed for that secret.
    pub fn open(sealed: &Sealed, id: SecretId, key: &KeyEncryptionKey) -> Result<Self, SealError> {
        let text = sealed.open(&id.to_string(), key)?;
        let fields: BTreeMap<String, String> =
            serde_json::from_slice(&text).map_err(|_| SealError::Unsealable)?;
        Ok(Self(fields.into_iter().map(|(key, value)| (key, Zeroizing::new(value))).collect()))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} fields)", self.0.len())
    }
}

fn masked(value: &str) -> String {
    let characters: Vec<char> = value.chars().collect();
    match (characters.first_chunk::<3>(), characters.last_chunk::<4>()) {
        (Some(first), Some(last)) if characters.len() >= MIN_SHOWN => {
            let shown = |c: &char| if c.is_control() { '\u{fffd}' } else { *c };
            let (first, last) = (first.iter().map(shown), last.iter().map(shown));
            first.chain("...".chars()).chain(last).collect()
        }
        _ => "***".to_owned(),
    }
}

fn refuse_keys<'a>(
    field: &'static str,
    keys: impl ExactSizeIterator<Item = &'a String> + Clone,
    refused: impl Iterator<Item = &'static str>,
) -> Result<(), GatewayError> {
    if keys.len() > MAX_FIELDS {
        return Err(GatewayError::TooManyFields { field, limit: MAX_FIELDS });
    }
    let found: Vec<String> = refused
        .filter(|refused| keys.clone().any(|key| key.as_str() == *refused))
        .map(|key| format!("'{key}'"))
        .collect();
    if !found.is_empty() {
        return Err(GatewayError::Destination { field, keys: found.join(", ") });
    }
    for key in keys {
        name(field, key.clone(), MAX_NAME)?;
    }
    Ok(())
}

/// What stands beside the secret fields and is shown: a region, a project, the address of the provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthConfig(BTreeMap<String, String>);

impl AuthConfig {
    /// Checks the names and lengths. A blank address of the provider is left out. Whether the address may be called
    /// is for whoever knows addresses.
    pub fn new(mut fields: BTreeMap<String, String>) -> Result<Self, GatewayError> {
        refuse_keys("auth_config", fields.keys(), DESTINATIONS.into_iter())?;
        if let Some(base) = fields.remove(API_BASE) {
            let base = base.trim();
            if !base.is_empty() {
                fields.insert(API_BASE.to_owned(), base.to_owned());
            }
        }
        for value in fields.values() {
            free("auth_config", value.clone(), MAX_VALUE)?;
        }
        Ok(Self(fields))
    }

    /// As it was stored.
    pub fn stored(fields: BTreeMap<String, String>) -> Self {
        Self(fields)
    }

    /// The fields.
    pub fn fields(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// The address of the provider, if it is not the provider's own.
    pub fn api_base(&self) -> Option<&str> {
        self.0.get(API_BASE).map(String::as_str)
    }
}

/// The name of a secret: it stays, as people know the secret by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName(String);

impl SecretName {
    /// Checks a text.
    pub fn new(text: String) -> Result<Self, GatewayError> {
        name("secret_name", text, MAX_NAME).map(Self)
    }

    /// As it was stored.
    pub fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A provider's name as people write it: not all providers are known here.
pub fn provider_name(text: String) -> Result<String, GatewayError> {
    name("provider", text, MAX_PROVIDER)
}

/// What is told of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The id.
    pub id: SecretId,
    /// The name, unique in the workspace.
    pub name: SecretName,
    /// The fields, with what may be seen of their values.
    pub masked: BTreeMap<String, String>,
    /// Whose credentials they are.
    pub provider: Option<String>,
    /// What is not secret beside them.
    pub auth_config: AuthConfig,
    /// Who made and changed it.
    pub stamps: Stamps,
}

/// How the record names a secret.
pub fn secret_subject(id: SecretId) -> Subject {
    Subject::new(ResourceKind::GatewaySecret, id)
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;

    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn values_are_masked_and_hidden() {
        let pairs = [
            ("aws_access_key_id", "AKIATEST1234"),
            ("eleven", "12345678901"),
            ("umlauts", "äöü-----ÄÖÜß"),
            ("nul", "abc-----efg\0"),
        ];
        let credentials = Credentials::new(fields(&pairs)).unwrap();
        let expected = [
            ("aws_access_key_id", "AKI...1234"),
            ("eleven", "***"),
            ("umlauts", "äöü...ÄÖÜß"),
            ("nul", "abc...efg\u{fffd}"),
        ];
        assert_eq!(credentials.masked(), fields(&expected));
        assert_eq!(format!("{credentials:?}"), "Credentials(4 fields)");
    }

    #[test]
    fn credentials_come_back_as_they_were_sealed_and_for_no_other_secret() {
        let entropy = SeededEntropy::new(1);
        let key = KeyEncryptionKey::from_bytes([7; 32]);
        let (mine, other) = (SecretId::draw(&entropy), SecretId::draw(&entropy));
        let credentials = Credentials::new(fields(&[("api_key", "sk-1 \"ü\"\n"), ("b", "")])).unwrap();
        let sealed = credentials.seal(mine, &key, &entropy).unwrap();
        assert_eq!(Credentials::open(&sealed, mine, &key).unwrap(), credentials);
        assert_eq!(Credentials::open(&sealed, other, &key), Err(SealError::Unsealable));
    }

    #[test]
    fn no_field_says_where_requests_go_but_the_one_that_is_seen() {
        let refused = |error: GatewayError| error.to_string();
        let told = Credentials::new(fields(&[("api_base", "x"), ("model_list", "y")])).map_err(refused);
        assert!(told.unwrap_err().starts_with("secret_value must not contain 'model_list', 'api_base'"));
        let told = AuthConfig::new(fields(&[("base_url", "x")])).map_err(refused);
        assert!(told.unwrap_err().starts_with("auth_config must not contain 'base_url'"));
        let config = AuthConfig::new(fields(&[("api_base", " https://x "), ("region", "")])).unwrap();
        assert_eq!(config.fields(), &fields(&[("api_base", "https://x"), ("region", "")]));
        assert!(AuthConfig::new(fields(&[("api_base", "  ")])).unwrap().fields().is_empty());
    }

    #[test]
    fn sizes_are_bounded_and_no_error_repeats_a_value() {
        let long = "v".repeat(MAX_VALUE + 1);
        let many: BTreeMap<String, String> = (0..51).map(|n| (n.to_string(), String::new())).collect();
        for bad in [fields(&[("k", &long)]), fields(&[]), fields(&[(" ", "vvvv")]), many] {
            let told = Credentials::new(bad).unwrap_err().to_string();
            assert!(!told.contains("vvvv"), "{told}");
        }
        assert!(Credentials::new(fields(&[("k", &long[1..])])).is_ok());
        assert!(SecretName::new("a\nb".to_owned()).is_err() && SecretName::new("x".repeat(255)).is_ok());
    }
}
