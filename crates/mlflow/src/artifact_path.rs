//! Paths of artifacts: decoded until nothing is left to decode, then checked (`validate_path_is_safe`).
//!
//! Stricter than a stock server in one thing: backslashes and control characters are refused.

use mainstay_core::object::ObjectPath;

use crate::MlflowError;

/// The scheme of what this server keeps.
pub(crate) const SCHEME: &str = "mlflow-artifacts:";
/// Where clients reach what this server keeps, behind its address.
const PROXY: &str = "/api/2.0/mlflow-artifacts/artifacts";
/// Longest path before decoding.
const MAX_RAW: usize = 4_096;

/// Decodes `%xx` until nothing changes, so that no further layer can find anything in it.
pub(crate) fn decoded(text: &str) -> Result<String, MlflowError> {
    if text.len() > MAX_RAW {
        return Err(MlflowError::InvalidPath);
    }
    let mut text = text.to_owned();
    // Each round shortens the text, so this ends.
    while let Some(shorter) = decoded_once(&text)? {
        text = shorter;
    }
    Ok(text)
}

/// `None` if there is nothing to decode.
pub(crate) fn decoded_once(text: &str) -> Result<Option<String>, MlflowError> {
    let (mut bytes, mut rest, mut changed) = (Vec::with_capacity(text.len()), text.as_bytes(), false);
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%');
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        if let Some(byte) = byte {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
            changed = true;
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    if !changed {
        return Ok(None);
    }
    String::from_utf8(bytes).map(Some).map_err(|_| MlflowError::InvalidPath)
}

/// Checks the path of a directory that a client sent; `None` is the root. Segments that are empty or `.` mean
/// nothing.
pub(crate) fn artifact_directory(text: &str) -> Result<Option<ObjectPath>, MlflowError> {
    let text = decoded(text)?;
    let segments: Vec<&str> = text.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
    let path = segments.join("/");
    let has_drive = matches!(path.as_bytes(), [letter, b':', b'/', ..] if letter.is_ascii_alphabetic());
    if text.starts_with('/') || path.starts_with("file:") || has_drive {
        return Err(MlflowError::InvalidPath);
    }
    if path.is_empty() {
        return Ok(None);
    }
    ObjectPath::new(path).map(Some).map_err(|_| MlflowError::InvalidPath)
}

/// Checks the path of a file that a client sent.
pub(crate) fn artifact_path(text: &str) -> Result<ObjectPath, MlflowError> {
    artifact_directory(text)?.ok_or(MlflowError::InvalidPath)
}

/// Where in our store the artifacts of a URI are; `None` if they are elsewhere. `mlflow-artifacts:/a`,
/// `mlflow-artifacts://host/a` and what the proxy of a host has at `a` are `a`.
pub fn stored_at(uri: &str) -> Option<Result<ObjectPath, MlflowError>> {
    let below_host = |rest: &'static str| uri.strip_prefix(rest)?.split_once('/').map(|(_, path)| path);
    let path = if let Some(rest) = uri.strip_prefix(SCHEME) {
        match rest.strip_prefix("//") {
            Some(authority_and_path) => authority_and_path.split_once('/').map_or("", |(_, path)| path),
            None => rest.trim_start_matches('/'),
        }
    } else {
        let path = below_host("http://").or_else(|| below_host("https://"))?;
        path.strip_prefix(PROXY.trim_start_matches('/'))?.strip_prefix('/')?
    };
    Some(artifact_path(path))
}

/// Whether `path` is `root` or below it.
pub(crate) fn within(path: &ObjectPath, root: &ObjectPath) -> bool {
    let rest = path.as_str().strip_prefix(root.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_to_the_end_and_then_checked() {
        for (text, path) in [
            ("0/a/b.txt", "0/a/b.txt"),
            ("0/a%20b", "0/a b"),
            ("0/100%", "0/100%"),
            ("a:b.txt", "a:b.txt"),
            ("C:x", "C:x"),
            ("./a//b/.", "a/b"),
        ] {
            assert_eq!(artifact_path(text).unwrap().as_str(), path);
        }
        for bad in [
            "/etc/passwd",
            "../x",
            "a/../x",
            "a/%2e%2e/x",
            "a/%252e%252e/x",
            "a%2F..%2Fx",
            "a/%25252e%25252e",
            "a\\b",
            "a%5cb",
            "C:/x",
            "./C:/x",
            "a#b",
            "a%23b",
            "a%00",
            "a%ff",
            "%2Fetc",
            "file:///x",
        ] {
            assert_eq!(artifact_directory(bad), Err(MlflowError::InvalidPath), "{bad}");
        }
        assert_eq!(artifact_path(&"%25".repeat(2_000)), Err(MlflowError::InvalidPath));
        assert_eq!(MlflowError::InvalidPath.to_string(), "Invalid path");
    }

    #[test]
    fn the_root_is_a_directory_and_no_file() {
        for root in ["", ".", "./", "%2e"] {
            assert_eq!(artifact_directory(root), Ok(None), "{root}");
            assert_eq!(artifact_path(root), Err(MlflowError::InvalidPath), "{root}");
        }
    }

    #[test]
    fn locations_are_ours_or_elsewhere() {
        let path = |uri| stored_at(uri).unwrap().unwrap().as_str().to_owned();
        assert_eq!(path("mlflow-artifacts:/0/r/artifacts"), "0/r/artifacts");
        assert_eq!(path("mlflow-artifacts://host:5000/0/r/"), "0/r");
        assert_eq!(path("http://host:5000/api/2.0/mlflow-artifacts/artifacts/0/r"), "0/r");
        for elsewhere in
            ["s3://bucket/x", "http://host/0/r", "https://host/api/2.0/mlflow-artifacts/artifactsx/0"]
        {
            assert!(stored_at(elsewhere).is_none(), "{elsewhere}");
        }
    }

    #[test]
    fn a_root_covers_what_is_below_it_only() {
        let path = |text: &str| ObjectPath::new(text).unwrap();
        assert!(within(&path("1/a"), &path("1")) && within(&path("1"), &path("1")));
        assert!(!within(&path("10/a"), &path("1")));
    }
}
