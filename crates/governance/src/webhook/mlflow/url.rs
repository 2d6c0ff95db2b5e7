//! Which URLs are accepted. What can be judged without asking a name server is judged here; the addresses of
//! names are judged when they are connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mainstay_core::text::clip;

use super::InvalidWebhook;
use crate::webhook::MAX_URL;
use crate::webhook::address::is_public;

/// Checks a URL, and gives it back as it was written. Without `allow_private` it begins with `https:` and its
/// host, if it is an address, is of the public internet.
pub fn check_url(url: String, allow_private: bool) -> Result<String, InvalidWebhook> {
    let invalid = |reason| InvalidWebhook::Url { url: clip(&url), reason };
    if url.trim().is_empty() {
        return Err(InvalidWebhook::BlankUrl(clip(&url)));
    }
    if url.len() > MAX_URL {
        return Err(invalid("it has more than 2000 characters"));
    }
    // RFC 3986 has no place for others; they stand there percent-encoded.
    let is_unfit = |byte: u8| !byte.is_ascii_graphic() || b"\"<>\\^`{|}".contains(&byte);
    if url.bytes().any(is_unfit) {
        return Err(invalid("percent-encode spaces and characters that have no place in a URL"));
    }
    let (scheme, rest) = scheme(&url);
    let authority = rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?', '#']).next());
    let authority = authority.unwrap_or_default();
    if authority.contains('[') != authority.contains(']') {
        return Err(invalid("its brackets do not match"));
    }
    let allowed = if allow_private { &["https", "http"][..] } else { &["https"] };
    if !allowed.iter().any(|allowed| scheme.eq_ignore_ascii_case(allowed)) {
        let allowed = if allow_private { "https, http" } else { "https" };
        return Err(InvalidWebhook::Scheme { scheme: clip(&scheme.to_ascii_lowercase()), allowed });
    }
    if authority.contains('@') {
        return Err(invalid("a user name cannot stand in it"));
    }
    let (host, port) = split_port(authority).ok_or_else(|| invalid("its host cannot be read"))?;
    if host.is_empty() {
        return Err(InvalidWebhook::NoHost(clip(&url)));
    }
    if !port.is_empty() && !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Err(invalid("its port is not a number from 1 to 65535"));
    }
    let address = address(host).map_err(invalid)?;
    if let Some(address) = address.filter(|address| !allow_private && !is_public(*address)) {
        let host = host.trim_matches(['[', ']']).to_owned();
        return Err(InvalidWebhook::Private { host, address });
    }
    Ok(url)
}

/// The scheme, empty if there is none, and what follows its colon.
fn scheme(url: &str) -> (&str, &str) {
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    url.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", url))
}

/// Host and port; the port is empty if there is none.
fn split_port(authority: &str) -> Option<(&str, &str)> {
    let end = if authority.starts_with('[') { authority.find(']')? + 1 } else { 0 };
    let colon = authority.get(end..)?.find(':').map(|at| end + at);
    let host = authority.get(..colon.unwrap_or(authority.len()))?;
    // Behind the bracket comes a port or nothing.
    if end > 0 && host.len() != end {
        return None;
    }
    Some((host, colon.map_or("", |colon| authority.get(colon + 1..).unwrap_or_default())))
}

/// The address that a host is, if it is one. Resolvers also know addresses as `127.1` or `0x7f000001`; those
/// are read differently by different programs, so they are refused.
fn address(host: &str) -> Result<Option<IpAddr>, &'static str> {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address =
            inner.parse::<Ipv6Addr>().map_err(|_| "it does not name an IPv6 address in brackets")?;
        return Ok(Some(address.into()));
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !host.bytes().all(is_name) {
        return Err("its host is neither a name nor an address");
    }
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if !is_number {
        return Ok(None);
    }
    let address = host.parse::<Ipv4Addr>().map_err(|_| "its host is not a canonical IP address")?;
    Ok(Some(address.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str, allow_private: bool) -> String {
        check_url(url.to_owned(), allow_private).unwrap_err().to_string()
    }

    #[test]
    fn urls_are_accepted_as_they_were_written() {
        for good in [
            "https://example.com",
            "HTTPS://Example.com:443/hook?a=b&c=%20#x",
            "https://chat_1.example./",
            "https://1.1.1.1/",
            "https://[2606:4700::1111]:8443/x",
            "https://7up.example",
            "https://example.com:/x",
        ] {
            assert_eq!(check_url(good.to_owned(), false).as_deref(), Ok(good));
        }
        for private in
            ["http://localhost:8000/x", "http://127.0.0.1", "https://[::1]:1/", "http://10.0.0.1:9"]
        {
            assert_eq!(check_url(private.to_owned(), true).as_deref(), Ok(private));
        }
    }

    #[test]
    fn the_sentences_are_those_that_clients_read() {
        for (url, sentence) in [
            ("   ", "Webhook URL cannot be empty or just whitespace: '   '"),
            ("", "Webhook URL cannot be empty or just whitespace: ''"),
            ("ftp://example.com", "Invalid webhook URL scheme: 'ftp'. Allowed schemes are: https."),
            ("http://example.com", "Invalid webhook URL scheme: 'http'. Allowed schemes are: https."),
            ("example.com/x", "Invalid webhook URL scheme: ''. Allowed schemes are: https."),
            ("https:///x", "Webhook URL must include a hostname: 'https:///x'"),
            ("https:example.com", "Webhook URL must include a hostname: 'https:example.com'"),
            ("https://:443/", "Webhook URL must include a hostname: 'https://:443/'"),
            (
                "https://169.254.169.254/latest",
                "Webhook URL must not resolve to a non-public IP address. '169.254.169.254' resolves to \
                 169.254.169.254.",
            ),
            (
                "https://[::ffff:10.0.0.1]/",
                "Webhook URL must not resolve to a non-public IP address. '::ffff:10.0.0.1' resolves to \
                 ::ffff:10.0.0.1.",
            ),
        ] {
            assert_eq!(refused(url, false), sentence);
        }
        assert_eq!(
            refused("ftp://example.com", true),
            "Invalid webhook URL scheme: 'ftp'. Allowed schemes are: https, http."
        );
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for bad in [
            "http://[invalid",
            "https://a]b/",
            "https://[::1]x/",
            "https://[::g]/",
            "https://u:p@example.com/",
            "https://example.com:0/",
            "https://example.com:65536/",
            "https://example.com:80:80/",
            "https://exa mple.com/",
            "https://example.com/a b",
            "https://example.com/\n",
            "https://exämple.com/",
            "https://example.com/<x>",
            "https://a%2e/",
            "https://127.1/",
            "https://0177.0.0.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://127.0.0.1./",
        ] {
            for allow_private in [false, true] {
                let sentence = refused(bad, allow_private);
                assert!(sentence.starts_with("Invalid webhook URL '"), "{bad}: {sentence}");
            }
        }
        let long = format!("https://example.com/{}", "a".repeat(MAX_URL));
        assert!(refused(&long, false).len() < 400);
    }
}
