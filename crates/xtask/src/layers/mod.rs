//! Who may depend on whom, checked on what `cargo metadata` says.

mod table;

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::violation::{CheckError, Violation};
use table::{LAYERS, Layer, May, OWNED, TEST_ONLY, TESTKIT, TOKIO_IN_DOMAINS, XTASK};

const PREFIX: &str = "mainstay-";

/// What `cargo metadata --format-version 1` says of the workspace, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    /// The package's own name, even where it is renamed.
    name: String,
    kind: Option<Kind>,
    features: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Dev,
    Build,
}

/// Checks the workspace.
pub(crate) fn check(root: &Path) -> Result<Vec<Violation>, CheckError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .output()?;
    if !output.status.success() {
        return Err(CheckError::Metadata(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(violations(&serde_json::from_slice(&output.stdout)?))
}

fn violations(metadata: &Metadata) -> Vec<Violation> {
    metadata.packages.iter().flat_map(of_package).collect()
}

fn of_package(package: &Package) -> Vec<Violation> {
    let name = package.name.strip_prefix(PREFIX).unwrap_or(&package.name);
    let place = format!("crates/{name}/Cargo.toml");
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) else {
        let fault = "has no layer: give it a line in crates/xtask/src/layers/table.rs";
        return vec![Violation::at(place, format!("{} {fault}", package.name))];
    };
    package
        .dependencies
        .iter()
        .filter_map(|dependency| fault(layer, dependency).map(|fault| Violation::at(&place, fault)))
        .collect()
}

/// What is wrong about a dependency.
fn fault(layer: &Layer, dependency: &Dependency) -> Option<String> {
    let dev = dependency.kind == Some(Kind::Dev);
    if let Some(ours) = dependency.name.strip_prefix(PREFIX) {
        let shared = ours == TESTKIT || ours == layer.name || TEST_ONLY.contains(&(layer.name, ours));
        let allowed = may_name(layer, ours) || (dev && shared);
        return (!allowed).then(|| format!("{} may not depend on {ours}", layer.name));
    }
    let owners =
        OWNED.iter().find(|(pattern, _)| matches(pattern, &dependency.name)).map(|(_, owners)| owners);
    if let Some(owners) = owners.filter(|owners| !owners.contains(&layer.name)) {
        return Some(format!(
            "{} may not depend on {}: only {} may",
            layer.name,
            dependency.name,
            owners.join(", ")
        ));
    }
    if layer.domain && !dev && dependency.name == "tokio" {
        let refused = |feature: &&String| !TOKIO_IN_DOMAINS.contains(&feature.as_str());
        return dependency.features.iter().find(refused).map(|feature| {
            format!("{} may not use tokio's feature '{feature}': it is a domain", layer.name)
        });
    }
    None
}

fn may_name(layer: &Layer, other: &str) -> bool {
    let is_domain = || LAYERS.iter().any(|layer| layer.domain && layer.name == other);
    match layer.may {
        May::Only(names) => names.contains(&other),
        May::Domains(more) => is_domain() || more.contains(&other),
        May::All => other != TESTKIT && other != XTASK && other != layer.name,
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The faults of a workspace of one package with one dependency.
    fn faults(package: &str, name: &str, kind: Option<&str>, features: &[&str]) -> Vec<String> {
        let dependency = json!({ "name": name, "kind": kind, "features": features });
        let metadata = json!({ "packages": [{ "name": package, "dependencies": [dependency] }] });
        let metadata: Metadata = serde_json::from_value(metadata).unwrap();
        violations(&metadata).iter().map(ToString::to_string).collect()
    }

    fn good(package: &str, name: &str) {
        assert_eq!(faults(package, name, None, &[]), Vec::<String>::new());
    }

    fn bad(package: &str, name: &str, kind: Option<&str>) {
        assert_eq!(faults(package, name, kind, &[]).len(), 1, "{package} → {name}");
    }

    #[test]
    fn domains_do_not_depend_on_one_another() {
        good("mainstay-registry", "mainstay-core");
        assert_eq!(
            faults("mainstay-registry", "mainstay-tracking", None, &[]),
            ["crates/registry/Cargo.toml: registry may not depend on tracking"]
        );
        bad("mainstay-registry", "mainstay-serving", Some("dev"));
        bad("mainstay-api", "mainstay-inference", None);
        assert_eq!(faults("mainstay-api", "mainstay-inference", Some("dev"), &[]), Vec::<String>::new());
        bad("mainstay-core", "mainstay-data", Some("build"));
    }

    #[test]
    fn domains_know_no_http_sql_grpc_or_datafusion() {
        for name in
            ["axum", "hyper", "http", "rusqlite", "sqlx", "tonic", "datafusion", "reqwest", "hyper-util"]
        {
            bad("mainstay-pipelines", name, None);
            bad("mainstay-pipelines", name, Some("dev"));
        }
        good("mainstay-pipelines", "petgraph");
    }

    #[test]
    fn domains_take_only_channels_from_tokio() {
        assert_eq!(faults("mainstay-core", "tokio", None, &["sync"]), Vec::<String>::new());
        assert_eq!(faults("mainstay-core", "tokio", Some("dev"), &["rt", "macros"]), Vec::<String>::new());
        assert_eq!(faults("mainstay-core", "tokio", None, &["sync", "full"]).len(), 1);
        assert_eq!(faults("mainstay-store", "tokio", None, &["net"]), Vec::<String>::new());
    }

    #[test]
    fn only_query_names_datafusion_and_only_store_names_sql() {
        good("mainstay-query", "datafusion");
        bad("mainstay-server", "datafusion", None);
        bad("mainstay-server", "datafusion-expr", None);
        good("mainstay-store", "rusqlite");
        good("mainstay-store", "sqlx");
        bad("mainstay-query", "rusqlite", None);
        bad("mainstay-server", "sqlx", Some("dev"));
    }

    #[test]
    fn the_onnx_messages_are_for_trainer_and_evaluator() {
        good("mainstay-training", "mainstay-onnx");
        good("mainstay-inference", "mainstay-onnx");
        bad("mainstay-server-side", "mainstay-onnx", None);
        bad("mainstay-api", "mainstay-onnx", None);
    }

    #[test]
    fn the_server_assembles_and_nobody_names_the_tools() {
        good("mainstay-server", "mainstay-store");
        bad("mainstay-server", "mainstay-testkit", None);
        assert_eq!(faults("mainstay-server", "mainstay-testkit", Some("dev"), &[]), Vec::<String>::new());
        bad("mainstay-testkit", "mainstay-xtask", None);
        bad("mainstay-store", "mainstay-server", None);
    }

    #[test]
    fn a_crate_without_a_layer_is_refused() {
        let found = faults("mainstay-novelty", "mainstay-core", None, &[]);
        assert!(found.iter().any(|fault| fault.contains("has no layer")), "{found:?}");
    }
}
