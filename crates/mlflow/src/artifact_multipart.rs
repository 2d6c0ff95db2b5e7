//! Uploads in parts that clients put into the store themselves: begun and completed here, by
//! `POST mlflow-artifacts/mpu/{create,complete,abort}/{directory}`. A store without URLs of its own says so, in the
//! words at which clients send the file as a whole instead.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header;
use mainstay_core::action::Action;
use mainstay_core::object::{DirectTransfer, ObjectPath, SignedUrl};
use serde::{Deserialize, Serialize};

use crate::artifact_owner::writable;
use crate::artifact_path::{artifact_directory, artifact_path, decoded};
use crate::body::Call;
use crate::table::Table;
use crate::wire::{Empty, int64, required, some_list};
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// How long a part may wait for its turn: all URLs are given at the beginning.
const LIFETIME: Duration = Duration::from_hours(1);
/// Longest name of an upload and longest `ETag`, in bytes. Stores give far shorter ones.
const MAX_TOKEN: usize = 1_024;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::artifacts()
        .post("mpu/create/{*path}", Action::RunWrite, create)
        .post("mpu/complete/{*path}", Action::RunWrite, complete)
        .post("mpu/abort/{*path}", Action::RunWrite, abort)
        .rows()
}

/// The name of the file: clients before 3.18 send their local path, of which the last part counts.
pub(crate) fn file_name(path: &str) -> Result<ObjectPath, MlflowError> {
    let last = |text: &str| text.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    artifact_path(&last(&decoded(&last(path))?))
}

/// What all three calls are about: the file, and the store that takes its parts.
async fn about<'a>(
    state: &'a MlflowState,
    caller: &Caller,
    directory: &str,
    path: Option<String>,
) -> Result<(ObjectPath, &'a dyn DirectTransfer), Error> {
    let directory = artifact_directory(directory)?;
    let name = file_name(&required("path", path)?)?;
    let path = match directory {
        Some(directory) => directory.join(name.as_str()).map_err(|_| MlflowError::InvalidPath)?,
        None => name,
    };
    let path = writable(state, caller, path).await?;
    let direct = state.objects.direct().ok_or(MlflowError::Unsupported("Multipart upload"))?;
    Ok((path, direct))
}

/// Checks what a store gave once, and a client gives back.
fn token(name: &'static str, text: Option<String>) -> Result<String, Error> {
    let text = required(name, text.filter(|text| !text.is_empty()))?;
    if text.len() > MAX_TOKEN || text.contains(char::is_control) {
        return Err(MlflowError::invalid(name, text, "it is not what the store gave").into());
    }
    Ok(text)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Create {
    path: Option<String>,
    #[serde(alias = "numParts", deserialize_with = "int64")]
    num_parts: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Created {
    upload_id: String,
    credentials: Vec<Credential>,
}

/// Where one part is to be put.
#[derive(Serialize)]
struct Credential {
    url: String,
    part_number: usize,
    headers: Empty,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("part_number", &self.part_number).finish_non_exhaustive()
    }
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(directory): Path<String>,
    Call(request): Call<Create>,
) -> Result<Response, Error> {
    let (path, direct) = about(&state, &caller, &directory, request.path).await?;
    let asked = request.num_parts.unwrap_or(1);
    let most = direct.max_parts();
    let count = u32::try_from(asked).ok().filter(|count| (1..=most).contains(count));
    let hint = || MlflowError::invalid("num_parts", asked, format!("it must be between 1 and {most}"));
    let upload = direct.begin_upload(&path, count.ok_or_else(hint)?, LIFETIME).await?;
    let credential = |(at, url): (usize, SignedUrl)| Credential {
        url: url.reveal(),
        part_number: at + 1,
        headers: Empty {},
    };
    let credentials = upload.parts.into_iter().enumerate().map(credential).collect();
    let created = Created { upload_id: upload.id, credentials };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(created)).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Complete {
    path: Option<String>,
    #[serde(alias = "uploadId")]
    upload_id: Option<String>,
    #[serde(deserialize_with = "some_list")]
    parts: Option<Vec<Part>>,
}

/// A part that the store has. Its URL comes too, and is not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    #[serde(alias = "partNumber", deserialize_with = "int64")]
    part_number: Option<i64>,
    etag: Option<String>,
}

/// The `ETag`s of parts that are numbered from 1 on without a gap.
fn etags(parts: Vec<Part>, most: u32) -> Result<Vec<String>, Error> {
    let wrong = || MlflowError::Parts { most };
    if parts.is_empty() || parts.len() > usize::try_from(most).unwrap_or(usize::MAX) {
        return Err(wrong().into());
    }
    let numbered = (1_i64..).zip(parts).map(|(number, part)| {
        if part.part_number != Some(number) {
            return Err(wrong().into());
        }
        token("etag", part.etag)
    });
    numbered.collect()
}

async fn complete(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(directory): Path<String>,
    Call(request): Call<Complete>,
) -> Result<Json<Empty>, Error> {
    let path = Some(required("path", request.path)?);
    let parts = request.parts.ok_or(MlflowError::Missing("parts"))?;
    let (path, direct) = about(&state, &caller, &directory, path).await?;
    let id = token("upload_id", request.upload_id)?;
    direct.complete_upload(&path, &id, etags(parts, direct.max_parts())?).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Abort {
    path: Option<String>,
    #[serde(alias = "uploadId")]
    upload_id: Option<String>,
}

async fn abort(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(directory): Path<String>,
    Call(request): Call<Abort>,
) -> Result<Json<Empty>, Error> {
    let (path, direct) = about(&state, &caller, &directory, request.path).await?;
    direct.abort_upload(&path, &token("upload_id", request.upload_id)?).await?;
    Ok(Json(Empty {}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_local_path_is_the_name() {
        for good in ["a.bin", "/home/x/a.bin", "C:\\x\\a.bin", "dir%2Fa.bin"] {
            assert_eq!(file_name(good).unwrap().as_str(), "a.bin", "{good}");
        }
        for bad in ["", "a/", "..", "a/..", "src%5C..", "."] {
            assert_eq!(file_name(bad), Err(MlflowError::InvalidPath), "{bad}");
        }
    }

    #[test]
    fn parts_are_numbered_from_one_on() {
        let part = |number, etag: &str| Part { part_number: Some(number), etag: Some(etag.to_owned()) };
        assert_eq!(etags(vec![part(1, "a"), part(2, "b")], 2).unwrap(), ["a", "b"]);
        for bad in [
            vec![],
            vec![part(2, "a")],
            vec![part(1, "a"), part(1, "b")],
            vec![part(2, "a"), part(1, "b")],
            vec![part(1, "a"), part(2, "b"), part(3, "c")],
            vec![part(1, "")],
            vec![part(1, "a\n")],
            vec![Part::default()],
        ] {
            assert!(etags(bad, 2).is_err());
        }
    }
}
