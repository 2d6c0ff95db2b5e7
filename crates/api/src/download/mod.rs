//! One artifact as a download: named, typed, and in parts or not at all where the client asks for that (RFC 9110).

mod media_type;

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mainstay_core::error::StorageError;
use mainstay_core::object::{ObjectPath, Objects, Status};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use self::media_type::media_type;

/// What may stand in a value of RFC 5987 as it is, besides letters and digits.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// With which a client asks for a part, or for nothing it has already.
const CONDITIONS: [header::HeaderName; 4] =
    [header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];

/// Which part of an object is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Whole,
    Bytes(Range<u64>),
    /// Behind the end.
    Nothing,
}

/// Answers with the object at `path`; `None` if there is none. No browser shows it as a page of ours.
pub async fn download(
    objects: &dyn Objects,
    path: &ObjectPath,
    request: &HeaderMap,
) -> Result<Option<Response>, StorageError> {
    // Where nothing is asked but the whole, one call of the store does.
    let is_plain = !CONDITIONS.iter().any(|name| request.contains_key(name));
    let whole = if is_plain { objects.get(path, None).await? } else { None };
    let status = match &whole {
        Some(content) => Some(content.status),
        None if is_plain => None,
        None => objects.status(path).await?,
    };
    let Some(status) = status else { return Ok(None) };
    let (known, size) = (Version::new(status), status.size);
    let mut headers = known.headers();
    if known.is_what(request) {
        return Ok(Some((StatusCode::NOT_MODIFIED, headers).into_response()));
    }
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    headers.insert(header::CONTENT_DISPOSITION, disposition(name));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    Ok(Some(match known.part(request) {
        Part::Whole => {
            let content = match whole {
                Some(content) => Some(content),
                None => objects.get(path, None).await?,
            };
            let Some(content) = content else { return Ok(None) };
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(content.status.size));
            (headers, Body::from_stream(content.bytes)).into_response()
        }
        Part::Bytes(range) => {
            let shown = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            headers.insert(header::CONTENT_RANGE, ascii(&shown));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
            let Some(part) = objects.get(path, Some(range)).await? else { return Ok(None) };
            (StatusCode::PARTIAL_CONTENT, headers, Body::from_stream(part.bytes)).into_response()
        }
        Part::Nothing => {
            headers.insert(header::CONTENT_RANGE, ascii(&format!("bytes */{size}")));
            headers.remove(header::CONTENT_DISPOSITION);
            (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response()
        }
    }))
}

/// What tells one version of an object from another.
struct Version {
    size: u64,
    stored: Option<SystemTime>,
    tag: String,
}

impl Version {
    fn new(Status { size, stored, revision }: Status) -> Self {
        let micros = stored.and_then(|stored| u64::try_from(stored.micros()).ok());
        let tag = format!("\"{:x}-{size:x}\"", revision.or(micros).unwrap_or_default());
        Self { size, stored: micros.map(|micros| UNIX_EPOCH + Duration::from_micros(micros)), tag }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // Without a time, two versions of one length could not be told apart.
        if let Some(stored) = self.stored {
            headers.insert(header::ETAG, ascii(&self.tag));
            headers.insert(header::LAST_MODIFIED, ascii(&httpdate::fmt_http_date(stored)));
        }
        headers
    }

    /// Whether the client has this version already.
    fn is_what(&self, request: &HeaderMap) -> bool {
        let Some(stored) = self.stored else { return false };
        if let Some(tags) = text(request, header::IF_NONE_MATCH) {
            return tags
                .split(',')
                .map(str::trim)
                .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.tag);
        }
        let since =
            text(request, header::IF_MODIFIED_SINCE).and_then(|text| httpdate::parse_http_date(text).ok());
        // Dates have seconds.
        since.is_some_and(|since| stored < since + Duration::from_secs(1))
    }

    /// Which part is asked for; all of it if the client's part is of another version.
    fn part(&self, request: &HeaderMap) -> Part {
        let Some(asked) = text(request, header::RANGE) else { return Part::Whole };
        if let Some(of) = text(request, header::IF_RANGE) {
            let date = self.stored.map(httpdate::fmt_http_date);
            if self.stored.is_none() || (of != self.tag && Some(of) != date.as_deref()) {
                return Part::Whole;
            }
        }
        part(asked, self.size)
    }
}

/// Reads `bytes=a-b`, `bytes=a-` and `bytes=-n`; of several ranges, or of other units, the whole is answered.
fn part(asked: &str, size: u64) -> Part {
    let range = asked.trim().strip_prefix("bytes=").and_then(|range| range.trim().split_once('-'));
    let Some((start, end)) = range.filter(|(_, end)| !end.contains(',')) else { return Part::Whole };
    let number = |text: &str| if text.is_empty() { Some(None) } else { text.parse::<u64>().ok().map(Some) };
    let range = match (number(start.trim()), number(end.trim())) {
        (Some(Some(start)), Some(Some(end))) if start > end => return Part::Whole,
        (Some(Some(start)), Some(end)) => start..end.map_or(size, |end| end.saturating_add(1).min(size)),
        (Some(None), Some(Some(last))) => size.saturating_sub(last)..size,
        _ => return Part::Whole,
    };
    if range.start < range.end { Part::Bytes(range) } else { Part::Nothing }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// `attachment` under its name: as a token or quoted, and encoded beside it where it is not ASCII (RFC 6266).
fn disposition(name: &str) -> HeaderValue {
    if name.is_ascii() {
        return ascii(&format!("attachment; filename={}", token_or_quoted(name)));
    }
    let plain: String = name.chars().filter(char::is_ascii).collect();
    let plain = if plain.is_empty() { "download".to_owned() } else { plain };
    let encoded = utf8_percent_encode(name, PLAIN);
    ascii(&format!("attachment; filename={}; filename*=UTF-8''{encoded}", token_or_quoted(&plain)))
}

fn token_or_quoted(text: &str) -> String {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !text.is_empty() && text.chars().all(is_token) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use mainstay_core::time::MachineTime;

    use super::*;

    #[test]
    fn names_are_tokens_quoted_or_encoded() {
        for (name, expected) in [
            ("dog+step+20", "attachment; filename=dog+step+20"),
            ("a b.txt", "attachment; filename=\"a b.txt\""),
            ("a\"b", "attachment; filename=\"a\\\"b\""),
            ("é.txt", "attachment; filename=.txt; filename*=UTF-8''%C3%A9.txt"),
            ("日本", "attachment; filename=download; filename*=UTF-8''%E6%97%A5%E6%9C%AC"),
        ] {
            assert_eq!(disposition(name), expected, "{name}");
        }
    }

    #[test]
    fn ranges_are_cut_to_what_there_is() {
        for (asked, expected) in [
            ("bytes=0-3", Part::Bytes(0..4)),
            ("bytes=2-", Part::Bytes(2..10)),
            ("bytes=-3", Part::Bytes(7..10)),
            ("bytes=-30", Part::Bytes(0..10)),
            ("bytes=8-99", Part::Bytes(8..10)),
            ("bytes=8-18446744073709551615", Part::Bytes(8..10)),
            ("bytes=10-", Part::Nothing),
            ("bytes=-0", Part::Nothing),
            ("bytes=5-2", Part::Whole),
            ("bytes=0-1,4-5", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("bytes=x-1", Part::Whole),
            ("bytes=-", Part::Whole),
        ] {
            assert_eq!(part(asked, 10), expected, "{asked}");
        }
        assert_eq!(part("bytes=0-", 0), Part::Nothing);
    }

    #[test]
    fn a_version_is_known_by_its_tag_or_its_date() {
        let stored = Some(MachineTime::from_micros(1_700_000_000_500_000));
        let version = Version::new(Status { size: 10, stored, revision: None });
        let asked = |name: header::HeaderName, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, ascii(value));
            headers
        };
        let known = |name, value: &str| version.is_what(&asked(name, value));
        assert!(known(header::IF_NONE_MATCH, &version.tag) && known(header::IF_NONE_MATCH, "\"x\", *"));
        assert!(known(header::IF_NONE_MATCH, &format!("W/{}", version.tag)));
        assert!(!known(header::IF_NONE_MATCH, "\"other\""));
        assert!(known(header::IF_MODIFIED_SINCE, "Tue, 14 Nov 2023 22:13:20 GMT"));
        assert!(!known(header::IF_MODIFIED_SINCE, "Tue, 14 Nov 2023 22:13:19 GMT"));
        let timeless = Version::new(Status { size: 10, stored: None, revision: None });
        assert!(!timeless.is_what(&asked(header::IF_NONE_MATCH, "*")));
        let of = |revision| Version::new(Status { size: 10, stored, revision: Some(revision) });
        assert_ne!(of(1).tag, of(2).tag);

        let mut headers = asked(header::RANGE, "bytes=1-2");
        assert_eq!(version.part(&headers), Part::Bytes(1..3));
        headers.insert(header::IF_RANGE, ascii(&version.tag));
        assert_eq!(version.part(&headers), Part::Bytes(1..3));
        headers.insert(header::IF_RANGE, ascii("\"other\""));
        assert_eq!(version.part(&headers), Part::Whole);
    }
}
