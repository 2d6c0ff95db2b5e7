//! The one write path: a [`Command`] is authorised, grouped, applied and committed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::action::Action;
use crate::error::{Cause, Coded, ErrorCode, StorageError};
use crate::event::Event;
use crate::id::PipelineRunId;
use crate::name::Name;
use crate::principal::{Actor, Principal};
use crate::scope::Scope;
use crate::time::MachineTime;

/// What every transaction offers: a buffer of events and the instant of the group.
pub trait Journal: Send {
    /// Notes a fact. The writer gives it its sequence number and leaf when the group commits.
    fn record(&mut self, event: Event);

    /// The machine time of the group, the same for all its commands.
    fn now(&self) -> MachineTime;

    /// Who runs this command.
    fn actor(&self) -> &Actor;

    /// The workspace in which it runs.
    fn workspace(&self) -> &Name;
}

/// A state change: its rows, its events and its audit leaves commit in one transaction, or not at
/// all.
///
/// `apply` may run more than once (a serialisation failure replays it), so it takes `&self`, draws
/// no ids, reads no clock but [`Journal::now`], and does no network or object I/O.
#[async_trait]
pub trait Command: Send + Sync + 'static {
    /// The port that it writes through; usually `dyn SomethingTx`.
    type Tx: ?Sized + Journal;
    /// What the caller is told after the commit.
    type Out: Send + 'static;
    /// Why it may be refused.
    type Error: Coded + From<StorageError>;

    /// What it does.
    fn action(&self) -> Action;

    /// On what.
    fn scope(&self) -> Scope;

    /// The pipeline run that it is a step of. Whoever follows the log can learn of which run its events came.
    fn run(&self) -> Option<PipelineRunId> {
        None
    }

    /// Writes rows and records events.
    async fn apply(&self, tx: &mut Self::Tx) -> Result<Self::Out, Self::Error>;
}

/// The command was refused by its own rules: only its savepoint is rolled back.
///
/// A failing database is not reported here: the transaction type itself remembers that a statement
/// failed, and the writer then replays or fails the group whatever the command made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// Whom a job acts for.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who.
    pub actor: Actor,
    /// Where.
    pub workspace: Name,
    /// As a step of which pipeline run, if it is one's.
    pub run: Option<PipelineRunId>,
}

/// A boxed future that borrows.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A command on its way through a writer, with its type forgotten.
pub trait Job<Tx: ?Sized>: Send {
    /// Whom it acts for.
    fn context(&self) -> &Context;

    /// Applies the command, and keeps its answer.
    fn apply<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Result<(), Refused>>;

    /// Answers the caller: after the commit, or when it failed.
    fn settle(self: Box<Self>, committed: Result<(), StorageError>);
}

/// Something that applies jobs in order and makes them durable before they are settled.
pub trait Unit<Tx: ?Sized>: Send + Sync {
    /// Queues a job. The job is settled even if the caller goes away.
    fn submit(&self, job: Box<dyn Job<Tx>>) -> BoxFuture<'_, Result<(), StorageError>>;
}

/// Decides whether a principal may do an action in a scope.
pub trait Authorizer: Send + Sync {
    /// `true` to allow.
    fn allows(&self, principal: &Principal, action: Action, scope: &Scope) -> bool;

    /// Called after a refusal, so that it gets on the record.
    fn refused(&self, principal: &Principal, action: Action, scope: &Scope);
}

/// Why a command did not happen.
#[derive(Debug, Error)]
pub enum CommandError<E: Coded> {
    /// The policy refuses.
    #[error(
        "{actor} may not do {action} on {scope}; ask an admin of the workspace for a role that allows it"
    )]
    Denied {
        /// Who asked.
        actor: Actor,
        /// For what.
        action: Action,
        /// On what.
        scope: String,
    },
    /// The domain refuses.
    #[error(transparent)]
    Refused(E),
    /// The store failed.
    #[error(transparent)]
    Storage(StorageError),
}

impl<E: Coded> Coded for CommandError<E> {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Denied { .. } => ErrorCode::PermissionDenied,
            Self::Refused(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }
}

/// Runs commands that write through `Tx`.
pub struct Commands<Tx: ?Sized> {
    unit: Arc<dyn Unit<Tx>>,
    authorizer: Arc<dyn Authorizer>,
}

impl<Tx: ?Sized> Clone for Commands<Tx> {
    fn clone(&self) -> Self {
        Self { unit: Arc::clone(&self.unit), authorizer: Arc::clone(&self.authorizer) }
    }
}

impl<Tx: ?Sized + Journal + 'static> Commands<Tx> {
    /// Wires a writer and a policy.
    pub fn new(unit: Arc<dyn Unit<Tx>>, authorizer: Arc<dyn Authorizer>) -> Self {
        Self { unit, authorizer }
    }

    /// Authorises, submits, and answers after the commit.
    pub async fn run<C>(&self, principal: &Principal, command: C) -> Result<C::Out, CommandError<C::Error>>
    where
        C: Command<Tx = Tx>,
    {
        let (action, scope) = (command.action(), command.scope());
        if !self.authorizer.allows(principal, action, &scope) {
            self.authorizer.refused(principal, action, &scope);
            return Err(CommandError::Denied {
                actor: principal.actor.clone(),
                action,
                scope: scope.subject.to_string(),
            });
        }
        let (answer, answered) = oneshot::channel();
        let context =
            Context { actor: principal.actor.clone(), workspace: scope.workspace, run: command.run() };
        let job = Pending { command, context, outcome: None, answer };
        self.unit.submit(Box::new(job)).await.map_err(CommandError::Storage)?;
        answered.await.unwrap_or_else(|_| Err(CommandError::Storage(stopped())))
    }
}

/// The answer when a writer went away with the job.
fn stopped() -> StorageError {
    StorageError::Unavailable(Cause::from("the writer stopped before it answered"))
}

type Answer<C> = Result<<C as Command>::Out, CommandError<<C as Command>::Error>>;

struct Pending<C: Command> {
    command: C,
    context: Context,
    outcome: Option<Result<C::Out, C::Error>>,
    answer: oneshot::Sender<Answer<C>>,
}

impl<C: Command> Job<C::Tx> for Pending<C> {
    fn context(&self) -> &Context {
        &self.context
    }

    fn apply<'a>(&'a mut self, tx: &'a mut C::Tx) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            let outcome = self.command.apply(tx).await;
            let result = if outcome.is_ok() { Ok(()) } else { Err(Refused) };
            self.outcome = Some(outcome);
            result
        })
    }

    fn settle(self: Box<Self>, committed: Result<(), StorageError>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome.map_err(CommandError::Refused),
            (Err(error), _) => Err(CommandError::Storage(error)),
            (Ok(()), None) => Err(CommandError::Storage(stopped())),
        };
        // The caller may have gone away; the command stands all the same.
        drop(self.answer.send(answer));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;
    use crate::scope::{ResourceKind, Subject, default_workspace};

    /// A unit without a database: one list of events, no rollback.
    #[derive(Default)]
    struct Log(Arc<Mutex<Vec<Event>>>);

    struct LogTx {
        events: Vec<Event>,
        context: Context,
    }

    impl Journal for LogTx {
        fn record(&mut self, event: Event) {
            self.events.push(event);
        }
        fn now(&self) -> MachineTime {
            MachineTime::from_micros(7)
        }
        fn actor(&self) -> &Actor {
            &self.context.actor
        }
        fn workspace(&self) -> &Name {
            &self.context.workspace
        }
    }

    impl Unit<dyn Journal> for Log {
        fn submit(&self, mut job: Box<dyn Job<dyn Journal>>) -> BoxFuture<'_, Result<(), StorageError>> {
            Box::pin(async move {
                let mut tx = LogTx { events: Vec::new(), context: job.context().clone() };
                if job.apply(&mut tx).await.is_ok() {
                    self.0.lock().unwrap().append(&mut tx.events);
                }
                job.settle(Ok(()));
                Ok(())
            })
        }
    }

    struct Only(Action, Mutex<Vec<Action>>);

    impl Authorizer for Only {
        fn allows(&self, _: &Principal, action: Action, _: &Scope) -> bool {
            action == self.0
        }
        fn refused(&self, _: &Principal, action: Action, _: &Scope) {
            self.1.lock().unwrap().push(action);
        }
    }

    #[derive(Debug, Error)]
    enum TouchError {
        #[error("not this one")]
        NotThis,
        #[error(transparent)]
        Storage(#[from] StorageError),
    }

    impl Coded for TouchError {
        fn code(&self) -> ErrorCode {
            match self {
                Self::NotThis => ErrorCode::WrongState,
                Self::Storage(error) => error.code(),
            }
        }
    }

    struct Touch(&'static str);

    #[async_trait]
    impl Command for Touch {
        type Tx = dyn Journal;
        type Out = MachineTime;
        type Error = TouchError;

        fn action(&self) -> Action {
            if self.0 == "forbidden" { Action::RunWrite } else { Action::ServerRead }
        }
        fn scope(&self) -> Scope {
            Scope::new(default_workspace(), Subject::new(ResourceKind::Server, self.0))
        }
        async fn apply(&self, tx: &mut Self::Tx) -> Result<MachineTime, TouchError> {
            if self.0 == "refused" {
                return Err(TouchError::NotThis);
            }
            tx.record(Event::new("server.touched", self.scope().subject, json!({"by": tx.actor().as_str()})));
            Ok(tx.now())
        }
    }

    #[tokio::test]
    async fn authorised_commands_commit_and_refused_ones_leave_nothing() {
        let events = Arc::new(Mutex::new(Vec::new()));
        let policy = Arc::new(Only(Action::ServerRead, Mutex::default()));
        let commands: Commands<dyn Journal> =
            Commands::new(Arc::new(Log(Arc::clone(&events))), policy.clone());
        let caller = Principal::system("test");

        assert_eq!(commands.run(&caller, Touch("x")).await.unwrap(), MachineTime::from_micros(7));
        let refused = commands.run(&caller, Touch("refused")).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::WrongState);
        let denied = commands.run(&caller, Touch("forbidden")).await.unwrap_err();
        assert_eq!(denied.code(), ErrorCode::PermissionDenied);

        assert_eq!(events.lock().unwrap().len(), 1);
        assert_eq!(*policy.1.lock().unwrap(), [Action::RunWrite]);
    }
}
