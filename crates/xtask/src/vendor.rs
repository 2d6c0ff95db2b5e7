//! Vendored assets: the files beside `crates/ui/vendor/vendor.toml` are those that it lists, byte for
//! byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest, Sha384};

use crate::violation::{CheckError, Violation};

const FOLDER: &str = "crates/ui/vendor";
const LIST: &str = "vendor.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    asset: Vec<Asset>,
}

/// One `[[asset]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asset {
    /// File in the folder.
    file: String,
    /// The package that it comes from.
    name: String,
    /// That package's version.
    version: String,
    /// SPDX expression.
    license: String,
    /// Where the file was taken from.
    source: String,
    /// As the attribute `integrity` of HTML wants it: `sha384-` and the digest in Base64
    /// (<https://www.w3.org/TR/SRI/>).
    integrity: String,
}

/// Checks the folder; without one, there is nothing to check.
pub(crate) fn check(root: &Path) -> Result<Vec<Violation>, CheckError> {
    let folder = root.join(FOLDER);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause| CheckError::Read { path, cause }
    };
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
        let path = entry.map_err(failed(&folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.insert(name, fs::read(&path).map_err(failed(&path))?);
    }
    Ok(violations(&files))
}

/// `files`: what the folder holds, the list among it.
fn violations(files: &BTreeMap<String, Vec<u8>>) -> Vec<Violation> {
    let at = |file: &str, fault: &str| Violation::at(format!("{FOLDER}/{file}"), fault);
    let Some(text) = files.get(LIST) else { return vec![at(LIST, "is missing: assets are listed there")] };
    let list: List = match basic_toml::from_slice(text) {
        Ok(list) => list,
        Err(error) => return vec![at(LIST, &error.to_string())],
    };
    let mut found = Vec::new();
    for asset in &list.asset {
        match files.get(&asset.file) {
            None => found.push(at(&asset.file, "is listed, but not there")),
            Some(bytes) if integrity(bytes) != asset.integrity => {
                found.push(at(&asset.file, &format!("is not what is listed: it is {}", integrity(bytes))));
            }
            Some(_) => {}
        }
        if [&asset.name, &asset.version, &asset.license, &asset.source].iter().any(|text| text.is_empty()) {
            found.push(at(&asset.file, "needs a name, a version, a license and a source"));
        }
    }
    let unlisted =
        |file: &&String| file.as_str() != LIST && list.asset.iter().all(|asset| asset.file != **file);
    found.extend(files.keys().filter(unlisted).map(|file| at(file, "is not listed in vendor.toml")));
    found
}

fn integrity(bytes: &[u8]) -> String {
    format!("sha384-{}", STANDARD.encode(Sha384::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf 'abc' | openssl dgst -sha384 -binary | base64`
    const ABC: &str = "sha384-ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP/W+2AhgcroefMI1i67KE0yCWn";

    fn folder(list: &str, files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        let list = std::iter::once((LIST.to_owned(), list.as_bytes().to_vec()));
        list.chain(files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))).collect()
    }

    fn faults(list: &str, files: &[(&str, &str)]) -> Vec<String> {
        violations(&folder(list, files)).iter().map(ToString::to_string).collect()
    }

    fn entry(license: &str) -> String {
        format!(
            "[[asset]]\nfile = \"a.js\"\nname = \"a\"\nversion = \"1\"\nlicense = \"{license}\"\n\
             source = \"https://example.org/a.js\"\nintegrity = \"{ABC}\"\n"
        )
    }

    #[test]
    fn listed_bytes_hold_and_changed_ones_do_not() {
        assert_eq!(faults(&entry("MIT"), &[("a.js", "abc")]), Vec::<String>::new());
        let changed = faults(&entry("MIT"), &[("a.js", "abd")]);
        assert!(
            changed[0].starts_with("crates/ui/vendor/a.js: is not what is listed: it is sha384-"),
            "{changed:?}"
        );
    }

    #[test]
    fn missing_and_unlisted_files_are_named() {
        assert_eq!(
            faults(&entry("MIT"), &[("b.js", "abc")]),
            [
                "crates/ui/vendor/a.js: is listed, but not there",
                "crates/ui/vendor/b.js: is not listed in vendor.toml"
            ]
        );
        assert_eq!(violations(&BTreeMap::new()).len(), 1);
    }

    #[test]
    fn an_asset_says_where_it_comes_from_and_under_which_licence() {
        assert_eq!(faults(&entry(""), &[("a.js", "abc")]).len(), 1);
        assert_eq!(faults("[[asset]]\nfile = \"a.js\"\n", &[("a.js", "abc")]).len(), 1);
    }

    #[test]
    fn the_assets_of_this_repository_are_the_listed_ones() {
        let root = crate::tree::root().unwrap();
        assert_eq!(check(&root).unwrap(), []);
    }
}
