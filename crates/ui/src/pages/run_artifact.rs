//! `/runs/{id}/artifact?path=…`: the bytes of one artifact, in a way that harms nobody.
//!
//! Whoever logs to a run decides what its artifacts say, so none of them is a page of ours: each answer is sandboxed
//! by its own policy, whose origin is nobody's (HTML standard, "sandboxed origin browsing context flag"). It runs no
//! script unless the person asks for that, loads nothing, and sends nothing anywhere.

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use http::{HeaderValue, header};
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::id::RunId;
use mainstay_core::object::{Content, ObjectPath};
use mainstay_core::scope::ResourceKind;
use mainstay_tracking::run::RunDetail;
use serde::Deserialize;

use super::notebook::{self, Notebook};
use super::{Row, asked, reads};
use crate::frame::{Error, Missing};
use crate::{Console, State};

/// What an artifact may do where it is shown: look as it says, and nothing else.
const STILL: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; \
     media-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
/// The same with its own scripts, which still reach nothing: no origin, no network.
const RUNNING: &str = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data: blob:; \
     worker-src blob:; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; media-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

pub(super) fn routes() -> Vec<Row> {
    let run = RouteScope::Path(ResourceKind::Run, "id");
    vec![reads("/runs/{id}/artifact", Action::RunRead, run, show).for_levels()]
}

/// How an artifact is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Page,
    Table,
    Json,
    Markdown,
    Notebook,
    Pdf,
    Text,
}

/// What a name promises; the bytes are believed only after a look.
pub(super) fn kind_of(name: &str) -> Option<Kind> {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    Some(match ending.as_str() {
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "bmp" | "svg" => Kind::Image,
        "html" | "htm" => Kind::Page,
        "csv" | "tsv" => Kind::Table,
        "json" => Kind::Json,
        "md" | "markdown" => Kind::Markdown,
        "ipynb" => Kind::Notebook,
        "pdf" => Kind::Pdf,
        "txt" | "yaml" | "yml" | "toml" | "log" | "py" | "sh" | "ini" | "cfg" | "xml" | "sql" | "r" => {
            Kind::Text
        }
        _ if matches!(name, "MLmodel" | "Dockerfile" | "LICENSE" | "README") => Kind::Text,
        _ => return None,
    })
}

/// The type under which a browser may show it in place.
fn media_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    match (kind_of(name), ending.as_str()) {
        (Some(Kind::Image), "jpg" | "jpeg") => "image/jpeg",
        (Some(Kind::Image), "svg") => "image/svg+xml",
        (Some(Kind::Image), "gif") => "image/gif",
        (Some(Kind::Image), "webp") => "image/webp",
        (Some(Kind::Image), "avif") => "image/avif",
        (Some(Kind::Image), "bmp") => "image/bmp",
        (Some(Kind::Image), _) => "image/png",
        (Some(Kind::Pdf), _) => "application/pdf",
        (Some(Kind::Page), _) => "text/html; charset=utf-8",
        (Some(_), _) => "text/plain; charset=utf-8",
        (None, _) => "application/octet-stream",
    }
}

/// A run and where its artifacts lie.
pub(super) async fn stored(
    console: &Console,
    caller: &Caller,
    id: RunId,
) -> Result<(RunDetail, Option<ObjectPath>), Error> {
    let run = console.run(caller, id).await?;
    let root = (console.locate)(&run.run.artifact_uri);
    Ok((run, root))
}

/// An artifact opened.
pub(super) async fn opened(console: &Console, root: &ObjectPath, path: &str) -> Result<Content, Error> {
    let missing = || Missing(format!("artifact {path:?}"));
    let content = console.objects.get(&root.join(path)?, None).await?;
    Ok(content.ok_or_else(missing)?)
}

#[derive(Debug, Deserialize)]
struct Wanted {
    path: String,
    #[serde(default)]
    download: bool,
    #[serde(default)]
    scripts: bool,
    /// Of a notebook the image at a place.
    #[serde(default)]
    image: String,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path(id): Path<String>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Error> {
    let wanted = asked(query)?;
    let (_, root) = stored(&console, &caller, id.parse()?).await?;
    let root = root
        .ok_or_else(|| Missing("artifact of this run here; its artifacts are kept elsewhere".to_owned()))?;
    let content = opened(&console, &root, &wanted.path).await?;
    let name = wanted.path.rsplit('/').next().unwrap_or_default();
    if !wanted.image.is_empty() && kind_of(name) == Some(Kind::Notebook) {
        return image_within(content, wanted).await;
    }
    let way = if wanted.download { "attachment" } else { "inline" };
    // Quotes and backslashes would end the name, and header values are ASCII.
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') { c } else { '_' })
        .collect();
    let disposition = HeaderValue::from_str(&format!("{way}; filename=\"{plain}\""));
    let policy = if wanted.scripts { RUNNING } else { STILL };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type(name))),
        (header::CONTENT_LENGTH, HeaderValue::from(content.status.size)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
        (header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment"))),
    ];
    Ok((headers, Body::from_stream(content.bytes)).into_response())
}

/// An image that a notebook holds.
async fn image_within(content: Content, wanted: Wanted) -> Result<Response, Error> {
    let missing = Missing(format!("image {:?} in artifact {:?}", wanted.image, wanted.path));
    let bytes = beginning(content, notebook::MOST).await?;
    let found = tokio::task::spawn_blocking(move || Notebook::image(&bytes, &wanted.image)).await;
    let (kind, image) = found.map_err(|error| StorageError::Failed(error.into()))?.ok_or(missing)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(STILL)),
    ];
    Ok((headers, image).into_response())
}

/// At most so many bytes of an artifact.
pub(super) async fn beginning(mut content: Content, most: usize) -> Result<Vec<u8>, StorageError> {
    let mut read = Vec::new();
    while read.len() < most {
        let Some(part) = content.bytes.next().await else { break };
        read.extend_from_slice(&part.map_err(StorageError::Failed)?);
    }
    read.truncate(most);
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_endings_are_shown_in_place() {
        assert_eq!(media_type("plot.PNG"), "image/png");
        assert_eq!(media_type("a.svg"), "image/svg+xml");
        assert_eq!(media_type("report.html"), "text/html; charset=utf-8");
        assert_eq!(media_type("paper.pdf"), "application/pdf");
        assert_eq!(media_type("study.ipynb"), "text/plain; charset=utf-8");
        assert_eq!(media_type("MLmodel"), "text/plain; charset=utf-8");
        for other in ["model.pkl", "x", "a.js", "page.xhtml", "a.html.gz"] {
            assert_eq!(media_type(other), "application/octet-stream", "{other}");
        }
    }

    #[test]
    fn no_artifact_has_our_origin_or_the_network() {
        for policy in [STILL, RUNNING] {
            assert!(policy.starts_with("sandbox") && policy.contains("default-src 'none'"));
            assert!(!policy.contains("allow-same-origin") && !policy.contains("connect-src"));
            assert!(!policy.contains("'self';") && !policy.contains("http"), "{policy}");
        }
        assert!(!STILL.contains("script"));
    }
}
