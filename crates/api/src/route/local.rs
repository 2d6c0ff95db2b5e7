//! Local single-user mode: whoever reaches loopback is the user, so nobody else must reach it.
//!
//! A page from elsewhere, opened in the user's browser, can send requests to 127.0.0.1 (DNS rebinding,
//! cross-site forms). Three checks keep it out: the `Host` must be a loopback name, an `Origin` (or
//! `Sec-Fetch-Site`) must be our own, and a body of a type that a plain form can send must say by its `Origin`
//! that it comes from a page of ours.

use http::request::Parts;
use http::{HeaderMap, Method, header};

use crate::caller::AuthenticationError;

/// The types that a browser sends across origins without asking first (Fetch standard, "CORS-safelisted
/// request-header").
const FORM_TYPES: [&str; 3] = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

/// A header that spans come with. No form can send it, and a page only after asking, which nobody here allows.
const NO_FORM: &str = "x-mlflow-experiment-id";

/// Refuses a request that did not come from the user at this machine.
pub fn check_local(parts: &Parts, allowed_hosts: &[String]) -> Result<(), AuthenticationError> {
    let headers = &parts.headers;
    let host = text(headers, header::HOST.as_str())
        .or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    let Some(host) = host else {
        return Err(AuthenticationError::Foreign("the request names no Host"));
    };
    if !is_allowed_host(host, allowed_hosts) {
        return Err(AuthenticationError::Foreign(
            "this server answers to 127.0.0.1 and localhost only; use one of them, or start it with --auth required",
        ));
    }
    from_our_pages(parts, host)
}

/// Refuses a request that a page from elsewhere may have sent with a credential that a browser adds by itself, as it
/// does with names and passwords of HTTP's Basic scheme.
pub fn check_page(parts: &Parts) -> Result<(), AuthenticationError> {
    let named = text(&parts.headers, header::HOST.as_str());
    let host = named.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    from_our_pages(parts, host.unwrap_or_default())
}

fn from_our_pages(parts: &Parts, host: &str) -> Result<(), AuthenticationError> {
    let headers = &parts.headers;
    // A browser sends it with every form, and no page can make it up (Fetch standard, "Origin header").
    let mut ours = false;
    if let Some(origin) = text(headers, header::ORIGIN.as_str()) {
        if origin.split_once("://").map(|(_, rest)| rest) != Some(host) {
            return Err(AuthenticationError::Foreign("requests of pages from other origins are refused"));
        }
        ours = true;
    } else if matches!(text(headers, "sec-fetch-site"), Some("cross-site" | "same-site"))
        && parts.method != Method::GET
    {
        return Err(AuthenticationError::Foreign("requests of pages from other origins are refused"));
    }
    if parts.method == Method::POST && !ours && is_form(headers) {
        return Err(AuthenticationError::Foreign(
            "a plain form must come from the console's own pages; send JSON with 'Content-Type: application/json'",
        ));
    }
    Ok(())
}

fn is_form(headers: &HeaderMap) -> bool {
    if headers.contains_key(NO_FORM) {
        return false;
    }
    let Some(content_type) = text(headers, header::CONTENT_TYPE.as_str()) else { return false };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    FORM_TYPES.iter().any(|form| essence.eq_ignore_ascii_case(form))
}

fn is_allowed_host(host: &str, allowed: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "127.0.0.1" | "localhost" | "[::1]") || allowed.iter().any(|a| a == name)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = http::Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check_local(&request.body(()).unwrap().into_parts().0, &["box.lan".to_owned()]).is_ok()
    }

    #[test]
    fn the_user_at_this_machine_is_let_in() {
        assert!(check("GET", &[("host", "127.0.0.1:5000")]));
        assert!(check("POST", &[("host", "localhost:5000"), ("content-type", "application/json")]));
        assert!(check("POST", &[("host", "[::1]:5000"), ("origin", "http://[::1]:5000")]));
        // A form of the console.
        let form = ("content-type", "application/x-www-form-urlencoded");
        assert!(check("POST", &[("host", "localhost:5000"), ("origin", "http://localhost:5000"), form]));
        assert!(check("GET", &[("host", "box.lan")]));
        // An artifact keeps its type; no page can send a PUT without asking first.
        assert!(check("PUT", &[("host", "localhost:5000"), ("content-type", "text/plain")]));
        // Spans of a wrong type are told so by those who take them.
        let spans = ("x-mlflow-experiment-id", "0");
        assert!(check("POST", &[("host", "localhost:5000"), ("content-type", "text/plain"), spans]));
        // A link from another page may open the console.
        assert!(check("GET", &[("host", "localhost:5000"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn pages_from_elsewhere_send_nothing_in_the_name_of_who_logged_in() {
        let check = |method: &str, headers: &[(&str, &str)]| {
            let mut request = http::Request::builder().method(method).uri("/");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            check_page(&request.body(()).unwrap().into_parts().0).is_ok()
        };
        let (host, form) = (("host", "mlops.example"), ("content-type", "application/x-www-form-urlencoded"));
        assert!(check("POST", &[host, ("content-type", "application/json")]));
        assert!(check("POST", &[host, ("origin", "https://mlops.example"), form]));
        assert!(check("GET", &[host]) && check("PUT", &[host, ("content-type", "text/plain")]));
        assert!(!check("POST", &[host, form]));
        assert!(!check("POST", &[host, ("origin", "https://evil.example")]));
        assert!(!check("POST", &[host, ("sec-fetch-site", "cross-site")]));
        assert!(!check("POST", &[("origin", "https://evil.example")]));
    }

    #[test]
    fn pages_from_elsewhere_are_kept_out() {
        assert!(!check("GET", &[]));
        assert!(!check("GET", &[("host", "evil.example:5000")]));
        assert!(!check("GET", &[("host", "127.0.0.1.evil.example")]));
        assert!(!check("POST", &[("host", "localhost:5000"), ("origin", "http://evil.example")]));
        assert!(!check("POST", &[("host", "localhost:5000"), ("origin", "null")]));
        let form = ("content-type", "application/x-www-form-urlencoded");
        assert!(!check("POST", &[("host", "localhost:5000"), form]));
        assert!(!check("POST", &[("host", "localhost:5000"), ("origin", "http://localhost:8080"), form]));
        assert!(!check("POST", &[("host", "localhost:5000"), ("sec-fetch-site", "cross-site")]));
        assert!(!check("POST", &[("host", "localhost:5000"), ("content-type", "text/plain;charset=UTF-8")]));
        let spans = ("x-mlflow-experiment-id", "0");
        let foreign = ("origin", "http://evil.example");
        assert!(!check("POST", &[("host", "localhost:5000"), foreign, form, spans]));
    }
}
