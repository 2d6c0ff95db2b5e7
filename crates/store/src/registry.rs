//! The registry's port: models, versions, tags and aliases.

mod logged_model_note;
mod read;

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use mainstay_core::run_ref::RunRef;
use mainstay_core::time::MachineTime;
use mainstay_registry::model::{Model, ModelVersion, Stage};
use mainstay_registry::name::{Alias, ModelName, Tag, VersionNumber};
use mainstay_registry::port::{GateStatus, RegistryTx};

use crate::params;
use crate::tx::StoreTx;
use crate::value::Row;

const MODEL: &str =
    "SELECT name, description, created, updated FROM registered_models WHERE workspace = $1 AND name = $2";
const VERSION: &str = "SELECT model, number, created, updated, creator, description, stage, source, \
    run, run_link, logged_model, digest, location FROM model_versions WHERE workspace = $1 AND model = $2 AND number = $3";
const ALIASES: &str =
    "SELECT alias, number FROM model_aliases WHERE workspace = $1 AND model = $2 ORDER BY alias";

#[async_trait]
impl RegistryTx for StoreTx {
    async fn model(&mut self, name: &ModelName) -> Result<Option<Model>, StorageError> {
        let row = self.query_one(MODEL, params![self.workspace().as_str(), name.as_str()]).await?;
        row.as_ref().map(model).transpose()
    }

    async fn insert_model(&mut self, model: &Model) -> Result<(), StorageError> {
        let sql = "INSERT INTO registered_models (workspace, name, description, created, updated) \
            VALUES ($1, $2, $3, $4, $5)";
        let row = params![
            self.workspace().as_str(),
            model.name.as_str(),
            &model.description,
            model.created.micros(),
            model.updated.micros(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn update_model(&mut self, model: &Model) -> Result<(), StorageError> {
        let sql =
            "UPDATE registered_models SET description = $3, updated = $4 WHERE workspace = $1 AND name = $2";
        let row = params![
            self.workspace().as_str(),
            model.name.as_str(),
            &model.description,
            model.updated.micros(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn rename_model(
        &mut self,
        from: &ModelName,
        to: &ModelName,
        at: MachineTime,
    ) -> Result<(), StorageError> {
        let sql = "UPDATE model_versions SET updated = $3 WHERE workspace = $1 AND model = $2";
        self.execute(sql, params![self.workspace().as_str(), from.as_str(), at.micros()]).await?;
        let key = params![self.workspace().as_str(), from.as_str(), to.as_str()];
        for sql in [
            "UPDATE registered_models SET name = $3 WHERE workspace = $1 AND name = $2",
            "UPDATE model_tags SET model = $3 WHERE workspace = $1 AND model = $2",
            "UPDATE model_versions SET model = $3 WHERE workspace = $1 AND model = $2",
            "UPDATE model_version_tags SET model = $3 WHERE workspace = $1 AND model = $2",
            "UPDATE model_aliases SET model = $3 WHERE workspace = $1 AND model = $2",
            "UPDATE permissions SET pattern = $3 WHERE workspace = $1 AND kind = 'model' AND pattern = $2",
        ] {
            self.execute(sql, key).await?;
        }
        Ok(())
    }

    async fn grants_bar_renaming(&mut self, from: &ModelName, to: &ModelName) -> Result<bool, StorageError> {
        let sql = "SELECT p.kind FROM custom_role_permissions p JOIN custom_roles r ON r.id = p.role \
            WHERE r.workspace = $1 AND p.kind = 'model' AND (p.pattern = $2 OR p.pattern = $3) \
            UNION ALL SELECT kind FROM permissions WHERE workspace = $1 AND kind = 'model' AND pattern = $3 LIMIT 1";
        let key = params![self.workspace().as_str(), from.as_str(), to.as_str()];
        Ok(self.query_one(sql, key).await?.is_some())
    }

    async fn delete_model(&mut self, name: &ModelName) -> Result<(), StorageError> {
        let key = params![self.workspace().as_str(), name.as_str()];
        for sql in [
            "DELETE FROM registered_models WHERE workspace = $1 AND name = $2",
            "DELETE FROM model_tags WHERE workspace = $1 AND model = $2",
            "DELETE FROM model_versions WHERE workspace = $1 AND model = $2",
            "DELETE FROM model_version_tags WHERE workspace = $1 AND model = $2",
            "DELETE FROM model_aliases WHERE workspace = $1 AND model = $2",
            "DELETE FROM permissions WHERE workspace = $1 AND kind = 'model' AND pattern = $2",
        ] {
            self.execute(sql, key).await?;
        }
        Ok(())
    }

    async fn put_model_tag(&mut self, name: &ModelName, tag: &Tag) -> Result<(), StorageError> {
        let sql = "INSERT INTO model_tags (workspace, model, key, value) VALUES ($1, $2, $3, $4) \
            ON CONFLICT (workspace, model, key) DO UPDATE SET value = excluded.value";
        let row = params![self.workspace().as_str(), name.as_str(), &tag.key, &tag.value];
        self.execute(sql, row).await.map(drop)
    }

    async fn model_tag(&mut self, name: &ModelName, key: &str) -> Result<Option<String>, StorageError> {
        let sql = "SELECT value FROM model_tags WHERE workspace = $1 AND model = $2 AND key = $3";
        let row = self.query_one(sql, params![self.workspace().as_str(), name.as_str(), key]).await?;
        row.map(|row| row.text(0).map(str::to_owned)).transpose()
    }

    async fn delete_model_tag(&mut self, name: &ModelName, key: &str) -> Result<(), StorageError> {
        let sql = "DELETE FROM model_tags WHERE workspace = $1 AND model = $2 AND key = $3";
        self.execute(sql, params![self.workspace().as_str(), name.as_str(), key]).await.map(drop)
    }

    async fn last_version(&mut self, name: &ModelName) -> Result<Option<VersionNumber>, StorageError> {
        let sql = "SELECT MAX(number) FROM model_versions WHERE workspace = $1 AND model = $2";
        let row = self.query_one(sql, params![self.workspace().as_str(), name.as_str()]).await?;
        let last = row.map(|row| row.opt_int(0)).transpose()?.flatten();
        last.map(number_of).transpose()
    }

    async fn version(
        &mut self,
        name: &ModelName,
        number: VersionNumber,
    ) -> Result<Option<ModelVersion>, StorageError> {
        let key = params![self.workspace().as_str(), name.as_str(), number.0];
        self.query_one(VERSION, key).await?.as_ref().map(version).transpose()
    }

    async fn insert_version(&mut self, version: &ModelVersion) -> Result<(), StorageError> {
        let sql = "INSERT INTO model_versions (workspace, model, number, created, updated, creator, description, \
            stage, source, run, run_link, logged_model, digest, location) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let row = params![
            self.workspace().as_str(),
            version.model.as_str(),
            version.number.0,
            version.created.micros(),
            version.updated.micros(),
            version.creator.as_ref().map(Actor::as_str),
            &version.description,
            version.stage.as_str(),
            &version.source,
            version.run.as_ref().map(RunRef::as_str),
            &version.run_link,
            version.logged_model.as_deref(),
            version.digest.map(|digest| digest.to_string()),
            &version.location,
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn update_version(&mut self, version: &ModelVersion) -> Result<(), StorageError> {
        let sql = "UPDATE model_versions SET updated = $4, creator = $5, description = $6, stage = $7, \
            source = $8, run = $9, run_link = $10, logged_model = $11 \
            WHERE workspace = $1 AND model = $2 AND number = $3";
        let row = params![
            self.workspace().as_str(),
            version.model.as_str(),
            version.number.0,
            version.updated.micros(),
            version.creator.as_ref().map(Actor::as_str),
            &version.description,
            version.stage.as_str(),
            &version.source,
            version.run.as_ref().map(RunRef::as_str),
            &version.run_link,
            version.logged_model.as_deref(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn versions_in(
        &mut self,
        name: &ModelName,
        stage: Stage,
    ) -> Result<Vec<ModelVersion>, StorageError> {
        let sql = "SELECT model, number, created, updated, creator, description, stage, source, run, run_link, \
            logged_model, digest, location FROM model_versions WHERE workspace = $1 AND model = $2 AND stage = $3 \
            ORDER BY number";
        let key = params![self.workspace().as_str(), name.as_str(), stage.as_str()];
        self.query(sql, key).await?.iter().map(version).collect()
    }

    async fn put_version_tag(
        &mut self,
        name: &ModelName,
        number: VersionNumber,
        tag: &Tag,
    ) -> Result<(), StorageError> {
        let sql = "INSERT INTO model_version_tags (workspace, model, number, key, value) \
            VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (workspace, model, number, key) DO UPDATE SET value = excluded.value";
        let row = params![self.workspace().as_str(), name.as_str(), number.0, &tag.key, &tag.value];
        self.execute(sql, row).await.map(drop)
    }

    async fn note_version_of(
        &mut self,
        logged_model: &str,
        name: &ModelName,
        number: VersionNumber,
    ) -> Result<(), StorageError> {
        logged_model_note::append(self, logged_model, name, number).await
    }

    async fn delete_version_tag(
        &mut self,
        name: &ModelName,
        number: VersionNumber,
        key: &str,
    ) -> Result<(), StorageError> {
        let sql =
            "DELETE FROM model_version_tags WHERE workspace = $1 AND model = $2 AND number = $3 AND key = $4";
        self.execute(sql, params![self.workspace().as_str(), name.as_str(), number.0, key]).await.map(drop)
    }

    async fn aliases(&mut self, name: &ModelName) -> Result<Vec<(Alias, VersionNumber)>, StorageError> {
        let rows = self.query(ALIASES, params![self.workspace().as_str(), name.as_str()]).await?;
        rows.iter().map(|row| Ok((alias(row, 0)?, number_of(row.int(1)?)?))).collect()
    }

    async fn put_alias(
        &mut self,
        name: &ModelName,
        alias: &Alias,
        number: VersionNumber,
    ) -> Result<(), StorageError> {
        let sql = "INSERT INTO model_aliases (workspace, model, alias, number) VALUES ($1, $2, $3, $4) \
            ON CONFLICT (workspace, model, alias) DO UPDATE SET number = excluded.number";
        let row = params![self.workspace().as_str(), name.as_str(), alias.as_str(), number.0];
        self.execute(sql, row).await.map(drop)
    }

    async fn delete_alias(&mut self, name: &ModelName, alias: &Alias) -> Result<(), StorageError> {
        let sql = "DELETE FROM model_aliases WHERE workspace = $1 AND model = $2 AND alias = $3";
        self.execute(sql, params![self.workspace().as_str(), name.as_str(), alias.as_str()]).await.map(drop)
    }

    async fn alias_guard(&mut self, name: &ModelName, alias: &Alias) -> Result<Option<Name>, StorageError> {
        if *alias != Alias::champion() {
            return Ok(None);
        }
        let sql = "SELECT name FROM endpoints WHERE workspace = $1 AND model = $2 AND governed = 1 \
            ORDER BY name LIMIT 1";
        let row = self.query_one(sql, params![self.workspace().as_str(), name.as_str()]).await?;
        row.map(|row| row.parsed(0)).transpose()
    }

    async fn gate_status(&mut self, digest: &Digest) -> Result<GateStatus, StorageError> {
        Ok(match self.judged(digest).await? {
            mainstay_governance::gate::GateStatus::Passed => GateStatus::Passed,
            mainstay_governance::gate::GateStatus::Missing(what) => GateStatus::Missing(what),
        })
    }
}

fn model(row: &Row) -> Result<Model, StorageError> {
    Ok(Model {
        name: model_name(row, 0)?,
        description: row.text(1)?.to_owned(),
        created: MachineTime::from_micros(row.int(2)?),
        updated: MachineTime::from_micros(row.int(3)?),
    })
}

fn version(row: &Row) -> Result<ModelVersion, StorageError> {
    let stage = row.text(6)?;
    Ok(ModelVersion {
        model: model_name(row, 0)?,
        number: number_of(row.int(1)?)?,
        created: MachineTime::from_micros(row.int(2)?),
        updated: MachineTime::from_micros(row.int(3)?),
        creator: row.opt_text(4)?.map(Actor::stored),
        description: row.text(5)?.to_owned(),
        stage: Stage::stored(stage).ok_or_else(|| StorageError::Corrupt(format!("the stage {stage:?}")))?,
        source: row.text(7)?.to_owned(),
        location: row.text(12)?.to_owned(),
        run: if row.opt_text(8)?.is_some() { Some(row.parsed(8)?) } else { None },
        run_link: row.text(9)?.to_owned(),
        logged_model: row.opt_text(10)?.map(str::to_owned),
        digest: if row.opt_text(11)?.is_some() { Some(row.parsed(11)?) } else { None },
    })
}

fn model_name(row: &Row, column: usize) -> Result<ModelName, StorageError> {
    ModelName::new(row.text(column)?).map_err(|error| StorageError::Corrupt(error.to_string()))
}

fn alias(row: &Row, column: usize) -> Result<Alias, StorageError> {
    Alias::new(row.text(column)?).map_err(|error| StorageError::Corrupt(error.to_string()))
}

fn number_of(stored: i64) -> Result<VersionNumber, StorageError> {
    let number = u32::try_from(stored).map_err(|_| StorageError::Corrupt("a version's number".into()))?;
    Ok(VersionNumber(number))
}
