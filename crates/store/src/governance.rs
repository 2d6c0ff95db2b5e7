//! Governance's port: tokens, roles, workspaces, webhooks and gate reports.

mod webhook;

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::fault::{Fault, is_planted};
use mainstay_core::id::TokenId;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Grant, Role};
use mainstay_core::scope::default_workspace;
use mainstay_core::time::MachineTime;
use mainstay_governance::gate::{Approval, GatePolicy, GateReport, GateStatus, gate_status};
use mainstay_governance::port::{GovernanceReader, GovernanceTx};
use mainstay_governance::token::StoredToken;
use mainstay_governance::webhook::{Webhook, WebhookId};

use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;
use crate::value::{Row, json_text};

const TOKENS: &str = "SELECT id, label, digest, grants, creator, created, expires, revoked FROM api_tokens \
    WHERE ($1 = '' OR id = $1) AND ($1 <> '' OR revoked IS NULL) ORDER BY id";

#[async_trait]
impl GovernanceTx for StoreTx {
    async fn insert_token(&mut self, token: &StoredToken) -> Result<(), StorageError> {
        let sql = "INSERT INTO api_tokens (id, workspace, label, digest, grants, creator, created, expires, revoked) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let row = params![
            token.id.to_string(),
            self.workspace().as_str(),
            token.label.as_str(),
            token.digest.to_string(),
            json_text(&token.grants)?,
            token.creator.as_str(),
            token.created.micros(),
            token.expires.map(MachineTime::micros),
            token.revoked.map(MachineTime::micros),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn token(&mut self, id: TokenId) -> Result<Option<StoredToken>, StorageError> {
        self.query_one(TOKENS, params![id.to_string()]).await?.as_ref().map(token).transpose()
    }

    async fn revoke_token(&mut self, id: TokenId, at: MachineTime) -> Result<(), StorageError> {
        let sql = "UPDATE api_tokens SET revoked = $2 WHERE id = $1";
        self.execute(sql, params![id.to_string(), at.micros()]).await.map(drop)
    }

    async fn put_role(&mut self, actor: &Actor, role: Role) -> Result<(), StorageError> {
        let sql = "INSERT INTO role_grants (workspace, actor, role) VALUES ($1, $2, $3) \
            ON CONFLICT (workspace, actor, role) DO NOTHING";
        self.execute(sql, params![self.workspace().as_str(), actor.as_str(), role.as_str()]).await.map(drop)
    }

    async fn delete_role(&mut self, actor: &Actor, role: Role) -> Result<bool, StorageError> {
        let sql = "DELETE FROM role_grants WHERE workspace = $1 AND actor = $2 AND role = $3";
        Ok(self.execute(sql, params![self.workspace().as_str(), actor.as_str(), role.as_str()]).await? > 0)
    }

    async fn has_workspace(&mut self, name: &Name) -> Result<bool, StorageError> {
        let row =
            self.query_one("SELECT name FROM workspaces WHERE name = $1", params![name.as_str()]).await?;
        Ok(row.is_some() || *name == default_workspace())
    }

    async fn insert_workspace(&mut self, name: &Name, admin: &Actor) -> Result<(), StorageError> {
        let created = self.now().micros();
        self.execute(
            "INSERT INTO workspaces (name, created) VALUES ($1, $2)",
            params![name.as_str(), created],
        )
        .await?;
        let sql = "INSERT INTO role_grants (workspace, actor, role) VALUES ($1, $2, $3)";
        self.execute(sql, params![name.as_str(), admin.as_str(), Role::Admin.as_str()]).await.map(drop)
    }

    async fn insert_webhook(&mut self, webhook: &Webhook) -> Result<(), StorageError> {
        webhook::insert(self, webhook).await
    }

    async fn webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>, StorageError> {
        webhook::one(self, id).await
    }

    async fn update_webhook(&mut self, webhook: &Webhook) -> Result<(), StorageError> {
        webhook::update(self, webhook).await
    }

    async fn forget_untold(&mut self, id: WebhookId) -> Result<(), StorageError> {
        webhook::forget_untold(self, id).await
    }

    async fn delete_webhook(&mut self, id: WebhookId) -> Result<bool, StorageError> {
        webhook::delete(self, id).await
    }

    async fn insert_report(&mut self, report: &GateReport) -> Result<(), StorageError> {
        let sql = "INSERT INTO gate_reports (workspace, digest, number, document) \
            SELECT $1, $2, COALESCE(MAX(number), 0) + 1, $3 FROM gate_reports WHERE workspace = $1 AND digest = $2";
        let row = params![self.workspace().as_str(), report.digest.to_string(), json_text(report)?];
        self.execute(sql, row).await.map(drop)
    }

    async fn newest_report(&mut self, digest: &Digest) -> Result<Option<GateReport>, StorageError> {
        let of_this = "SELECT document FROM gate_reports WHERE workspace = $1 AND digest = $2 \
            ORDER BY number DESC LIMIT 1";
        let of_any = "SELECT document FROM gate_reports WHERE workspace = $1 AND $2 <> '' \
            ORDER BY number DESC LIMIT 1";
        let sql = if is_planted(Fault::VerdictUnbound) { of_any } else { of_this };
        let row = self.query_one(sql, params![self.workspace().as_str(), digest.to_string()]).await?;
        row.map(|row| row.json(0)).transpose()
    }

    async fn approvals(&mut self, digest: &Digest) -> Result<Vec<Approval>, StorageError> {
        let sql =
            "SELECT document FROM approvals WHERE workspace = $1 AND digest = $2 AND state = 'approved'";
        let rows = self.query(sql, params![self.workspace().as_str(), digest.to_string()]).await?;
        let approval = |row: &Row| {
            let stored: mainstay_pipelines::approval::Approval = row.json(0)?;
            Ok(Approval { id: stored.id, digest: stored.digest, expires: stored.expires })
        };
        rows.iter().map(approval).collect()
    }
}

impl StoreTx {
    /// Whether an artifact may be promoted, as of this transaction.
    pub(crate) async fn judged(&mut self, digest: &Digest) -> Result<GateStatus, StorageError> {
        let newest = self.newest_report(digest).await?;
        let approvals = self.approvals(digest).await?;
        Ok(gate_status(digest, newest.as_ref(), &GatePolicy::default(), &approvals, self.now()))
    }
}

#[async_trait]
impl GovernanceReader for Reader {
    async fn tokens(&self) -> Result<Vec<StoredToken>, StorageError> {
        self.rows(TOKENS, params![""]).await?.iter().map(token).collect()
    }

    async fn grants(&self, actor: &Actor) -> Result<Vec<Grant>, StorageError> {
        let sql = "SELECT workspace, role FROM role_grants WHERE actor = $1 ORDER BY workspace, role";
        let grant = |row: &Row| {
            let role =
                Role::named(row.text(1)?).ok_or_else(|| StorageError::Corrupt("a role's name".into()))?;
            Ok(Grant { workspace: Some(row.parsed(0)?), role })
        };
        self.rows(sql, params![actor.as_str()]).await?.iter().map(grant).collect()
    }

    async fn workspaces(&self) -> Result<Vec<Name>, StorageError> {
        let rows = self.rows("SELECT name FROM workspaces ORDER BY name", params![]).await?;
        let others = rows.iter().map(|row| row.parsed(0));
        std::iter::once(Ok(default_workspace())).chain(others).collect()
    }

    async fn webhooks(&self) -> Result<Vec<(Name, Webhook)>, StorageError> {
        webhook::all(self).await
    }

    async fn reports(&self, workspace: &Name, digest: &Digest) -> Result<Vec<GateReport>, StorageError> {
        let sql =
            "SELECT document FROM gate_reports WHERE workspace = $1 AND digest = $2 ORDER BY number DESC";
        let rows = self.rows(sql, params![workspace.as_str(), digest.to_string()]).await?;
        rows.iter().map(|row| row.json(0)).collect()
    }
}

fn token(row: &Row) -> Result<StoredToken, StorageError> {
    Ok(StoredToken {
        id: row.parsed(0)?,
        label: row.parsed(1)?,
        digest: row.parsed(2)?,
        grants: row.json(3)?,
        creator: Actor::stored(row.text(4)?),
        created: MachineTime::from_micros(row.int(5)?),
        expires: row.opt_int(6)?.map(MachineTime::from_micros),
        revoked: row.opt_int(7)?.map(MachineTime::from_micros),
    })
}
