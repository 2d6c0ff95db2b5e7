//! `registered_models`, `model_versions`, their tags and `registered_model_aliases`. Prompts are such models.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use mainstay_core::run_ref::RunRef;
use mainstay_registry::import::ImportedVersion;
use mainstay_registry::model::{Model, ModelDetail, ModelVersion, Stage, VersionDetail};
use mainstay_registry::name::{Alias, ModelName, Tag, VersionNumber};
use mainstay_store::params;
use mainstay_store::value::Row;
use serde_json::json;

use super::{Page, Rules, Stock, elsewhere, has_nul, instant};
use crate::error::ImportError;
use crate::finding::Finding;

const PAGE: u64 = 200;
const MODELS: &str = "SELECT name, description, creation_time, last_updated_time FROM registered_models \
    WHERE workspace = $1 AND name > $2 ORDER BY name LIMIT $3";
const MODEL_TAGS: &str = "SELECT name, key, value FROM registered_model_tags \
    WHERE workspace = $1 AND name > $2 AND name <= $3 ORDER BY name, key";
const ALIASES: &str = "SELECT name, alias, version FROM registered_model_aliases \
    WHERE workspace = $1 AND name > $2 AND name <= $3 ORDER BY name, alias";
const VERSIONS: &str = "SELECT name, version, creation_time, last_updated_time, description, user_id, current_stage, \
    source, storage_location, run_id, run_link, status, status_message FROM model_versions \
    WHERE workspace = $1 AND (name, version) > ($2, $3) ORDER BY name, version LIMIT $4";
const VERSION_TAGS: &str = "SELECT name, version, key, value FROM model_version_tags \
    WHERE workspace = $1 AND (name, version) > ($2, $3) AND (name, version) <= ($4, $5) ORDER BY name, version, key";

/// Registered models, and the name of the last.
pub type Models = Page<ModelDetail, String>;
/// Versions, and model and number of the last.
pub type Versions = Page<ImportedVersion, (String, i64)>;

impl Stock {
    /// The registered models of a workspace behind the one of that name.
    pub async fn models(&mut self, workspace: &Name, after: Option<String>) -> Result<Models, ImportError> {
        let after = after.unwrap_or_default();
        let rows = self.query(MODELS, params![workspace.as_str(), &after, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(Page::end()) };
        let last = last.text(0).map_err(ImportError::Source)?.to_owned();
        let key = params![workspace.as_str(), &after, &last];
        let tags = self.query(MODEL_TAGS, key).await?;
        let aliases = self.query(ALIASES, key).await?;
        models(&rows, &tags, &aliases, last).map_err(ImportError::Source)
    }

    /// The versions of all models of a workspace behind one.
    pub async fn versions(
        &mut self,
        workspace: &Name,
        after: Option<(String, i64)>,
    ) -> Result<Versions, ImportError> {
        let (name, number) = after.unwrap_or_default();
        let rows = self.query(VERSIONS, params![workspace.as_str(), &name, number, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(Page::end()) };
        let last = (|| Ok((last.text(0)?.to_owned(), last.int(1)?)))().map_err(ImportError::Source)?;
        let key = params![workspace.as_str(), &name, number, &last.0, last.1];
        let tags = self.query(VERSION_TAGS, key).await?;
        self.rules.versions(&rows, &tags, last).map_err(ImportError::Source)
    }
}

fn models(rows: &[Row], tags: &[Row], aliases: &[Row], last: String) -> Result<Models, StorageError> {
    let (mut found, mut findings) = (BTreeMap::new(), Vec::new());
    for row in rows {
        let name = row.text(0)?;
        match model(row)? {
            Ok(model) => {
                let detail = ModelDetail { model, tags: BTreeMap::new(), aliases: BTreeMap::new() };
                found.insert(name.to_owned(), detail);
            }
            Err(reason) => findings.push(Finding::new(format!("registered model {name:?}"), reason)),
        }
    }
    for row in tags {
        let (name, key) = (row.text(0)?, row.text(1)?);
        let Some(detail) = found.get_mut(name) else { continue };
        match Tag::new(key, row.opt_text(2)?.unwrap_or_default()) {
            Ok(tag) => drop(detail.tags.insert(tag.key, tag.value)),
            Err(error) => {
                findings.push(Finding::new(format!("tag {key:?} of registered model {name:?}"), error));
            }
        }
    }
    for row in aliases {
        let (name, alias) = (row.text(0)?, row.text(1)?);
        let Some(detail) = found.get_mut(name) else { continue };
        match (Alias::new(alias), VersionNumber::parse(&row.int(2)?.to_string())) {
            (Ok(alias), Ok(number)) => drop(detail.aliases.insert(alias, number)),
            (Err(error), _) | (_, Err(error)) => {
                findings.push(Finding::new(format!("alias {alias:?} of registered model {name:?}"), error));
            }
        }
    }
    Ok(Page { items: found.into_values().collect(), findings, last: Some(last) })
}

fn model(row: &Row) -> Result<Result<Model, String>, StorageError> {
    let description = row.opt_text(1)?.unwrap_or_default();
    let (created, updated) = (row.opt_int(2)?, row.opt_int(3)?);
    if has_nul(&[description]) {
        return Ok(Err("its description holds U+0000".into()));
    }
    let name = ModelName::new(row.text(0)?).map_err(|error| error.to_string());
    let (Some(created), Some(updated)) = (instant(created), instant(updated.or(created))) else {
        return Ok(Err("its times are beyond all time".into()));
    };
    Ok(name.map(|name| Model { name, description: description.to_owned(), created, updated }))
}

impl Rules {
    fn versions(&self, rows: &[Row], tags: &[Row], last: (String, i64)) -> Result<Versions, StorageError> {
        let (mut found, mut findings) = (BTreeMap::new(), Vec::new());
        for row in rows {
            let (name, number) = (row.text(0)?, row.int(1)?);
            match self.version(row)? {
                Ok(version) => drop(found.insert((name.to_owned(), number), version)),
                Err(reason) => findings.push(Finding::new(format!("version {number} of {name:?}"), reason)),
            }
        }
        for row in tags {
            let (name, number, key) = (row.text(0)?, row.int(1)?, row.text(2)?);
            let Some(version) = found.get_mut(&(name.to_owned(), number)) else { continue };
            match Tag::new(key, row.opt_text(3)?.unwrap_or_default()) {
                Ok(tag) => drop(version.detail.tags.insert(tag.key, tag.value)),
                Err(error) => {
                    findings
                        .push(Finding::new(format!("tag {key:?} of version {number} of {name:?}"), error));
                }
            }
        }
        Ok(Page { items: found.into_values().collect(), findings, last: Some(last) })
    }

    fn version(&self, row: &Row) -> Result<Result<ImportedVersion, String>, StorageError> {
        let text = |column| row.opt_text(column).map(Option::unwrap_or_default);
        let (description, source, run_link) = (text(4)?, text(7)?, text(10)?);
        // Where it lies, if that is not what it was registered with.
        let location = row.opt_text(8)?.unwrap_or(source);
        let creator = row.opt_text(5)?.filter(|user| !user.is_empty());
        if has_nul(&[description, source, run_link, location, creator.unwrap_or_default()]) {
            return Ok(Err("one of its texts holds U+0000".into()));
        }
        let model = ModelName::new(row.text(0)?).map_err(|error| error.to_string());
        let number = VersionNumber::parse(&row.int(1)?.to_string()).map_err(|error| error.to_string());
        let (created, updated) = (row.opt_int(2)?, row.opt_int(3)?);
        let stage = Stage::stored(row.opt_text(6)?.unwrap_or(Stage::None.as_str()));
        let run = row.opt_text(9)?.filter(|run| !run.is_empty()).map(RunRef::new).transpose();
        let status = row.opt_text(11)?.filter(|status| *status != "READY");
        let elsewhere = elsewhere([
            ("status", json!(status)),
            ("status_message", json!(row.opt_text(12)?.filter(|m| !m.is_empty()))),
        ]);
        let whole = || {
            let version = ModelVersion {
                model: model?,
                number: number?,
                created: instant(created).ok_or("its creation time is beyond all time")?,
                updated: instant(updated.or(created)).ok_or("its update time is beyond all time")?,
                creator: creator.map(Actor::stored),
                description: description.to_owned(),
                stage: stage.ok_or("its stage is none that is known")?,
                source: self.artifacts.uri(source),
                location: self.artifacts.uri(location),
                run: run.map_err(|error| error.to_string())?,
                run_link: run_link.to_owned(),
                logged_model: None,
                digest: None,
            };
            // A stock server leaves words where it took something away.
            let is_deleted = version.is_deleted();
            let updated = version.updated;
            let version = if is_deleted { version.redacted(updated) } else { version };
            let detail = VersionDetail { version, tags: BTreeMap::new(), aliases: Vec::new() };
            Ok(ImportedVersion { detail, elsewhere })
        };
        Ok(whole())
    }
}

#[cfg(test)]
mod tests {
    use mainstay_store::value::Value;
    use mainstay_tracking::text::Overlong;

    use super::*;
    use crate::artifacts::{Artifacts, Root};

    fn version_row(number: i64, stage: &str, source: &str, location: Value) -> Row {
        let mut values: Vec<Value> = vec!["m".into(), number.into(), 5_i64.into(), Value::Null, Value::Null];
        values.extend(["ann".into(), stage.into(), source.into(), location, "run 1".into(), Value::Null]);
        values.extend(["FAILED_REGISTRATION".into(), "no disk".into()]);
        Row::new(values)
    }

    #[test]
    fn versions_keep_their_numbers_and_what_they_were_copied_from() {
        let root = Root { from: "file:///old".into(), directory: "/old".into(), below: String::new() };
        let artifacts = Artifacts { are_kept: false, roots: vec![root] };
        let rules = Rules { overlong: Overlong::Refuse, artifacts };
        let rows = [
            version_row(1, "Production", "models:/m-1", "file:///old/0/r/artifacts".into()),
            version_row(3, "Deleted_Internal", "REDACTED-SOURCE-PATH", Value::Null),
            version_row(0, "None", "x", Value::Null),
            version_row(4, "Odd", "x", Value::Null),
        ];
        let tags = [Row::new(vec!["m".into(), 1_i64.into(), "k".into(), "v".into()])];
        let page = rules.versions(&rows, &tags, ("m".into(), 4)).unwrap();
        let [first, deleted] = &page.items[..] else { panic!("{:?}", page.items) };
        let version = &first.detail.version;
        assert_eq!((version.number, version.stage), (VersionNumber(1), Stage::Production));
        assert_eq!(
            (version.source.as_str(), version.location.as_str()),
            ("models:/m-1", "mlflow-artifacts:/0/r/artifacts")
        );
        assert_eq!(version.updated, version.created);
        assert_eq!(first.elsewhere["status_message"], "no disk");
        assert_eq!(first.detail.tags["k"], "v");
        let deleted = &deleted.detail.version;
        assert!(deleted.is_deleted() && deleted.source.is_empty() && deleted.run.is_none());
        assert_eq!(page.findings.len(), 2);
    }

    #[test]
    fn models_come_with_their_aliases_and_odd_names_are_found() {
        let model = |name: &str| Row::new(vec![name.into(), Value::Null, 5_i64.into(), 6_i64.into()]);
        let alias = |alias: &str, number: i64| Row::new(vec!["m".into(), alias.into(), number.into()]);
        let aliases = [alias("champion", 2), alias("latest", 1)];
        let page = models(&[model("m"), model("a/b")], &[], &aliases, "m".into()).unwrap();
        assert_eq!(page.items[0].aliases[&Alias::champion()], VersionNumber(2));
        assert_eq!((page.items.len(), page.findings.len()), (1, 2));
    }
}
