//! Why governance refuses.

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::id::TokenId;
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use thiserror::Error;

use crate::people::Number;
use crate::user::UserName;
use crate::webhook::WebhookId;

/// Why a command of governance was refused.
#[derive(Debug, Error)]
pub enum GovernanceError {
    /// A grant reaches beyond the workspace in which it is given.
    #[error("a grant given in workspace {0} must be for that workspace; give the other one there")]
    ForeignGrant(Name),
    /// A token would carry nothing.
    #[error("a token needs at least one role; name one")]
    NoGrant,
    /// A token would have ended before it began.
    #[error("the token would already have expired; choose a later time")]
    Expired,
    /// There is no such token.
    #[error("there is no token {0} in this workspace")]
    NoToken(TokenId),
    /// The actor does not have that role.
    #[error("{0} does not have that role in this workspace")]
    NoGrantHeld(Actor),
    /// The workspace exists.
    #[error("workspace {0} exists already; choose another name")]
    WorkspaceExists(Name),
    /// There is no such workspace.
    #[error("Workspace '{0}' not found; an admin of the server creates workspaces")]
    NoWorkspace(Name),
    /// The workspace that exists from the start stays as it is.
    #[error("The 'default' workspace is reserved and cannot be {0}")]
    DefaultWorkspace(&'static str),
    /// Something is left in a workspace.
    #[error("workspace {workspace} is not empty: something of it is in {table}; delete that first")]
    WorkspaceInUse {
        /// Which.
        workspace: Name,
        /// Where something is left.
        table: &'static str,
    },
    /// The text is not the name of a user.
    #[error(
        "a user name has 1 to 255 characters, no ':' or control characters, no space at its ends, and is not 'local'"
    )]
    InvalidUserName,
    /// Too easy to guess.
    #[error("Password must be at least 12 characters.")]
    ShortPassword,
    /// More than anybody types.
    #[error("a password has at most 1024 bytes")]
    LongPassword,
    /// Argon2 refused.
    #[error("the password could not be hashed; try again")]
    Unhashable,
    /// Too many wrong passwords.
    #[error("too many wrong passwords were tried; try again in {0} s")]
    TooManyPasswords(u64),
    /// More than a workspace is described by.
    #[error("the description of a workspace has at most 1024 characters, and no U+0000")]
    InvalidDescription,
    /// There is no such user.
    #[error("User with username={0} not found")]
    NoUser(UserName),
    /// The user exists.
    #[error("User (username={0}) already exists.")]
    UserExists(UserName),
    /// Somebody would change the password of another one as if it were its own.
    #[error("this changes one's own password; an admin of the server sets the passwords of others")]
    NotOneself,
    /// Nobody could manage the server any more.
    #[error("{0} is the last admin of this server; make another one first")]
    LastAdmin(UserName),
    /// An admin would remove itself.
    #[error("Users cannot delete their own account; ask another admin")]
    OwnAccount,
    /// The level is not granted on that kind of thing.
    #[error("Invalid permission '{level}' on {kind}. {hint}")]
    InvalidLevel {
        /// The level.
        level: &'static str,
        /// On what.
        kind: &'static str,
        /// What can be granted.
        hint: &'static str,
    },
    /// The text names no thing of that kind.
    #[error("Invalid resource id '{0}': give it as the server writes it, or '*' for all")]
    InvalidPattern(String),
    /// Somebody holds a level there already.
    #[error("Permission for user={user} on resource_type={kind}, resource_id={pattern} already exists.")]
    PermissionExists {
        /// Who.
        user: UserName,
        /// Of which kind.
        kind: &'static str,
        /// On which.
        pattern: String,
    },
    /// Somebody holds no level there.
    #[error("Permission for user={user} on resource_type={kind}, resource_id={pattern} not found.")]
    NoPermission {
        /// Who.
        user: UserName,
        /// Of which kind.
        kind: &'static str,
        /// On which.
        pattern: String,
    },
    /// The text is not the name or description of a role.
    #[error("{0}")]
    InvalidRole(&'static str),
    /// There is no such role.
    #[error("Role with id={0} not found")]
    NoRole(Number),
    /// The workspace has a role of that name.
    #[error("Role (name={name}, workspace={workspace}) already exists.")]
    RoleExists {
        /// Its name.
        name: String,
        /// Where.
        workspace: Name,
    },
    /// There is no such level of a role.
    #[error("Role permission with id={0} not found")]
    NoRolePermission(Number),
    /// The role has a level there.
    #[error(
        "Role permission (role_id={role}, resource_type={kind}, resource_pattern={pattern}) already exists."
    )]
    RolePermissionExists {
        /// Of which role.
        role: Number,
        /// On which kind.
        kind: &'static str,
        /// On which.
        pattern: String,
    },
    /// The role is not assigned to that user.
    #[error("User role assignment (user_id={user}, role_id={role}) not found")]
    NoMember {
        /// The number of the user.
        user: Number,
        /// That of the role.
        role: Number,
    },
    /// The role is assigned to that user.
    #[error("User role assignment (user_id={user}, role_id={role}) already exists")]
    MemberExists {
        /// The number of the user.
        user: Number,
        /// That of the role.
        role: Number,
    },
    /// There is no such webhook.
    #[error("there is no webhook {0} in this workspace")]
    NoWebhook(WebhookId),
    /// The URL cannot be called.
    #[error(
        "a webhook's URL must begin with https:// or http://, hold no user name, and have at most 2000 characters"
    )]
    InvalidUrl,
    /// No kind of event, too many, or a wrong one.
    #[error("a webhook names 1 to 100 kinds of event, such as 'alarm.raised' or 'rollout.*'")]
    InvalidKinds,
    /// A gate report contradicts itself.
    #[error("the gate report is not valid: {0}")]
    InvalidReport(&'static str),
    /// The projections cannot be built from the log.
    #[error("the tables cannot be rebuilt, and nothing was changed: {0}")]
    NotReplayable(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for GovernanceError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::ForeignGrant(_)
            | Self::NoGrant
            | Self::Expired
            | Self::InvalidUrl
            | Self::InvalidKinds
            | Self::InvalidReport(_)
            | Self::DefaultWorkspace(_)
            | Self::InvalidUserName
            | Self::ShortPassword
            | Self::LongPassword
            | Self::OwnAccount
            | Self::InvalidLevel { .. }
            | Self::InvalidPattern(_)
            | Self::InvalidDescription
            | Self::InvalidRole(_) => ErrorCode::InvalidArgument,
            Self::NoToken(_)
            | Self::NoGrantHeld(_)
            | Self::NoWebhook(_)
            | Self::NoWorkspace(_)
            | Self::NoUser(_)
            | Self::NoPermission { .. }
            | Self::NoRole(_)
            | Self::NoRolePermission(_)
            | Self::NoMember { .. } => ErrorCode::NotFound,
            Self::NotReplayable(_) => ErrorCode::Corrupt,
            Self::TooManyPasswords(_) => ErrorCode::RateLimited,
            Self::Unhashable => ErrorCode::Internal,
            Self::NotOneself => ErrorCode::PermissionDenied,
            Self::LastAdmin(_) | Self::WorkspaceInUse { .. } => ErrorCode::WrongState,
            Self::WorkspaceExists(_)
            | Self::UserExists(_)
            | Self::PermissionExists { .. }
            | Self::RoleExists { .. }
            | Self::RolePermissionExists { .. }
            | Self::MemberExists { .. } => ErrorCode::AlreadyExists,
            Self::Storage(error) => error.code(),
        }
    }
}
