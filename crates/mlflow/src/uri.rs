//! How URIs of artifacts are read: their schemes, whether they name a host, and which are paths of this machine.

use std::path::{Component, Path, PathBuf};

use crate::artifact_path::{SCHEME, decoded_once};

/// Schemes whose URIs say which host to ask.
pub(crate) const NAMING_A_HOST: [&str; 9] =
    ["abfss", "b2", "ftp", "hdfs", "http", "https", "r2", "sftp", "viewfs"];

/// Whether a URI names a host to ask.
pub(crate) fn names_a_host(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let scheme = scheme.to_ascii_lowercase();
    NAMING_A_HOST.contains(&scheme.as_str())
        || (scheme == SCHEME.trim_end_matches(':') && rest.starts_with("//") && !rest.starts_with("///"))
}

/// The path of a place on this machine, if that is what a URI names.
pub(crate) fn local_path(uri: &str) -> Option<PathBuf> {
    if uri.starts_with('/') {
        return Some(PathBuf::from(uri));
    }
    let rest = uri.strip_prefix("file:")?;
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
        None => rest,
    };
    let plain = decoded_once(path).ok()?.unwrap_or_else(|| path.to_owned());
    plain.starts_with('/').then(|| PathBuf::from(plain))
}

/// Whether the scheme of a URI may hold it (RFC 3986, 3.1).
pub(crate) const fn is_of_a_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// A URI whose scheme is written small, as whoever reads it takes it.
pub(crate) fn with_small_scheme(mut uri: String) -> String {
    let scheme = uri.find(':').unwrap_or(0);
    if uri.bytes().take(scheme).all(is_of_a_scheme)
        && let Some(scheme) = uri.get_mut(..scheme)
    {
        scheme.make_ascii_lowercase();
    }
    uri
}

/// A path without `.` and `..`.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_places_are_known_by_their_paths() {
        let path = |uri: &str| local_path(uri).map(|path| path.display().to_string());
        assert_eq!(path("file:///a%20b/c").as_deref(), Some("/a b/c"));
        assert_eq!(path("file:/a").as_deref(), Some("/a"));
        assert_eq!(path("file://localhost/a").as_deref(), Some("/a"));
        assert_eq!(path("/a%20b").as_deref(), Some("/a%20b"));
        assert_eq!((path("file://host/a"), path("s3://b/a"), path("a")), (None, None, None));
    }
}
