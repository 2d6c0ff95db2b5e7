//! `/account`: who looks at the console, and `/sign-out`, by which somebody else can.
//!
//! A browser keeps a name and a password of HTTP's Basic scheme until a request that shows them is answered 401 (RFC
//! 7617; Fetch standard, "authentication entries"). Signing out is such an answer to whoever is named in the form: the
//! browser forgets them and asks anew, and the same request with somebody else's leads on.

use askama::Template;
use axum::extract::Form;
use axum::extract::rejection::FormRejection;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::{StatusCode, header};
use mainstay_api::Caller;
use mainstay_api::caller::AuthenticationError;
use mainstay_api::dialect::{Protocol, render};
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::principal::Grant;
use serde::Deserialize;

use super::{Row, filled, reads, sends};
use crate::asset;
use crate::frame::{Error, Page, page};
use crate::show::shell::{Section, Shell, signed_in};

pub(super) fn routes() -> Vec<Row> {
    // Whoever may do nothing else may still see who they are, and leave.
    let (own, server) = (Action::AccountUse, RouteScope::Server);
    vec![
        reads("/account", own, server, show),
        reads("/sign-out", own, server, back),
        sends("/sign-out", own, server, leave),
    ]
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    shell: Shell,
    /// The name, and the id in the record; nothing where nobody is asked who they are.
    known: Option<(String, String)>,
    roles: Vec<String>,
    /// Whether there are levels on single experiments or models besides.
    has_levels: bool,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutPage {
    shell: Shell,
}

async fn show(caller: Caller) -> Page {
    let actor = &caller.principal.actor;
    page(&AccountPage {
        shell: Shell::new("Account", Section::None).seen_by(&caller),
        known: signed_in(actor).map(|name| (name.to_owned(), actor.to_string())),
        roles: caller.principal.grants.iter().map(role).collect(),
        has_levels: caller.principal.reach.is_some(),
    })
}

fn role(grant: &Grant) -> String {
    let role = grant.role.as_str();
    match &grant.workspace {
        Some(workspace) => format!("{role} of the workspace {workspace}"),
        None => format!("{role} everywhere"),
    }
}

/// Where a reload leads that sends no form.
async fn back() -> Redirect {
    Redirect::to("/account")
}

#[derive(Debug, Deserialize)]
struct Leaving {
    /// The actor who leaves.
    who: String,
}

async fn leave(caller: Caller, form: Result<Form<Leaving>, FormRejection>) -> Result<Response, Error> {
    let Leaving { who } = filled(form)?;
    let actor = &caller.principal.actor;
    // Still the one who leaves: the browser is to ask. Anybody else has just come in.
    if signed_in(actor).is_none() || actor.as_str() != who {
        return Ok(Redirect::to("/account").into_response());
    }
    let Html(text) = page(&SignedOutPage { shell: Shell::new("Signed out", Section::None) })?;
    let mut response = (StatusCode::UNAUTHORIZED, Html(text)).into_response();
    let challenged = render(Protocol::Ui, &AuthenticationError::Unauthenticated.into());
    for challenge in challenged.headers().get_all(header::WWW_AUTHENTICATE) {
        response.headers_mut().append(header::WWW_AUTHENTICATE, challenge.clone());
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use mainstay_core::principal::{Actor, Principal};
    use mainstay_core::scope::default_workspace;

    use super::*;

    async fn left(actor: Actor, who: &str) -> Response {
        let caller = Caller::new(Principal::new(actor, Vec::new()), default_workspace());
        leave(caller, Ok(Form(Leaving { who: who.to_owned() }))).await.ok().unwrap()
    }

    #[tokio::test]
    async fn whoever_leaves_is_asked_anew_and_who_comes_is_let_in() {
        let answer = left(Actor::user("ann"), "user:ann").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let challenges = answer.headers().get_all(header::WWW_AUTHENTICATE);
        let asks = |header: &http::HeaderValue| header.to_str().is_ok_and(|text| text.starts_with("Basic "));
        assert!(challenges.iter().any(asks));
        for (coming, who) in [(Actor::user("bob"), "user:ann"), (Actor::local(), "user:local")] {
            let answer = left(coming, who).await;
            assert_eq!(answer.status(), StatusCode::SEE_OTHER);
            assert_eq!(answer.headers()[header::LOCATION], "/account");
        }
    }
}
