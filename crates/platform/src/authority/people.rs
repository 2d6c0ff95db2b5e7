//! Who can log in, what they may do, and which workspaces there are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_api::caller::Workspaces;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::permission::{Level, Permissions};
use mainstay_core::principal::{Actor, Grant, Principal};
use mainstay_core::time::Clock;
use mainstay_governance::people::User;
use mainstay_governance::port::PeopleReader;
use mainstay_governance::user::UserName;
use mainstay_store::Database;

use super::kept::{Kept, Source};

/// Somebody who can log in.
pub(super) struct Known {
    pub(super) name: UserName,
    /// The digest of what is kept of the password.
    pub(super) password: Digest,
    grants: Vec<Grant>,
    permissions: Arc<Permissions>,
}

impl Known {
    /// As whom they act in one request.
    pub(super) fn principal(&self) -> Principal {
        Principal::new(self.name.actor(), self.grants.clone()).with_permissions(self.permissions.clone())
    }
}

/// Everybody, ready to be looked up.
pub(super) struct Register {
    users: HashMap<String, Arc<Known>>,
    workspaces: HashSet<Name>,
}

pub(super) struct StoredPeople {
    reader: Arc<dyn PeopleReader>,
    default: Option<Level>,
}

#[async_trait]
impl Source for StoredPeople {
    type Content = Register;

    async fn read(&self) -> Result<Register, StorageError> {
        let people = self.reader.people().await?;
        let mut permissions = people.permissions(self.default);
        let mut granted: HashMap<&Actor, Vec<Grant>> = HashMap::new();
        for (actor, grant) in &people.grants {
            granted.entry(actor).or_default().push(grant.clone());
        }
        let mut known = |user: &User| Known {
            name: user.name.clone(),
            password: user.password,
            grants: user.grants(granted.remove(&user.name.actor()).unwrap_or_default()),
            permissions: Arc::new(permissions.remove(&user.name).unwrap_or_default()),
        };
        let users = people.users.iter().map(|user| (user.name.to_string(), Arc::new(known(user))));
        let workspaces = people.workspaces.iter().map(|(name, _)| name.clone());
        Ok(Register { users: users.collect(), workspaces: workspaces.collect() })
    }
}

/// Everybody who can log in, and all workspaces. A cheap handle.
#[derive(Clone)]
pub struct Directory(Arc<Kept<StoredPeople>>);

impl Directory {
    /// `default` is the level that everybody who is known holds on all experiments and models of the default
    /// workspace; nothing, if absent.
    pub fn new(database: &Database, clock: Arc<dyn Clock>, default: Option<Level>) -> Self {
        let source = StoredPeople { reader: Arc::new(database.reader.clone()), default };
        Self(Arc::new(Kept::new(source, database.writer.access_changes(), clock)))
    }

    /// The user of that name.
    pub(super) async fn find(&self, name: &str) -> Result<Option<Arc<Known>>, StorageError> {
        Ok(self.0.get().await?.users.get(name).cloned())
    }
}

#[async_trait]
impl Workspaces for Directory {
    async fn exists(&self, name: &Name) -> Result<bool, StorageError> {
        Ok(name.is_default() || self.0.get().await?.workspaces.contains(name))
    }
}
