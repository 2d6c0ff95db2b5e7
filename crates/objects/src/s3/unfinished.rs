//! Uploads that were begun and never ended. Nobody sees them, and they are paid for.

use futures::StreamExt as _;
use http::{Method, Request};
use mainstay_core::error::StorageError;
use mainstay_core::time::MachineTime;
use object_store::aws::AwsAuthorizer;
use object_store::client::HttpRequestBody;
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use serde::Deserialize;

use super::failure::{failure, of_answer};
use super::presign::canonical;
use super::{PATIENCE, S3Objects, answered};

/// Longest page of the list, in bytes: a thousand uploads, each with a key of at most 1 KiB.
const MAX_PAGE: usize = 8 << 20;
/// Most pages of one sweep.
const MAX_PAGES: usize = 1_000;
const DOING: &str = "listing unfinished uploads";

/// `ListMultipartUploadsResult`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Page {
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
    upload: Vec<Upload>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
    initiated: String,
}

/// Aborts what began before a moment; how many there were. A store that keeps no list of them has none.
pub(super) async fn discard(objects: &S3Objects, before: MachineTime) -> Result<u64, StorageError> {
    let prefix = objects.prefix.as_ref().map(|prefix| format!("{prefix}/")).unwrap_or_default();
    let (mut discarded, mut markers) = (0, None);
    for _ in 0..MAX_PAGES {
        let Some(page) = list(objects, &prefix, markers.as_ref()).await? else { return Ok(discarded) };
        for upload in page.upload {
            let is_old = MachineTime::parse(&upload.initiated).is_some_and(|began| began < before);
            // Some stores take a prefix for a whole key.
            let key = upload.key.starts_with(&prefix).then(|| Path::parse(&upload.key).ok()).flatten();
            if let Some(key) = key.filter(|_| is_old) {
                let aborted =
                    answered("aborting an upload", objects.s3.abort_multipart(&key, &upload.id)).await;
                // One that has ended meanwhile needs no abortion.
                discarded += u64::from(aborted.is_ok());
            }
        }
        markers = page.next_key_marker.map(|key| (key, page.next_upload_id_marker.unwrap_or_default()));
        if !page.is_truncated || markers.is_none() {
            break;
        }
    }
    Ok(discarded)
}

/// One page; `None` if the store does not know the call.
async fn list(
    objects: &S3Objects,
    prefix: &str,
    markers: Option<&(String, String)>,
) -> Result<Option<Page>, StorageError> {
    let bucket = objects.address(&Path::default()).await?;
    let mut query = vec![("uploads", ""), ("prefix", prefix)];
    if let Some((key, upload)) = markers {
        query.extend([("key-marker", key.as_str()), ("upload-id-marker", upload.as_str())]);
    }
    let url = format!("{bucket}?{}", canonical(&query));
    let request = Request::builder().method(Method::GET).uri(url).body(HttpRequestBody::empty());
    let mut request = request.map_err(|error| StorageError::Failed(error.into()))?;
    let credential = answered("reading credentials", objects.s3.credentials().get_credential()).await?;
    AwsAuthorizer::new(&credential, "s3", &objects.region).authorize(&mut request, None);
    let called = tokio::time::timeout(PATIENCE, async {
        let answer = objects.http.execute(request).await.map_err(|error| unreached(&error))?;
        let status = answer.status();
        let (mut body, mut chunks) = (Vec::new(), answer.into_body().bytes_stream());
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|error| unreached(&error))?);
            if body.len() > MAX_PAGE {
                return Err(StorageError::Failed("S3 answered a list that is too long".into()));
            }
        }
        Ok((status, body))
    });
    let (status, body) = called.await.map_err(|late| StorageError::Unavailable(late.into()))??;
    let text = String::from_utf8_lossy(&body);
    if status == http::StatusCode::NOT_IMPLEMENTED {
        return Ok(None);
    }
    if !status.is_success() {
        return Err(of_answer(DOING, status.as_u16(), &text));
    }
    let page = quick_xml::de::from_str(&text);
    // What is wrong with it would be told with parts of it.
    page.map(Some).map_err(|_| StorageError::Failed("S3 answered a list that cannot be read".into()))
}

fn unreached(error: &object_store::client::HttpError) -> StorageError {
    let source = std::io::Error::other(error.to_string());
    failure(DOING, &object_store::Error::Generic { store: "S3", source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_stores_write_it() {
        let page = |text: &str| quick_xml::de::from_str::<Page>(text).unwrap();
        let full = page(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b</Bucket>
            <KeyMarker/><UploadIdMarker/><NextKeyMarker>p/b</NextKeyMarker>
            <NextUploadIdMarker>2</NextUploadIdMarker><MaxUploads>2</MaxUploads><IsTruncated>true</IsTruncated>
            <Upload><Key>p/a</Key><UploadId>1</UploadId><Initiator><ID>x</ID></Initiator>
            <Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>
            <Upload><Key>p/b</Key><UploadId>2</UploadId><Initiated>2026-11-10T20:49:33.000Z</Initiated></Upload>
            </ListMultipartUploadsResult>"#,
        );
        assert!(full.is_truncated && full.next_key_marker.as_deref() == Some("p/b"));
        let told: Vec<_> = full.upload.iter().map(|upload| (&*upload.key, &*upload.id)).collect();
        assert_eq!(told, [("p/a", "1"), ("p/b", "2")]);
        assert!(MachineTime::parse(&full.upload[0].initiated).is_some());
        let empty = page("<ListMultipartUploadsResult><Bucket>b</Bucket></ListMultipartUploadsResult>");
        assert!(empty.upload.is_empty() && !empty.is_truncated);
    }
}
