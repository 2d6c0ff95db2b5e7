//! What every answer of the console shares: its headers, and failures as pages.

use std::sync::Arc;

use askama::Template;
use axum::extract::Request;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use mainstay_api::Authenticator;
use mainstay_api::caller::AuthenticationError;
use mainstay_api::dialect::{ApiError, Protocol, Reported, Ui, Unrouted, render, render_unrouted};
use mainstay_core::error::{Coded, ErrorClass, ErrorCode};
use mainstay_core::principal::Principal;

use crate::asset;
use crate::show::shell::{Section, Shell};

/// The failure of a handler, on its way to become a page.
pub(crate) type Error = ApiError<Ui>;

/// A page, or why there is none.
pub(crate) type Page = Result<Html<String>, Error>;

/// Nothing inline, nothing from elsewhere, nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; \
     img-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A template that could not be written: a fault of ours.
#[derive(Debug, thiserror::Error)]
#[error("the page could not be written; see the log")]
struct Unwritten(#[source] askama::Error);

impl Coded for Unwritten {
    fn code(&self) -> ErrorCode {
        ErrorCode::Internal
    }
}

/// There is no such thing.
#[derive(Debug, thiserror::Error)]
#[error("there is no {0}; it may have another name, or belong to another workspace")]
pub(crate) struct Missing(pub(crate) String);

impl Coded for Missing {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

/// An address that no route has. Of MLflow's addresses, where the clients of a stock server expect others than there
/// are here, whoever is not known learns nothing.
pub(crate) async fn nowhere(authenticator: Arc<dyn Authenticator>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let path = parts.uri.path();
    if Protocol::of_path(path) == Some(Protocol::Mlflow) {
        let known = authenticator.authenticate(&parts).await;
        let is_anonymous = |principal: &Principal| principal.actor.is_anonymous();
        let refused = match known {
            Ok(principal) if is_anonymous(&principal) => Some(AuthenticationError::Unauthenticated),
            Ok(_) => None,
            Err(refused) => Some(refused),
        };
        if let Some(refused) = refused {
            return render(Protocol::Mlflow, &refused.into());
        }
    }
    unrouted(path, &parts.headers, Unrouted::address(path))
}

/// A method that no route of the address takes. Whoever calls it says in `Allow` what they take.
pub(crate) async fn not_allowed(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    finish(unrouted(uri.path(), &headers, Unrouted::method(method, uri.path()))).await
}

/// A failure in the words of the protocol that the address belongs to; elsewhere a page for a browser, and for
/// programs what our own API says.
fn unrouted(path: &str, headers: &HeaderMap, unrouted: Unrouted) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match Protocol::of_path(path) {
        Some(protocol) => render_unrouted(protocol, unrouted),
        None if accepted.contains("text/html") => render(Protocol::Ui, &unrouted.into()),
        None => render_unrouted(Protocol::Native, unrouted),
    }
}

/// Writes a page.
pub(crate) fn page(template: &impl Template) -> Page {
    Ok(Html(template.render().map_err(Unwritten)?))
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    status: u16,
    heading: &'static str,
    code: &'static str,
    message: &'a str,
    way_out: &'static str,
    command: Option<&'static str>,
    /// Whether the same address may answer otherwise, once it is known who asks.
    asks_who: bool,
    /// Whether it may answer somebody else.
    is_refused: bool,
}

/// What happened, in a few words.
const fn heading(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Invalid => "This request cannot be read",
        ErrorClass::Unauthenticated => "Who are you?",
        ErrorClass::Denied => "This is not open to you",
        ErrorClass::NotFound => "There is nothing here",
        ErrorClass::NotAllowed => "This is not done here",
        ErrorClass::TooSlow => "Too slow",
        ErrorClass::Conflict => "Something moved meanwhile",
        ErrorClass::TooLarge => "This is too large",
        ErrorClass::TooMany => "Too fast",
        ErrorClass::Internal => "A fault of ours",
        ErrorClass::Unsupported => "Not offered here",
        ErrorClass::Unavailable => "Not now",
        ErrorClass::StorageFull => "No space left",
    }
}

/// What to do, and a command that helps.
const fn way_out(class: ErrorClass) -> (&'static str, Option<&'static str>) {
    match class {
        ErrorClass::Invalid | ErrorClass::TooLarge | ErrorClass::Unsupported => {
            ("Go back and correct it, or start again from the overview.", None)
        }
        ErrorClass::Unauthenticated => (
            "Try again, and sign in with your name and your password in the dialog that the browser opens; a token \
             may stand in the place of the password. Whoever has neither asks an admin of this server. \
             Scripts that use MLflow's client are told by their environment; MLFLOW_TRACKING_TOKEN takes a token:",
            Some("export MLFLOW_TRACKING_USERNAME=NAME\nexport MLFLOW_TRACKING_PASSWORD=PASSWORD"),
        ),
        ErrorClass::Denied => (
            "Ask an admin of the workspace for a role, or whoever manages the experiment or the model for a level \
                 on it.",
            None,
        ),
        ErrorClass::NotAllowed => ("Go back and follow its links.", None),
        ErrorClass::NotFound => ("Look it up in its list, or start from the overview.", None),
        ErrorClass::Conflict => ("Go back, load the page again, and decide on what is there now.", None),
        ErrorClass::TooMany | ErrorClass::TooSlow | ErrorClass::Unavailable => {
            ("Load the page again in a moment.", None)
        }
        ErrorClass::Internal => (
            "The server's log has the cause. Check the record if data may be damaged:",
            Some("mainstay audit verify"),
        ),
        ErrorClass::StorageFull => ("Free some space; nothing half-written was kept.", None),
    }
}

/// Turns a reported failure into a page, and gives every answer its headers.
pub(crate) async fn finish(mut response: Response) -> Response {
    if let Some(reported) = response.extensions().get::<Reported>().cloned() {
        let class = reported.code.class();
        let (way_out, command) = way_out(class);
        let template = ErrorPage {
            shell: Shell::new(heading(class), Section::None),
            status: response.status().as_u16(),
            heading: heading(class),
            code: reported.code.as_str(),
            message: &reported.message,
            way_out,
            command,
            asks_who: class == ErrorClass::Unauthenticated,
            is_refused: class == ErrorClass::Denied,
        };
        let Ok(text) = template.render() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
        let mut page = (response.status(), Html(text)).into_response();
        for name in [header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
            // There may be several: one for each way to say who one is.
            for value in response.headers().get_all(&name) {
                page.headers_mut().append(&name, value.clone());
            }
        }
        response = page;
    }
    let headers = response.headers_mut();
    // Artifacts have a stricter one of their own.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // What a page shows is of this instant and this caller.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use http::request::Parts;
    use mainstay_core::error::Failure;
    use mainstay_core::principal::Actor;

    use super::*;

    /// Takes everybody for the same.
    struct Everybody(Actor);

    #[async_trait]
    impl Authenticator for Everybody {
        async fn authenticate(&self, _: &Parts) -> Result<Principal, AuthenticationError> {
            Ok(Principal::new(self.0.clone(), Vec::new()))
        }
    }

    async fn asked(who: Actor, path: &'static str, headers: HeaderMap) -> Response {
        let mut request = Request::new(axum::body::Body::empty());
        *request.uri_mut() = Uri::from_static(path);
        *request.headers_mut() = headers;
        nowhere(Arc::new(Everybody(who)), request).await
    }

    #[tokio::test]
    async fn of_mlflows_addresses_strangers_learn_nothing() {
        for path in ["/api/2.0/mlflow/nothing", "/ajax-api/3.0/jobs/search"] {
            let answer = asked(Actor::anonymous(), path, HeaderMap::new()).await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        }
        let answer = asked(Actor::anonymous(), "/api/v1/nothing", HeaderMap::new()).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn a_wrong_address_is_a_page_for_a_browser_only() {
        let uri = || Uri::from_static("/modles");
        let nowhere = |path, headers| asked(Actor::local(), path, headers);
        for (path, kind) in [
            ("/modles", "application/problem+json"),
            ("/api", "application/problem+json"),
            ("/api/v1/nothing", "application/problem+json"),
            ("/v2/nothing", "application/json"),
            ("/ajax-api/2.0/mlflow/nothing", "application/json"),
        ] {
            let answer = nowhere(path, HeaderMap::new()).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
        }
        let browser = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("text/html,*/*"))]);
        let page = nowhere("/modles", browser).await;
        let reported = page.extensions().get::<Reported>().unwrap();
        assert!(reported.message.starts_with("there is no route /modles"), "{reported:?}");
        let browser = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("text/html,*/*"))]);
        let page = not_allowed(Method::POST, uri(), browser).await;
        assert_eq!(page.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    }

    #[tokio::test]
    async fn a_failure_becomes_a_page_with_its_code_and_a_way_out() {
        let failure = Failure::from(Missing("model <b>".to_owned()));
        let answer = finish(render(Protocol::Ui, &failure)).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        let body = axum::body::to_bytes(answer.into_body(), 100_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("there is no model &#60;b&#62;") && text.contains("not-found"), "{text}");
        assert!(text.contains("href=\"/\""), "{text}");
    }

    #[tokio::test]
    async fn whoever_is_not_known_is_told_how_to_sign_in() {
        let answer = finish(render(Protocol::Ui, &AuthenticationError::Unauthenticated.into())).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(answer.headers().get_all(header::WWW_AUTHENTICATE).iter().count() > 1);
        let body = axum::body::to_bytes(answer.into_body(), 100_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            text.contains("name and your password") && text.contains("MLFLOW_TRACKING_PASSWORD"),
            "{text}"
        );
        assert!(text.contains("Try again</a>") && !text.contains("mainstay up"), "{text}");
    }

    #[tokio::test]
    async fn every_answer_keeps_the_browser_here() {
        let asset = (StatusCode::OK, [(header::CACHE_CONTROL, "immutable")]).into_response();
        let answer = finish(asset).await;
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "immutable", "an asset keeps its own");
        assert_eq!(answer.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        assert!(!POLICY.contains("unsafe") && !POLICY.contains("http"));
    }
}
