//! What governance needs of a store. Everything is within the transaction's workspace unless said
//! otherwise; `None` means that there is no such thing.

use async_trait::async_trait;
use mainstay_core::command::Journal;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_core::id::TokenId;
use mainstay_core::name::Name;
use mainstay_core::permission::Level;
use mainstay_core::principal::{Actor, Grant, Role};
use mainstay_core::time::MachineTime;

use crate::audit::{SignedHead, StateReport};
use crate::error::GovernanceError;
use crate::gate::{Approval, GateReport};
use crate::people::{CustomRole, Member, Number, People, RolePermission, Target, User};
use crate::token::StoredToken;
use crate::user::{Password, PasswordHash, UserName};
use crate::webhook::mlflow::MlflowEvent;
use crate::webhook::{Webhook, WebhookId};

/// What the commands of governance write through.
#[async_trait]
pub trait GovernanceTx: Journal {
    /// Adds a token.
    async fn insert_token(&mut self, token: &StoredToken) -> Result<(), StorageError>;
    /// A token.
    async fn token(&mut self, id: TokenId) -> Result<Option<StoredToken>, StorageError>;
    /// Notes when a token was revoked.
    async fn revoke_token(&mut self, id: TokenId, at: MachineTime) -> Result<(), StorageError>;
    /// Gives an actor a role here; nothing changes if it has it.
    async fn put_role(&mut self, actor: &Actor, role: Role) -> Result<(), StorageError>;
    /// Takes a role from an actor here; `false` if it did not have it.
    async fn delete_role(&mut self, actor: &Actor, role: Role) -> Result<bool, StorageError>;
    /// Whether there is a workspace of that name.
    async fn has_workspace(&mut self, name: &Name) -> Result<bool, StorageError>;
    /// Adds a workspace, with its first admin.
    async fn insert_workspace(&mut self, name: &Name, admin: &Actor) -> Result<(), StorageError>;
    /// Adds a webhook.
    async fn insert_webhook(&mut self, webhook: &Webhook) -> Result<(), StorageError>;
    /// A webhook.
    async fn webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>, StorageError>;
    /// Replaces what the owner of a webhook says of it, and when it changed.
    async fn update_webhook(&mut self, webhook: &Webhook) -> Result<(), StorageError>;
    /// What has happened so far is not told to the webhook any more.
    async fn forget_untold(&mut self, id: WebhookId) -> Result<(), StorageError>;
    /// Removes a webhook; `false` if there was none.
    async fn delete_webhook(&mut self, id: WebhookId) -> Result<bool, StorageError>;
    /// Adds a gate report; it becomes the newest of its digest.
    async fn insert_report(&mut self, report: &GateReport) -> Result<(), StorageError>;
    /// The newest gate report of an artifact.
    async fn newest_report(&mut self, digest: &Digest) -> Result<Option<GateReport>, StorageError>;
    /// The approvals of an artifact, expired ones included.
    async fn approvals(&mut self, digest: &Digest) -> Result<Vec<Approval>, StorageError>;
}

/// What the commands on people write through: users and custom roles of the whole server, and, of the transaction's
/// workspace, the levels that users hold.
#[async_trait]
pub trait PeopleTx: Journal {
    /// The user of that name.
    async fn user(&mut self, name: &UserName) -> Result<Option<User>, StorageError>;
    /// How many users are admins of the server.
    async fn admins(&mut self) -> Result<u64, StorageError>;
    /// Adds a user with what is kept of its password.
    async fn insert_user(&mut self, user: &User, password: &PasswordHash) -> Result<(), StorageError>;
    /// Replaces whether a user is an admin of the server.
    async fn set_admin(&mut self, name: &UserName, admin: bool) -> Result<(), StorageError>;
    /// Replaces what is kept of a password.
    async fn put_password(&mut self, name: &UserName, password: &PasswordHash) -> Result<(), StorageError>;
    /// Removes a user with its password, levels and roles of both kinds, in all workspaces.
    async fn delete_user(&mut self, name: &UserName) -> Result<(), StorageError>;

    /// The level that a user was granted here.
    async fn permission(&mut self, user: &UserName, on: &Target) -> Result<Option<Level>, StorageError>;
    /// Grants a user a level here, in place of the one before.
    async fn put_permission(
        &mut self,
        user: &UserName,
        on: &Target,
        level: Level,
    ) -> Result<(), StorageError>;
    /// Takes a level from a user here; `false` if there was none.
    async fn delete_permission(&mut self, user: &UserName, on: &Target) -> Result<bool, StorageError>;

    /// A custom role of this workspace.
    async fn custom_role(&mut self, id: Number) -> Result<Option<CustomRole>, StorageError>;
    /// The custom role of that name in this workspace.
    async fn custom_role_named(&mut self, name: &str) -> Result<Option<CustomRole>, StorageError>;
    /// Adds a custom role, or replaces its name and description.
    async fn put_custom_role(&mut self, role: &CustomRole) -> Result<(), StorageError>;
    /// Removes a custom role of this workspace with its levels and members.
    async fn delete_custom_role(&mut self, id: Number) -> Result<(), StorageError>;
    /// The levels of a custom role.
    async fn role_permissions(&mut self, role: Number) -> Result<Vec<RolePermission>, StorageError>;
    /// Adds a level to a custom role, or replaces it.
    async fn put_role_permission(&mut self, permission: &RolePermission) -> Result<(), StorageError>;
    /// Removes a level of a custom role.
    async fn delete_role_permission(&mut self, id: Number) -> Result<(), StorageError>;
    /// The number of an assignment of a custom role to a user.
    async fn member(&mut self, role: Number, user: &UserName) -> Result<Option<Number>, StorageError>;
    /// Assigns a custom role.
    async fn insert_member(&mut self, member: &Member) -> Result<(), StorageError>;
    /// Removes an assignment.
    async fn delete_member(&mut self, id: Number) -> Result<(), StorageError>;

    /// What a workspace is for, as its admins say; `None` if there is none of that name.
    async fn workspace_description(&mut self, name: &Name) -> Result<Option<String>, StorageError>;
    /// Replaces what a workspace is for.
    async fn describe_workspace(&mut self, name: &Name, description: &str) -> Result<(), StorageError>;
    /// A table in which something of a workspace is left.
    async fn left_in_workspace(&mut self, name: &Name) -> Result<Option<&'static str>, StorageError>;
    /// Removes a workspace with its roles of both kinds and the levels that users hold in it.
    async fn delete_workspace(&mut self, name: &Name) -> Result<(), StorageError>;
}

/// What keeps the tables that follow from the log equal to it.
#[async_trait]
pub trait ProjectionTx: Journal {
    /// Deletes those tables and writes them anew from the events. Tells where they differed before; if
    /// an event does not say what it did, that is the one difference, and nothing is changed.
    async fn rebuild_projections(&mut self) -> Result<StateReport, StorageError>;
}

/// What the signing of heads writes through.
#[async_trait]
pub trait AuditTx: Journal {
    /// Keeps a signed head beside the log; nothing changes if there is one of its size.
    async fn insert_head(&mut self, head: &SignedHead) -> Result<(), StorageError>;
}

/// What the delivery of webhooks writes through.
#[async_trait]
pub trait DeliveryTx: Journal {
    /// Notes up to which event a webhook was told; nothing changes if there is no such webhook, or if it was told of
    /// more.
    async fn put_cursor(&mut self, webhook: WebhookId, position: EventSeq) -> Result<(), StorageError>;
}

/// Hashes passwords, a few at once, away from the threads that talk to clients.
#[async_trait]
pub trait PasswordHashing: Send + Sync {
    /// What is to be kept of a password.
    async fn hash(&self, password: Password) -> Result<PasswordHash, GovernanceError>;
    /// Whether it is the password of that user. Wrong ones are counted: after many the caller is to wait.
    async fn is_of(&self, user: &User, password: String) -> Result<bool, GovernanceError>;
}

/// What readers ask about people.
#[async_trait]
pub trait PeopleReader: Send + Sync {
    /// Everybody, with all that they were granted, in one state of the record.
    async fn people(&self) -> Result<People, StorageError>;
    /// What is kept of a user's password.
    async fn password(&self, name: &UserName) -> Result<Option<PasswordHash>, StorageError>;
}

/// What readers of governance ask, across workspaces: the server keeps these in memory.
#[async_trait]
pub trait GovernanceReader: Send + Sync {
    /// All tokens that were not revoked.
    async fn tokens(&self) -> Result<Vec<StoredToken>, StorageError>;
    /// What an actor was granted.
    async fn grants(&self, actor: &Actor) -> Result<Vec<Grant>, StorageError>;
    /// All workspaces.
    async fn workspaces(&self) -> Result<Vec<Name>, StorageError>;
    /// All webhooks, with their workspaces.
    async fn webhooks(&self) -> Result<Vec<(Name, Webhook)>, StorageError>;
    /// The gate reports of an artifact, newest first.
    async fn reports(&self, workspace: &Name, digest: &Digest) -> Result<Vec<GateReport>, StorageError>;
}

/// What came of trying a webhook out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// The receiver answered.
    Answered {
        /// The status of its answer.
        status: u16,
        /// The beginning of the body, at most [`PROBE_BODY`] bytes of it.
        body: String,
    },
    /// It did not, for this reason.
    Unanswered(String),
}

/// As much as is kept of what a receiver answers to a probe, in bytes.
pub const PROBE_BODY: usize = 64 << 10;

/// Calls the receivers of webhooks in MLflow's dialect for somebody who waits.
#[async_trait]
pub trait WebhookProbe: Send + Sync {
    /// Whether webhooks may call addresses that are not of the public internet, and without TLS.
    fn allows_private(&self) -> bool;
    /// Sends an example of an event once, signed as any delivery, whether or not the webhook is active.
    async fn probe(&self, webhook: &Webhook, event: MlflowEvent) -> Probed;
}
