//! The feature domain's port: definitions and how far views were materialised.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::time::{DataTime, MachineTime};
use mainstay_features::port::{FeaturesReader, FeaturesTx, Materialisation, StoredDefinitions};

use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;
use crate::value::Row;

const NEWEST: &str = "SELECT project, revision, digest, source, applied_at FROM feature_definitions \
    WHERE workspace = $1 AND project = $2 ORDER BY revision DESC LIMIT 1";
const PROJECTS: &str = "SELECT project, revision, digest, source, applied_at FROM feature_definitions AS d \
    WHERE workspace = $1 AND revision = (SELECT MAX(revision) FROM feature_definitions AS n \
    WHERE n.workspace = d.workspace AND n.project = d.project) ORDER BY project";
const VIEWS: &str = "SELECT project, view_name, definition, until, carried, digest \
    FROM feature_materialisations WHERE workspace = $1 AND project = $2 ORDER BY view_name";

#[async_trait]
impl FeaturesTx for StoreTx {
    async fn definitions(&mut self, project: &Name) -> Result<Option<StoredDefinitions>, StorageError> {
        let row = self.query_one(NEWEST, params![self.workspace().as_str(), project.as_str()]).await?;
        row.as_ref().map(definitions).transpose()
    }

    async fn add_definitions(&mut self, added: &StoredDefinitions) -> Result<(), StorageError> {
        let sql = "INSERT INTO feature_definitions (workspace, project, revision, digest, source, applied_at) \
            VALUES ($1, $2, $3, $4, $5, $6)";
        let row = params![
            self.workspace().as_str(),
            added.project.as_str(),
            added.revision,
            added.digest.to_string(),
            &added.text,
            added.applied_at.micros(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn materialisation(
        &mut self,
        project: &Name,
        view: &str,
    ) -> Result<Option<Materialisation>, StorageError> {
        let rows = self.query(VIEWS, params![self.workspace().as_str(), project.as_str()]).await?;
        let all: Vec<_> = rows.iter().map(materialisation).collect::<Result<_, _>>()?;
        Ok(all.into_iter().find(|m| m.view == view))
    }

    async fn put_materialisation(&mut self, put: &Materialisation) -> Result<(), StorageError> {
        let sql = "INSERT INTO feature_materialisations \
            (workspace, project, view_name, definition, until, carried, digest) \
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (workspace, project, view_name) DO UPDATE SET \
            definition = excluded.definition, until = excluded.until, carried = excluded.carried, \
            digest = excluded.digest";
        let row = params![
            self.workspace().as_str(),
            put.project.as_str(),
            &put.view,
            put.definition.to_string(),
            put.until.micros(),
            put.rows,
            put.digest.to_string(),
        ];
        self.execute(sql, row).await.map(drop)
    }
}

impl Reader {
    /// The newest definitions of every project, by name.
    pub async fn feature_projects(&self, workspace: &Name) -> Result<Vec<StoredDefinitions>, StorageError> {
        let key = params![workspace.as_str()].to_vec();
        let rows = self.read(move |tx| Box::pin(async move { tx.query(PROJECTS, &key).await })).await?;
        rows.iter().map(definitions).collect()
    }

    /// The newest definitions of one project.
    pub async fn feature_definitions(
        &self,
        workspace: &Name,
        project: &Name,
    ) -> Result<Option<StoredDefinitions>, StorageError> {
        let key = params![workspace.as_str(), project.as_str()].to_vec();
        let row = self.read(move |tx| Box::pin(async move { tx.query_one(NEWEST, &key).await })).await?;
        row.as_ref().map(definitions).transpose()
    }

    /// How far the views of a project were materialised, by name.
    pub async fn materialisations(
        &self,
        workspace: &Name,
        project: &Name,
    ) -> Result<Vec<Materialisation>, StorageError> {
        let key = params![workspace.as_str(), project.as_str()].to_vec();
        let rows = self.read(move |tx| Box::pin(async move { tx.query(VIEWS, &key).await })).await?;
        rows.iter().map(materialisation).collect()
    }
}

#[async_trait]
impl FeaturesReader for Reader {
    async fn projects(&self, workspace: &Name) -> Result<Vec<StoredDefinitions>, StorageError> {
        self.feature_projects(workspace).await
    }

    async fn definitions(
        &self,
        workspace: &Name,
        project: &Name,
    ) -> Result<Option<StoredDefinitions>, StorageError> {
        self.feature_definitions(workspace, project).await
    }

    async fn views(&self, workspace: &Name, project: &Name) -> Result<Vec<Materialisation>, StorageError> {
        self.materialisations(workspace, project).await
    }
}

fn definitions(row: &Row) -> Result<StoredDefinitions, StorageError> {
    Ok(StoredDefinitions {
        project: row.parsed(0)?,
        revision: row.count(1)?,
        digest: row.parsed(2)?,
        text: row.text(3)?.to_owned(),
        applied_at: MachineTime::from_micros(row.int(4)?),
    })
}

fn materialisation(row: &Row) -> Result<Materialisation, StorageError> {
    Ok(Materialisation {
        project: row.parsed(0)?,
        view: row.text(1)?.to_owned(),
        definition: row.parsed(2)?,
        until: DataTime::from_micros(row.int(3)?),
        rows: row.count(4)?,
        digest: row.parsed(5)?,
    })
}
