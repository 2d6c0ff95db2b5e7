//! What a command shows to a server: a token, or a person's name and password. Neither is printed anywhere.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::Failed;

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A token.
    Token(String),
    /// A person's.
    Password {
        /// The name to log in with.
        name: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::Password { .. } => "Password(…)",
        })
    }
}

/// Names and passwords are looked for in these: our own first, then those of MLflow's clients.
const PASSWORDS: [(&str, &str); 2] =
    [("MAINSTAY_USERNAME", "MAINSTAY_PASSWORD"), ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")];

impl Credential {
    /// What the environment says: the token, before a name and a password.
    pub(crate) fn of_environment() -> Option<Self> {
        Self::among(|name| std::env::var(name).ok())
    }

    fn among(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let filled = |name| variable(name).filter(|text| !text.is_empty());
        let person =
            |(name, password)| Some(Self::Password { name: filled(name)?, password: filled(password)? });
        filled("MAINSTAY_TOKEN").map(Self::Token).or_else(|| PASSWORDS.into_iter().find_map(person))
    }

    /// As HTTP carries it.
    pub(crate) fn header(&self) -> Result<HeaderValue, Failed> {
        let text = match self {
            Self::Token(token) => format!("Bearer {token}"),
            Self::Password { name, password } => {
                format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
            }
        };
        let mut header = HeaderValue::try_from(text)
            .map_err(|_| Failed::Usage("the token holds characters that cannot be sent".to_owned()))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// The address of a server without the `NAME:PASSWORD@` that it may hold, and that.
pub(crate) fn parted(url: &str) -> Result<(String, Option<Credential>), Failed> {
    let Some((scheme, rest)) = url.split_once("://") else { return Ok((url.to_owned(), None)) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let wrong = || {
        Failed::Usage(
            "a person in the address of a server is written as NAME:PASSWORD@, with what is special in them as %40; \
             MAINSTAY_USERNAME and MAINSTAY_PASSWORD take them as they are"
                .to_owned(),
        )
    };
    let Some((person, host)) = authority.rsplit_once('@') else {
        // A password that was cut at its slash, in the place of a port.
        let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
        let is_cut = path.contains('@') && !port.bytes().all(|byte| byte.is_ascii_digit() || byte == b']');
        return if is_cut { Err(wrong()) } else { Ok((url.to_owned(), None)) };
    };
    let (name, password) = person.split_once(':').ok_or_else(wrong)?;
    let (name, password) = (decoded(name).ok_or_else(wrong)?, decoded(password).ok_or_else(wrong)?);
    Ok((format!("{scheme}://{host}{path}"), Some(Credential::Password { name, password })))
}

/// An address as it can be shown: without anything that may be a password.
pub(crate) fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    match rest.rsplit_once('@') {
        None => url.to_owned(),
        Some((_, host)) if scheme.is_empty() => host.to_owned(),
        Some((_, host)) => format!("{scheme}://{host}"),
    }
}

/// A text without its percent signs (RFC 3986).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, password: &str) -> Credential {
        Credential::Password { name: name.to_owned(), password: password.to_owned() }
    }

    #[test]
    fn a_person_stands_in_the_address() {
        let read = |url: &str| parted(url).unwrap();
        assert_eq!(
            read("http://ada:p%40w%2f:x@box:5000/m"),
            ("http://box:5000/m".to_owned(), Some(person("ada", "p@w/:x")))
        );
        assert_eq!(read("http://box:5000/a@b"), ("http://box:5000/a@b".to_owned(), None));
        assert_eq!(read("box"), ("box".to_owned(), None));
        for bad in [
            "http://ada:p/%4@box",
            "http://ada@box",
            "http://ada:%4@box",
            "http://ada:%zz@box",
            "http://ada:%ff@box",
        ] {
            let refused = parted(bad).unwrap_err().to_string();
            assert!(!refused.contains("%4@") && refused.contains("NAME:PASSWORD@"), "{refused}");
        }
        assert_eq!(shown("http://ada:pw/x@box"), "http://box");
        assert_eq!((shown("ada:pw@box").as_str(), shown("box").as_str()), ("box", "box"));
    }

    #[test]
    fn the_environment_names_a_token_or_a_person() {
        let among = |pairs: &[(&str, &str)]| {
            Credential::among(|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let stock = ("MLFLOW_TRACKING_USERNAME", "ada");
        assert_eq!(among(&[stock]), None);
        assert_eq!(among(&[stock, ("MLFLOW_TRACKING_PASSWORD", "pw")]), Some(person("ada", "pw")));
        let own = [
            ("MAINSTAY_USERNAME", "bob"),
            ("MAINSTAY_PASSWORD", "x"),
            stock,
            ("MLFLOW_TRACKING_PASSWORD", "pw"),
        ];
        assert_eq!(among(&own), Some(person("bob", "x")));
        assert_eq!(
            among(&[own[0], own[1], ("MAINSTAY_TOKEN", "t")]),
            Some(Credential::Token("t".to_owned()))
        );
        assert_eq!(among(&[("MAINSTAY_TOKEN", "")]), None);
    }

    #[test]
    fn what_is_sent_is_not_shown() {
        let ada = person("ada", "secret");
        let header = ada.header().unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic YWRhOnNlY3JldA==");
        assert!(!format!("{ada:?} {header:?}").contains("secret") && !format!("{header:?}").contains("YWRh"));
    }
}
