//! Who gave an experiment its name. Pipelines keep their runs in the experiment that bears the name of their project: not in
//! one that somebody has called so who is let in by levels alone, and could change there what a pipeline writes.

use std::sync::Arc;

use mainstay_core::action::Action;
use mainstay_core::command::Authorizer as _;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventLog as _, EventQuery};
use mainstay_core::experiment::{ExperimentId, experiment_subject};
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Principal};
use mainstay_core::scope::Scope;
use mainstay_governance::port::PeopleReader as _;
use mainstay_governance::user::UserName;

use crate::Platform;

/// How many events of an experiment are read at once.
const PAGE: usize = 100;

impl Platform {
    /// The user who gave an experiment its name, if levels let them write there, and no role does.
    pub async fn named_by_level(
        &self,
        workspace: &Name,
        experiment: ExperimentId,
    ) -> Result<Option<Actor>, StorageError> {
        let Some(actor) = self.named_by(workspace, experiment).await? else { return Ok(None) };
        let Some(Ok(name)) = actor.user_name().map(UserName::new) else { return Ok(None) };
        let people = self.database.reader.people().await?;
        let Some(user) = people.user(&name) else { return Ok(None) };
        let by_roles = Principal::new(actor.clone(), people.grants_of(user));
        let levels = Arc::new(people.permissions_of(&name, None));
        let by_both = by_roles.clone().with_permissions(levels);
        let scope = Scope::new(workspace.clone(), experiment_subject(experiment));
        let may = |who: &Principal| self.authority.allows(who, Action::RunWrite, &scope);
        Ok((may(&by_both) && !may(&by_roles)).then_some(actor))
    }

    async fn named_by(
        &self,
        workspace: &Name,
        experiment: ExperimentId,
    ) -> Result<Option<Actor>, StorageError> {
        let about = EventQuery::newest(PAGE).within(workspace).about(experiment_subject(experiment));
        let mut before = None;
        loop {
            let events = self.database.read(&EventQuery { before, ..about.clone() }).await?;
            let names = ["experiment.created", "experiment.renamed"];
            if let Some(found) = events.iter().find(|event| names.contains(&event.kind.as_str())) {
                return Ok(Some(found.actor.clone()));
            }
            let Some(last) = events.last() else { return Ok(None) };
            before = Some(last.seq);
        }
    }
}
