//! How people name a version: `flight-delay/3`, `flight-delay@champion`.

use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error;

use crate::Failed;
use crate::client::{Client, part};

/// A model, and perhaps one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModelRef {
    /// The model.
    Model(String),
    /// `NAME/NUMBER`
    Version(String, u64),
    /// `NAME@ALIAS`
    Alias(String, String),
}

/// The alias points nowhere.
#[derive(Debug, Error)]
#[error("model '{0}' has no alias '{1}'; `mainstay models show {0}` lists what it has")]
struct NoAlias(String, String);

/// The model has no version of that number.
#[derive(Debug, Error)]
#[error("model '{0}' has no version {1}; `mainstay models show {0}` lists what it has")]
pub(crate) struct NoVersion(pub(crate) String, pub(crate) u64);

impl Coded for NoVersion {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

impl Coded for NoAlias {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

impl ModelRef {
    /// Every text names something; what is not there is found out when it is looked up.
    pub(crate) fn parse(text: &str) -> Self {
        if let Some((name, alias)) = text.rsplit_once('@') {
            return Self::Alias(name.to_owned(), alias.to_owned());
        }
        match text.rsplit_once('/').map(|(name, number)| (name, number.parse())) {
            Some((name, Ok(number))) => Self::Version(name.to_owned(), number),
            _ => Self::Model(text.to_owned()),
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Model(name) | Self::Version(name, _) | Self::Alias(name, _) => name,
        }
    }

    /// The number of the version that it names; `None` for the model itself.
    pub(crate) async fn number(&self, client: &Client) -> Result<Option<u64>, Failed> {
        match self {
            Self::Model(_) => Ok(None),
            Self::Version(_, number) => Ok(Some(*number)),
            Self::Alias(name, alias) => {
                let model = client.get(&format!("/api/v1/models/{}", part(name))).await?;
                let number = model["aliases"][alias.as_str()].as_u64();
                number.map(Some).ok_or_else(|| NoAlias(name.clone(), alias.clone()).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_aliases_and_models_are_told_apart() {
        assert_eq!(ModelRef::parse("a"), ModelRef::Model("a".into()));
        assert_eq!(ModelRef::parse("a/b"), ModelRef::Model("a/b".into()));
        assert_eq!(ModelRef::parse("a/3"), ModelRef::Version("a".into(), 3));
        assert_eq!(ModelRef::parse("a@champion"), ModelRef::Alias("a".into(), "champion".into()));
    }
}
