//! API tokens: `mst_<id>_<secret>`, 32 and 64 hexadecimal characters.
//!
//! The secret is random and long, so that a plain SHA-256 of it is safe to store; it is compared in
//! constant time. A token is shown once, when it is made.

use std::fmt;
use std::str::FromStr;

use mainstay_core::digest::Digest;
use mainstay_core::entropy::Entropy;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::TokenId;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Grant, Principal};
use mainstay_core::time::MachineTime;
use subtle::ConstantTimeEq as _;
use thiserror::Error;

/// The credential does not count. It says no more, so that nobody learns which part was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the token is not valid: unknown, expired or revoked; ask an admin for a new one")]
pub struct InvalidToken;

impl Coded for InvalidToken {
    fn code(&self) -> ErrorCode {
        ErrorCode::Unauthenticated
    }
}

/// A token as its holder has it. `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken {
    id: TokenId,
    secret: [u8; 32],
}

impl ApiToken {
    /// Draws a new token.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let mut secret = [0; 32];
        entropy.fill(&mut secret);
        Self { id: TokenId::draw(entropy), secret }
    }

    /// The public part.
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// What is stored of the secret.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.secret)
    }

    /// The text to show, once.
    pub fn reveal(&self) -> String {
        format!("mst_{}_{}", self.id, hex::encode(self.secret))
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiToken({})", self.id)
    }
}

impl FromStr for ApiToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let (id, digits) =
            text.strip_prefix("mst_").and_then(|rest| rest.split_once('_')).ok_or(InvalidToken)?;
        let mut secret = [0; 32];
        hex::decode_to_slice(digits, &mut secret).map_err(|_| InvalidToken)?;
        Ok(Self { id: id.parse().map_err(|_| InvalidToken)?, secret })
    }
}

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// The public part.
    pub id: TokenId,
    /// What it is for, in its maker's words.
    pub label: Name,
    /// The digest of the secret.
    pub digest: Digest,
    /// What it may do.
    pub grants: Vec<Grant>,
    /// Who made it.
    pub creator: Actor,
    /// When.
    pub created: MachineTime,
    /// From when on it does not count; never if absent.
    pub expires: Option<MachineTime>,
    /// When it was revoked.
    pub revoked: Option<MachineTime>,
}

impl StoredToken {
    /// The caller that this token stands for, if `presented` is it and it counts now.
    pub fn principal(&self, presented: &ApiToken, now: MachineTime) -> Result<Principal, InvalidToken> {
        let same = presented.digest().as_bytes().ct_eq(self.digest.as_bytes());
        let expired = self.expires.is_some_and(|expires| expires <= now);
        if presented.id != self.id || !bool::from(same) || expired || self.revoked.is_some() {
            return Err(InvalidToken);
        }
        Ok(Principal::new(Actor::stored(format!("token:{}", self.id)), self.grants.clone()))
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;
    use mainstay_core::principal::Role;

    use super::*;

    fn at(micros: i64) -> MachineTime {
        MachineTime::from_micros(micros)
    }

    fn stored(token: &ApiToken) -> StoredToken {
        StoredToken {
            id: token.id(),
            label: Name::new("ci").unwrap(),
            digest: token.digest(),
            grants: vec![Grant { workspace: None, role: Role::Viewer }],
            creator: Actor::local(),
            created: at(0),
            expires: Some(at(10)),
            revoked: None,
        }
    }

    #[test]
    fn a_token_counts_until_it_expires_or_is_revoked() {
        let entropy = SeededEntropy::new(1);
        let token = ApiToken::draw(&entropy);
        let again: ApiToken = token.reveal().parse().unwrap();
        let stored = stored(&token);
        let principal = stored.principal(&again, at(9)).unwrap();
        assert_eq!(principal.actor.as_str(), format!("token:{}", token.id()));
        assert_eq!(stored.principal(&again, at(10)), Err(InvalidToken));
        let revoked = StoredToken { revoked: Some(at(1)), ..stored.clone() };
        assert_eq!(revoked.principal(&again, at(2)), Err(InvalidToken));
        let guessed = ApiToken { id: token.id(), secret: [0; 32] };
        assert_eq!(stored.principal(&guessed, at(0)), Err(InvalidToken));
        assert_eq!(stored.principal(&ApiToken::draw(&entropy), at(0)), Err(InvalidToken));
        assert!(!format!("{token:?}").contains(&hex::encode(token.secret)));
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let good = ApiToken::draw(&SeededEntropy::new(1)).reveal();
        for bad in [
            "",
            "mst_",
            "mst__",
            &good[1..],
            &good[..good.len() - 1],
            &format!("{good}0"),
            &good.replace('_', "-"),
        ] {
            assert_eq!(bad.parse::<ApiToken>(), Err(InvalidToken), "{bad}");
        }
    }
}
