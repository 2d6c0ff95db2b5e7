//! The changes that rules know.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{MAX_RULES, Rule, RuleKind, Terms, rule_subject};
use crate::error::RetentionError;
use crate::port::RuleTx;

/// Keeps a rule, in the place of one of its name. Event: `retention_rule.saved`.
#[derive(Debug, Clone)]
pub struct SaveRule {
    /// Where.
    pub workspace: Name,
    /// Its name.
    pub name: Name,
    /// What it is about.
    pub kind: RuleKind,
    /// Only in this experiment.
    pub experiment: Option<ExperimentId>,
    /// When things go.
    pub terms: Terms,
}

#[async_trait]
impl Command for SaveRule {
    type Tx = dyn RuleTx;
    type Out = Rule;
    type Error = RetentionError;

    fn action(&self) -> Action {
        Action::RetentionManage
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), rule_subject(&self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Rule, RetentionError> {
        self.terms.check(self.kind)?;
        if tx.other_rules(&self.name).await? >= MAX_RULES {
            return Err(RetentionError::TooManyRules);
        }
        let rule = Rule {
            name: self.name.clone(),
            kind: self.kind,
            experiment: self.experiment,
            terms: self.terms.clone(),
            author: tx.actor().clone(),
            saved: tx.now(),
        };
        tx.put_rule(&rule).await?;
        tx.record(Event::new("retention_rule.saved", rule_subject(&self.name), json!(rule)));
        Ok(rule)
    }
}

/// Takes a rule away. What it purged stays purged. Event: `retention_rule.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteRule {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub name: Name,
}

#[async_trait]
impl Command for DeleteRule {
    type Tx = dyn RuleTx;
    type Out = ();
    type Error = RetentionError;

    fn action(&self) -> Action {
        Action::RetentionManage
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), rule_subject(&self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), RetentionError> {
        if !tx.delete_rule(&self.name).await? {
            return Err(RetentionError::NoRule(self.name.clone()));
        }
        tx.record(Event::new("retention_rule.deleted", rule_subject(&self.name), json!({})));
        Ok(())
    }
}

/// Keeps when a rule was applied. No event: what it took has its own.
#[derive(Debug, Clone)]
pub struct NoteApplied {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub name: Name,
}

#[async_trait]
impl Command for NoteApplied {
    type Tx = dyn RuleTx;
    type Out = ();
    type Error = RetentionError;

    fn action(&self) -> Action {
        Action::AuditWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), rule_subject(&self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), RetentionError> {
        let now = tx.now();
        Ok(tx.note_applied(&self.name, now).await?)
    }
}
