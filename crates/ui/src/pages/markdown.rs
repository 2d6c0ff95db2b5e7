//! `POST /markdown`: texts that a page read by itself, such as a model's answers, as the server shows those of its own.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use mainstay_api::dialect::BodyError;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use serde::{Deserialize, Serialize};

use super::{Row, sends};
use crate::frame::Error;
use crate::show::markdown::Markdown;

/// Bytes of a request. What is longer the page shows as it is.
const LIMIT: usize = 512 * 1024;
/// Texts of a request.
const TEXTS: usize = 100;

pub(super) fn routes() -> Vec<Row> {
    vec![sends("/markdown", Action::AccountUse, RouteScope::Server, show).with_body_limit(LIMIT)]
}

#[derive(Debug, Deserialize)]
struct Asked {
    texts: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Shown {
    /// For each text its HTML, or nothing where it holds no markup.
    html: Vec<Option<String>>,
}

async fn show(body: Result<Json<Asked>, JsonRejection>) -> Result<Json<Shown>, Error> {
    let Json(Asked { texts }) = body.map_err(|rejection| BodyError::Malformed(rejection.body_text()))?;
    if texts.len() > TEXTS {
        return Err(BodyError::Malformed(format!("at most {TEXTS} texts are shown at once")).into());
    }
    Ok(Json(Shown { html: texts.iter().map(|text| Markdown::marked(text)).collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn texts_with_markup_get_html_and_others_none() {
        let asked =
            |texts: &[&str]| Json(Asked { texts: texts.iter().map(|one| (*one).to_owned()).collect() });
        let Ok(Json(shown)) = show(Ok(asked(&["**a** <b>", "plain"]))).await else { panic!("shown") };
        assert_eq!(shown.html, [Some("<p><strong>a</strong> &lt;b&gt;</p>\n".to_owned()), None]);
        assert!(show(Ok(asked(&[""; TEXTS + 1]))).await.is_err());
    }
}
