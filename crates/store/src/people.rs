//! Users, what they were granted, custom roles and workspaces.

use async_trait::async_trait;
use mainstay_core::command::{Journal as _, Ownership};
use mainstay_core::error::StorageError;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::permission::Level;
use mainstay_core::principal::{Actor, Grant, Role};
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::time::MachineTime;
use mainstay_governance::people::{
    CustomRole, Member, Number, People, Permission, RolePermission, Target, User,
};
use mainstay_governance::port::{PeopleReader, PeopleTx};
use mainstay_governance::user::{PasswordHash, UserName};
use serde_json::json;

use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;
use crate::value::Row;

const USERS: &str = "SELECT name, id, admin, password, created FROM users ORDER BY name";
const USER: &str = "SELECT name, id, admin, password, created FROM users WHERE name = $1";
const ROLES: &str = "SELECT id, workspace, name, description FROM custom_roles \
    WHERE ($1 = '' OR workspace = $1) AND ($2 = 0 OR id = $2) AND ($3 = '' OR name = $3) ORDER BY workspace, name";
const ROLE_PERMISSIONS: &str = "SELECT id, role, kind, pattern, level FROM custom_role_permissions \
    WHERE ($1 = 0 OR role = $1) ORDER BY role, kind, pattern";

/// What is left in a workspace that cannot be deleted, as a new one of that name would have it. What goes with the
/// workspace is not among them.
const CONTENTS: [(&str, &str); 15] = [
    ("experiments", "SELECT workspace FROM experiments WHERE workspace = $1 LIMIT 1"),
    ("registered_models", "SELECT workspace FROM registered_models WHERE workspace = $1 LIMIT 1"),
    ("datasets", "SELECT workspace FROM datasets WHERE workspace = $1 LIMIT 1"),
    ("pipelines", "SELECT workspace FROM pipelines WHERE workspace = $1 LIMIT 1"),
    ("endpoints", "SELECT workspace FROM endpoints WHERE workspace = $1 LIMIT 1"),
    ("evaluation_datasets", "SELECT workspace FROM evaluation_datasets WHERE workspace = $1 LIMIT 1"),
    ("feature_definitions", "SELECT workspace FROM feature_definitions WHERE workspace = $1 LIMIT 1"),
    ("pipeline_runs", "SELECT workspace FROM pipeline_runs WHERE workspace = $1 LIMIT 1"),
    ("retention_rules", "SELECT workspace FROM retention_rules WHERE workspace = $1 LIMIT 1"),
    ("saved_views", "SELECT workspace FROM saved_views WHERE workspace = $1 LIMIT 1"),
    ("webhooks", "SELECT workspace FROM webhooks WHERE workspace = $1 LIMIT 1"),
    ("gateway_secrets", "SELECT workspace FROM gateway_secrets WHERE workspace = $1 LIMIT 1"),
    ("gateway_models", "SELECT workspace FROM gateway_models WHERE workspace = $1 LIMIT 1"),
    ("gateway_endpoints", "SELECT workspace FROM gateway_endpoints WHERE workspace = $1 LIMIT 1"),
    ("api_tokens", "SELECT workspace FROM api_tokens WHERE workspace = $1 AND revoked IS NULL LIMIT 1"),
];

#[async_trait]
impl Ownership for StoreTx {
    async fn own(&mut self, subject: &Subject) -> Result<(), StorageError> {
        let Some(name) = self.actor().user_name().and_then(|name| UserName::new(name).ok()) else {
            return Ok(());
        };
        if self.user(&name).await?.is_none() {
            return Ok(());
        }
        let on = Target::new(subject.kind, subject.id.as_str())
            .map_err(|error| StorageError::Corrupt(error.to_string()))?;
        let held = self.permission(&name, &on).await?;
        self.put_permission(&name, &on, Level::Manage).await?;
        let body = json!({
            "kind": on.kind().as_str(), "pattern": on.pattern().as_str(), "level": Level::Manage, "before": held,
        });
        self.record(Event::new("permission.granted", Subject::new(ResourceKind::User, &name), body));
        Ok(())
    }
}

#[async_trait]
impl PeopleTx for StoreTx {
    async fn user(&mut self, name: &UserName) -> Result<Option<User>, StorageError> {
        self.query_one(USER, params![name.as_str()]).await?.as_ref().map(user).transpose()
    }

    async fn admins(&mut self) -> Result<u64, StorageError> {
        let row = self.query_one("SELECT COUNT(*) FROM users WHERE admin = 1", params![]).await?;
        row.map_or(Ok(0), |row| row.count(0))
    }

    async fn insert_user(&mut self, user: &User, password: &PasswordHash) -> Result<(), StorageError> {
        let sql = "INSERT INTO users (name, id, admin, password, created) VALUES ($1, $2, $3, $4, $5)";
        let row = params![
            user.name.as_str(),
            user.id.get(),
            user.admin,
            user.password.to_string(),
            user.created.micros(),
        ];
        self.execute(sql, row).await?;
        let sql = "INSERT INTO user_passwords (name, hash) VALUES ($1, $2)";
        self.execute(sql, params![user.name.as_str(), password.as_str()]).await.map(drop)
    }

    async fn set_admin(&mut self, name: &UserName, admin: bool) -> Result<(), StorageError> {
        let sql = "UPDATE users SET admin = $2 WHERE name = $1";
        self.execute(sql, params![name.as_str(), admin]).await.map(drop)
    }

    async fn put_password(&mut self, name: &UserName, password: &PasswordHash) -> Result<(), StorageError> {
        let sql = "UPDATE users SET password = $2 WHERE name = $1";
        self.execute(sql, params![name.as_str(), password.digest().to_string()]).await?;
        let sql = "INSERT INTO user_passwords (name, hash) VALUES ($1, $2) \
            ON CONFLICT (name) DO UPDATE SET hash = excluded.hash";
        self.execute(sql, params![name.as_str(), password.as_str()]).await.map(drop)
    }

    async fn delete_user(&mut self, name: &UserName) -> Result<(), StorageError> {
        for sql in [
            "DELETE FROM users WHERE name = $1",
            "DELETE FROM user_passwords WHERE name = $1",
            "DELETE FROM permissions WHERE user_name = $1",
            "DELETE FROM custom_role_members WHERE user_name = $1",
        ] {
            self.execute(sql, params![name.as_str()]).await?;
        }
        let sql = "DELETE FROM role_grants WHERE actor = $1";
        self.execute(sql, params![name.actor().as_str()]).await.map(drop)
    }

    async fn permission(&mut self, user: &UserName, on: &Target) -> Result<Option<Level>, StorageError> {
        let sql = "SELECT level FROM permissions \
            WHERE workspace = $1 AND user_name = $2 AND kind = $3 AND pattern = $4";
        let key =
            params![self.workspace().as_str(), user.as_str(), on.kind().as_str(), on.pattern().as_str()];
        self.query_one(sql, key).await?.as_ref().map(|row| level(row, 0)).transpose()
    }

    async fn put_permission(
        &mut self,
        user: &UserName,
        on: &Target,
        level: Level,
    ) -> Result<(), StorageError> {
        let sql = "INSERT INTO permissions (workspace, user_name, kind, pattern, level) VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (workspace, user_name, kind, pattern) DO UPDATE SET level = excluded.level";
        let row = params![
            self.workspace().as_str(),
            user.as_str(),
            on.kind().as_str(),
            on.pattern().as_str(),
            level.as_str(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn delete_permission(&mut self, user: &UserName, on: &Target) -> Result<bool, StorageError> {
        let sql =
            "DELETE FROM permissions WHERE workspace = $1 AND user_name = $2 AND kind = $3 AND pattern = $4";
        let key =
            params![self.workspace().as_str(), user.as_str(), on.kind().as_str(), on.pattern().as_str()];
        Ok(self.execute(sql, key).await? > 0)
    }

    async fn custom_role(&mut self, id: Number) -> Result<Option<CustomRole>, StorageError> {
        let key = params![self.workspace().as_str(), id.get(), ""];
        // No role has the number 0, which stands for all.
        Ok(self.query_one(ROLES, key).await?.as_ref().map(role).transpose()?.filter(|role| role.id == id))
    }

    async fn custom_role_named(&mut self, name: &str) -> Result<Option<CustomRole>, StorageError> {
        let key = params![self.workspace().as_str(), 0, name];
        self.query_one(ROLES, key).await?.as_ref().map(role).transpose()
    }

    async fn put_custom_role(&mut self, role: &CustomRole) -> Result<(), StorageError> {
        let sql = "INSERT INTO custom_roles (id, workspace, name, description) VALUES ($1, $2, $3, $4) \
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description";
        let row = params![role.id.get(), role.workspace.as_str(), &role.name, role.description.clone()];
        self.execute(sql, row).await.map(drop)
    }

    async fn delete_custom_role(&mut self, id: Number) -> Result<(), StorageError> {
        for sql in [
            "DELETE FROM custom_role_members WHERE role = $1",
            "DELETE FROM custom_role_permissions WHERE role = $1",
            "DELETE FROM custom_roles WHERE id = $1",
        ] {
            self.execute(sql, params![id.get()]).await?;
        }
        Ok(())
    }

    async fn role_permissions(&mut self, role: Number) -> Result<Vec<RolePermission>, StorageError> {
        self.query(ROLE_PERMISSIONS, params![role.get()]).await?.iter().map(role_permission).collect()
    }

    async fn put_role_permission(&mut self, permission: &RolePermission) -> Result<(), StorageError> {
        let RolePermission { id, role, on, level } = permission;
        let sql = "INSERT INTO custom_role_permissions (id, role, kind, pattern, level) VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (id) DO UPDATE SET level = excluded.level";
        let row = params![id.get(), role.get(), on.kind().as_str(), on.pattern().as_str(), level.as_str()];
        self.execute(sql, row).await.map(drop)
    }

    async fn delete_role_permission(&mut self, id: Number) -> Result<(), StorageError> {
        self.execute("DELETE FROM custom_role_permissions WHERE id = $1", params![id.get()]).await.map(drop)
    }

    async fn member(&mut self, role: Number, user: &UserName) -> Result<Option<Number>, StorageError> {
        let sql = "SELECT id FROM custom_role_members WHERE role = $1 AND user_name = $2";
        let row = self.query_one(sql, params![role.get(), user.as_str()]).await?;
        row.map(|row| row.int(0).map(Number::new)).transpose()
    }

    async fn insert_member(&mut self, member: &Member) -> Result<(), StorageError> {
        let sql = "INSERT INTO custom_role_members (id, role, user_name) VALUES ($1, $2, $3)";
        let row = params![member.id.get(), member.role.get(), member.user.as_str()];
        self.execute(sql, row).await.map(drop)
    }

    async fn delete_member(&mut self, id: Number) -> Result<(), StorageError> {
        self.execute("DELETE FROM custom_role_members WHERE id = $1", params![id.get()]).await.map(drop)
    }

    async fn workspace_description(&mut self, name: &Name) -> Result<Option<String>, StorageError> {
        let sql = "SELECT description FROM workspaces WHERE name = $1";
        let row = self.query_one(sql, params![name.as_str()]).await?;
        row.map(|row| row.text(0).map(ToOwned::to_owned)).transpose()
    }

    async fn describe_workspace(&mut self, name: &Name, description: &str) -> Result<(), StorageError> {
        let sql = "UPDATE workspaces SET description = $2 WHERE name = $1";
        self.execute(sql, params![name.as_str(), description]).await.map(drop)
    }

    async fn left_in_workspace(&mut self, name: &Name) -> Result<Option<&'static str>, StorageError> {
        for (table, sql) in CONTENTS {
            if self.query_one(sql, params![name.as_str()]).await?.is_some() {
                return Ok(Some(table));
            }
        }
        Ok(None)
    }

    async fn delete_workspace(&mut self, name: &Name) -> Result<(), StorageError> {
        for sql in [
            "DELETE FROM custom_role_members WHERE role IN (SELECT id FROM custom_roles WHERE workspace = $1)",
            "DELETE FROM custom_role_permissions WHERE role IN (SELECT id FROM custom_roles WHERE workspace = $1)",
            "DELETE FROM custom_roles WHERE workspace = $1",
            "DELETE FROM permissions WHERE workspace = $1",
            "DELETE FROM role_grants WHERE workspace = $1",
            "DELETE FROM workspaces WHERE name = $1",
        ] {
            self.execute(sql, params![name.as_str()]).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl PeopleReader for Reader {
    async fn people(&self) -> Result<People, StorageError> {
        let permissions = "SELECT workspace, user_name, kind, pattern, level FROM permissions ORDER BY user_name, workspace, kind, pattern";
        let members = "SELECT id, role, user_name FROM custom_role_members ORDER BY role, user_name";
        let grants = "SELECT workspace, actor, role FROM role_grants ORDER BY actor, workspace, role";
        let workspaces = "SELECT name, description FROM workspaces ORDER BY name";
        self.read(move |tx| {
            Box::pin(async move {
                Ok(People {
                    users: all(&tx.query(USERS, &[]).await?, user)?,
                    permissions: all(&tx.query(permissions, &[]).await?, permission)?,
                    roles: all(&tx.query(ROLES, params!["", 0, ""]).await?, role)?,
                    role_permissions: all(&tx.query(ROLE_PERMISSIONS, params![0]).await?, role_permission)?,
                    members: all(&tx.query(members, &[]).await?, member)?,
                    grants: all(&tx.query(grants, &[]).await?, grant)?,
                    workspaces: all(&tx.query(workspaces, &[]).await?, |row| {
                        Ok((row.parsed(0)?, row.text(1)?.to_owned()))
                    })?,
                })
            })
        })
        .await
    }

    async fn password(&self, name: &UserName) -> Result<Option<PasswordHash>, StorageError> {
        let sql = "SELECT hash FROM user_passwords WHERE name = $1";
        let rows = self.rows(sql, params![name.as_str()]).await?;
        rows.first().map(|row| row.text(0).map(PasswordHash::stored)).transpose()
    }
}

fn all<T>(rows: &[Row], read: impl Fn(&Row) -> Result<T, StorageError>) -> Result<Vec<T>, StorageError> {
    rows.iter().map(read).collect()
}

fn user(row: &Row) -> Result<User, StorageError> {
    Ok(User {
        name: row.parsed(0)?,
        id: Number::new(row.int(1)?),
        admin: row.flag(2)?,
        password: row.parsed(3)?,
        created: MachineTime::from_micros(row.int(4)?),
    })
}

fn level(row: &Row, column: usize) -> Result<Level, StorageError> {
    Level::named(row.text(column)?).ok_or_else(|| StorageError::Corrupt("the name of a level".into()))
}

fn target(row: &Row, column: usize) -> Result<Target, StorageError> {
    let kind = ResourceKind::named(row.text(column)?);
    let target = kind.and_then(|kind| Target::new(kind, row.text(column + 1).ok()?).ok());
    target.ok_or_else(|| StorageError::Corrupt("what a level is for".into()))
}

fn permission(row: &Row) -> Result<Permission, StorageError> {
    Ok(Permission {
        workspace: row.parsed(0)?,
        user: row.parsed(1)?,
        on: target(row, 2)?,
        level: level(row, 4)?,
    })
}

fn role(row: &Row) -> Result<CustomRole, StorageError> {
    Ok(CustomRole {
        id: Number::new(row.int(0)?),
        workspace: row.parsed(1)?,
        name: row.text(2)?.to_owned(),
        description: row.opt_text(3)?.map(ToOwned::to_owned),
    })
}

fn role_permission(row: &Row) -> Result<RolePermission, StorageError> {
    let (id, role) = (Number::new(row.int(0)?), Number::new(row.int(1)?));
    Ok(RolePermission { id, role, on: target(row, 2)?, level: level(row, 4)? })
}

fn member(row: &Row) -> Result<Member, StorageError> {
    Ok(Member { id: Number::new(row.int(0)?), role: Number::new(row.int(1)?), user: row.parsed(2)? })
}

fn grant(row: &Row) -> Result<(Actor, Grant), StorageError> {
    let role = Role::named(row.text(2)?).ok_or_else(|| StorageError::Corrupt("a role's name".into()))?;
    Ok((Actor::stored(row.text(1)?), Grant { workspace: Some(row.parsed(0)?), role }))
}
