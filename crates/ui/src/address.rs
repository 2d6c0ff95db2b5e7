//! The address at which this server was asked, as a client would be told it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, Uri, header};

/// What is said where a request names no host that one could go back to.
const USUAL: &str = "127.0.0.1:5000";
/// As long as a host with its port may be (RFC 1035, 2.3.4).
const LONGEST: usize = 261;

/// Where this server is, as the request says: scheme and host, of which only what needs no quotes in a shell is taken.
pub(crate) struct Address(String);

impl Address {
    fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let said = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = said(header::HOST).or_else(|| uri.authority().map(http::uri::Authority::as_str));
        // A proxy that ends TLS says so; here it ends nowhere.
        let forwarded = said(header::HeaderName::from_static("x-forwarded-proto"));
        let is_secure =
            uri.scheme_str().or(forwarded).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        let scheme = if is_secure { "https" } else { "http" };
        Self(format!("{scheme}://{}", host.filter(|host| is_host(host)).unwrap_or(USUAL)))
    }

    /// It itself, without a slash at its end.
    pub(crate) fn root(&self) -> &str {
        &self.0
    }

    /// What points MLflow's clients here.
    pub(crate) fn tracking(&self) -> String {
        format!("export MLFLOW_TRACKING_URI={}", self.0)
    }

    /// What points them at an experiment here.
    pub(crate) fn tracking_in(&self, experiment: &str) -> String {
        format!("{}\nexport MLFLOW_EXPERIMENT_NAME={}", self.tracking(), quoted(experiment))
    }

    /// What sends a file to an address of our own API.
    pub(crate) fn sending(&self, method: &str, path: &str, file: &str) -> String {
        format!("curl -X {method} {}/api/v1{path} -H 'Content-Type: application/json' -d @{file}", self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.uri, &parts.headers))
    }
}

fn is_host(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    !text.is_empty() && text.len() <= LONGEST && text.chars().all(is_plain)
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(pairs: &[(&'static str, &'static str)]) -> String {
        let pairs = pairs.iter().map(|(name, value)| {
            (header::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
        Address::of(&Uri::from_static("/"), &pairs.collect()).0
    }

    #[test]
    fn it_is_what_the_request_says_if_that_can_be_one() {
        assert_eq!(address(&[("host", "127.0.0.1:5083")]), "http://127.0.0.1:5083");
        assert_eq!(address(&[("host", "[::1]:5000")]), "http://[::1]:5000");
        let behind = [("host", "ml.example.org"), ("x-forwarded-proto", "https")];
        assert_eq!(address(&behind), "https://ml.example.org");
        assert_eq!(address(&[("host", "a"), ("x-forwarded-proto", "javascript")]), "http://a");
        for odd in ["", "a b", "$(reboot)", "a;b", "<script>", "a/b", "a@b", "`x`"] {
            assert_eq!(address(&[("host", odd)]), "http://127.0.0.1:5000", "{odd}");
        }
        let other = Address::of(&Uri::from_static("https://two.example/"), &HeaderMap::new());
        assert_eq!(other.root(), "https://two.example");
    }

    #[test]
    fn a_name_is_one_word_of_a_shell() {
        let here = Address("http://a".to_owned());
        let said = here.tracking_in("it's $HOME");
        assert_eq!(
            said,
            "export MLFLOW_TRACKING_URI=http://a\nexport MLFLOW_EXPERIMENT_NAME='it'\\''s $HOME'"
        );
    }
}
