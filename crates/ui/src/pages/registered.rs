//! The versions that were registered of a logged model, and whether they are still there.

use mainstay_api::caller::Caller;
use mainstay_core::action::Action;
use mainstay_core::scope::ResourceKind;
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_tracking::logged_model::LoggedModelDetail;
use serde_json::Value;

use crate::Console;
use crate::frame::Error;
use crate::show::link::{self, segment};

/// Most versions of a logged model on a page.
const VERSIONS: usize = 20;

/// A version that was registered of a logged model.
pub(super) struct Registered {
    pub(super) says: String,
    /// Nothing where it is there no more, or is not for the caller to see.
    pub(super) href: Option<String>,
    /// Whether the caller may know that it is there no more.
    pub(super) is_deleted: bool,
}

/// The versions that were registered of a logged model.
pub(super) async fn registered(
    console: &Console,
    caller: &Caller,
    logged: &LoggedModelDetail,
) -> Result<Vec<Registered>, Error> {
    let said = logged.tags.get("mlflow.modelVersions").map(String::as_str);
    let mut all = Vec::new();
    for (name, number) in told(said.unwrap_or_default()) {
        all.push(looked_up(console, caller, &name, &number).await?);
    }
    Ok(all)
}

/// They stand in a tag: a list of `{"name": …, "version": …}`, as clients read it. The number is a text or a number, by
/// who wrote it, and both may have written it.
fn told(json: &str) -> Vec<(String, String)> {
    let all: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
    let version = |one: &Value| {
        let (name, number) = (one.get("name")?.as_str()?, one.get("version")?);
        Some((name.to_owned(), number.as_str().map_or_else(|| number.to_string(), str::to_owned)))
    };
    let mut found: Vec<(String, String)> = Vec::new();
    for one in all.iter().filter_map(version) {
        if found.len() < VERSIONS && !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

async fn looked_up(
    console: &Console,
    caller: &Caller,
    name: &str,
    number: &str,
) -> Result<Registered, Error> {
    // Whoever writes the tag may name any version: nobody learns by it which there are.
    let may = caller.could(Action::ModelRead, ResourceKind::Model, name);
    let found = match (ModelName::new(name), VersionNumber::parse(number)) {
        (Ok(name), Ok(number)) if may => console.registered.version(&caller.workspace, &name, number).await?,
        _ => None,
    };
    let is_there = found.is_some_and(|found| !found.version.is_deleted());
    Ok(Registered {
        says: format!("{name} v{number}"),
        href: is_there.then(|| link::version(name, segment(number))),
        is_deleted: may && !is_there,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_told_once() {
        let json =
            r#"[{"name":"a","version":"3"},{"name":"a","version":3},{"name":"b","version":1},{"x":1}]"#;
        let expected = [("a", "3"), ("b", "1")].map(|(name, number)| (name.to_owned(), number.to_owned()));
        assert_eq!(told(json), expected);
        assert!(told("no list").is_empty() && told("").is_empty());
    }
}
