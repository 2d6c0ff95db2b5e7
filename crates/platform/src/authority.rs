//! Who is calling, and what they may do.

mod guesses;
mod hashing;
mod kept;
mod passwords;
mod people;
mod refusals;
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, header};
use mainstay_api::caller::{AuthenticationError, Authenticator};
use mainstay_api::route::{check_local, check_page};
use mainstay_core::action::Action;
use mainstay_core::command::{Authorizer, Verdict};
use mainstay_core::entropy::Entropy;
use mainstay_core::name::Name;
use mainstay_core::permission::Readable;
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::Scope;
use mainstay_core::time::Clock;
use mainstay_governance::policy::{CedarPolicy, Mode};
use mainstay_governance::token::ApiToken;
use mainstay_store::Database;

pub use self::hashing::Hashing;
use self::passwords::Passwords;
pub use self::people::Directory;
use self::refusals::Refusals;
use self::tokens::{StoredTokens, Tokens};

/// The policy, and where its refusals go on the record.
pub struct Authority {
    policy: Arc<CedarPolicy>,
    refusals: Refusals,
}

impl Authority {
    /// Loads the policy. In local mode whoever reaches loopback may do everything.
    pub fn open(mode: Mode, database: &Database) -> Result<Self, mainstay_core::failed::Failed> {
        let policy = Arc::new(CedarPolicy::new(mode)?);
        let refusals = Refusals::start(Arc::new(database.writer.clone()), policy.clone());
        Ok(Self { policy, refusals })
    }
}

impl Authorizer for Authority {
    fn allows(&self, principal: &Principal, action: Action, scope: &Scope) -> bool {
        self.policy.allows(principal, action, scope)
    }

    fn judges(&self, principal: &Principal, action: Action, scope: &Scope) -> Verdict {
        self.policy.judges(principal, action, scope)
    }

    fn readable(&self, principal: &Principal, action: Action, workspace: &Name) -> Readable {
        self.policy.readable(principal, action, workspace)
    }

    fn refused(&self, principal: &Principal, action: Action, scope: &Scope) {
        self.refusals.note(principal, action, scope);
    }
}

/// The person at this machine, for the command line.
pub fn local_user() -> Principal {
    let everywhere = Grant { workspace: None, role: Role::Admin };
    Principal::new(Actor::local(), vec![everywhere])
}

/// Local single-user mode.
pub struct LocalUser {
    /// Host names to answer to besides those of loopback.
    pub allowed_hosts: Vec<String>,
}

#[async_trait]
impl Authenticator for LocalUser {
    async fn authenticate(&self, parts: &Parts) -> Result<Principal, AuthenticationError> {
        check_local(parts, &self.allowed_hosts)?;
        Ok(local_user())
    }
}

/// Callers show an API token, or a name and a password; whoever shows neither is anonymous.
pub struct Credentials {
    tokens: Tokens,
    passwords: Passwords,
    clock: Arc<dyn Clock>,
}

impl Credentials {
    /// Tokens and users are looked up in the database; the clock tells which tokens have expired, and how soon a
    /// password may be tried again.
    pub fn new(
        database: &Database,
        directory: Directory,
        hashing: Arc<Hashing>,
        (clock, entropy): (Arc<dyn Clock>, &dyn Entropy),
    ) -> Self {
        let source = StoredTokens(Arc::new(database.reader.clone()));
        let tokens = Tokens::new(source, database.writer.access_changes(), clock.clone());
        let passwords = Passwords::new(directory, hashing, clock.clone(), entropy);
        Self { tokens, passwords, clock }
    }

    async fn token(&self, presented: &ApiToken) -> Result<Principal, AuthenticationError> {
        let tokens = self.tokens.get().await.map_err(|error| {
            tracing::warn!(%error, "tokens");
            AuthenticationError::Unauthenticated
        })?;
        let known = tokens.get(&presented.id());
        let known = known.and_then(|token| token.principal(presented, self.clock.now()).ok());
        known.ok_or(AuthenticationError::Unauthenticated)
    }
}

#[async_trait]
impl Authenticator for Credentials {
    async fn authenticate(&self, parts: &Parts) -> Result<Principal, AuthenticationError> {
        match Credential::of(&parts.headers)? {
            None => Ok(Principal::anonymous()),
            Some(Credential::Token(token)) => self.token(&token).await,
            Some(Credential::Password { name, password }) => {
                // Browsers add it to what any page sends.
                check_page(parts)?;
                // Clients that know only names and passwords show a token as the latter.
                if let Ok(token) = password.parse() {
                    return self.token(&token).await;
                }
                let address = parts.extensions.get::<SocketAddr>().map(SocketAddr::ip);
                self.passwords.verify(&name, password, address).await
            }
        }
    }
}

/// What the `Authorization` header holds.
enum Credential {
    Token(ApiToken),
    Password { name: String, password: String },
}

impl Credential {
    /// `None` if there is no such header.
    fn of(headers: &HeaderMap) -> Result<Option<Self>, AuthenticationError> {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
        let text = value.to_str().map_err(|_| AuthenticationError::Unauthenticated)?;
        let (scheme, shown) = text.split_once(' ').ok_or(AuthenticationError::Unauthenticated)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            let token = shown.trim().parse().map_err(|_| AuthenticationError::Unauthenticated)?;
            return Ok(Some(Self::Token(token)));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(AuthenticationError::Unauthenticated);
        }
        Self::basic(shown.trim()).map(Some).ok_or(AuthenticationError::Unauthenticated)
    }

    /// RFC 7617, in UTF-8.
    fn basic(text: &str) -> Option<Self> {
        let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        Some(Self::Password { name: name.to_owned(), password: password.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Result<Option<(String, String)>, AuthenticationError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        Ok(Credential::of(&headers)?.map(|credential| match credential {
            Credential::Token(token) => ("token".to_owned(), token.id().to_string()),
            Credential::Password { name, password } => (name, password),
        }))
    }

    #[test]
    fn credentials_are_read_as_their_schemes_say() {
        assert!(Credential::of(&HeaderMap::new()).unwrap().is_none());
        let shown = |name: &str, password: &str| Ok(Some((name.to_owned(), password.to_owned())));
        // The first one is RFC 7617's own.
        assert_eq!(of("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), shown("Aladdin", "open sesame"));
        assert_eq!(of("basic dGVzdDoxMjPCow=="), shown("test", "123£"));
        assert_eq!(of("Basic YTpiOmM="), shown("a", "b:c"));
        let id = "ab".repeat(16);
        let token = format!("Bearer mst_{id}_{}", "0".repeat(64));
        assert_eq!(of(&token), shown("token", &id));
        for wrong in ["Basic", "Basic !", "Basic YWJj", "Basic /////w==", "Bearer x", "Digest a", "x"] {
            assert_eq!(of(wrong), Err(AuthenticationError::Unauthenticated), "{wrong}");
        }
    }
}
