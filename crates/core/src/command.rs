//! The one write path: a [`Command`] is authorised, grouped, applied and committed.

mod authorizer;
mod doubt;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;
use tokio::sync::oneshot;

pub use self::authorizer::{Authorizer, Verdict};
pub use self::doubt::Doubt;
use crate::action::Action;
use crate::error::{Cause, Coded, ErrorCode, StorageError};
use crate::event::Event;
use crate::id::PipelineRunId;
use crate::name::Name;
use crate::principal::{Actor, Principal};
use crate::scope::{ResourceKind, Scope, Subject};
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

    /// Whether the caller may do what this command does to the experiment or model in which its subject lies, or to
    /// another one that it names besides. A command asks as soon as it knows which that is; if it is told no, it ends
    /// with the error of a thing that is not there, and the caller is told that it may not.
    ///
    /// Only transactions that other people's commands reach know of callers who may do it to some things and not
    /// to others; in all others everybody who is let in may.
    fn admits(&self, _kind: ResourceKind, _id: &dyn fmt::Display) -> bool {
        true
    }
}

/// What creates things that people get levels on.
#[async_trait]
pub trait Ownership: Journal {
    /// Lets the person who runs this command manage what it has just created. Nothing happens if it is no user of
    /// this server. Event: `permission.granted`.
    async fn own(&mut self, subject: &Subject) -> Result<(), StorageError>;
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
    /// What decides about single things, for those who hold levels on them.
    pub doubt: Option<Arc<Doubt>>,
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
        // Whatever becomes of it, the policy is asked about the very thing.
        if let Some(reach) = &principal.reach {
            reach.note_asked();
        }
        let verdict = self.authorizer.judges(principal, action, &scope);
        if verdict == Verdict::Refused {
            self.authorizer.refused(principal, action, &scope);
            return Err(denied(principal.actor.clone(), action, scope.subject.to_string()));
        }
        // Who was let in by a level on one thing may name others besides.
        let is_open = verdict == Verdict::Open;
        let doubt = (is_open || principal.reach.is_some()).then(|| {
            let authorizer = Arc::clone(&self.authorizer);
            Arc::new(Doubt::new(authorizer, principal, (action, &scope.workspace), is_open))
        });
        let (answer, answered) = oneshot::channel();
        let (actor, workspace) = (principal.actor.clone(), scope.workspace.clone());
        let context = Context { actor, workspace, run: command.run(), doubt: doubt.clone() };
        let job = Pending { command, context, outcome: None, answer };
        self.unit.submit(Box::new(job)).await.map_err(CommandError::Storage)?;
        let answer = answered.await.unwrap_or_else(|_| Err(CommandError::Storage(stopped())));
        if let (Some(doubt), Err(CommandError::Denied { .. })) = (doubt, &answer) {
            // Of what was let in itself the record says what was not.
            let besides = if doubt.is_open { None } else { doubt.refused() };
            let subject = besides.unwrap_or(scope.subject);
            self.authorizer.refused(principal, action, &Scope::new(scope.workspace, subject));
        }
        answer
    }
}

fn denied<E: Coded>(actor: Actor, action: Action, scope: String) -> CommandError<E> {
    CommandError::Denied { actor, action, scope }
}

/// The answer when a writer went away with the job.
fn stopped() -> StorageError {
    StorageError::Unavailable(Cause::from("the writer stopped before it answered"))
}

type Answer<C> = Result<<C as Command>::Out, CommandError<<C as Command>::Error>>;

struct Pending<C: Command> {
    command: C,
    context: Context,
    outcome: Option<Answer<C>>,
    answer: oneshot::Sender<Answer<C>>,
}

impl<C: Command> Job<C::Tx> for Pending<C> {
    fn context(&self) -> &Context {
        &self.context
    }

    fn apply<'a>(&'a mut self, tx: &'a mut C::Tx) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            let doubt = self.context.doubt.as_deref();
            if let Some(doubt) = doubt {
                doubt.reset();
            }
            let outcome = self.command.apply(tx).await;
            // What nobody asked about was not allowed.
            let is_denied = doubt.is_some_and(Doubt::forbids);
            let result = if outcome.is_ok() && !is_denied { Ok(()) } else { Err(Refused) };
            self.outcome = Some(match outcome {
                // A command that failed before it could ask says why it failed.
                Err(error) if !doubt.is_some_and(Doubt::has_refused) => Err(CommandError::Refused(error)),
                _ if is_denied => {
                    let (actor, subject) = (self.context.actor.clone(), self.command.scope().subject);
                    // Where the subject itself was let in, it is something else that is closed.
                    let on = match doubt {
                        Some(doubt) if doubt.is_open => subject.to_string(),
                        _ => format!("what the request names besides {subject}"),
                    };
                    Err(denied(actor, self.command.action(), on))
                }
                outcome => outcome.map_err(CommandError::Refused),
            });
            result
        })
    }

    fn settle(self: Box<Self>, committed: Result<(), StorageError>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
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
    use crate::permission::{Level, Permissions};
    use crate::scope::default_workspace;

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
        fn admits(&self, kind: ResourceKind, id: &dyn fmt::Display) -> bool {
            self.context.doubt.as_ref().is_none_or(|doubt| doubt.admits(kind, id))
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

    /// Lets experiment 1 alone be written, and says so much of what it is asked first.
    struct First(Verdict, Mutex<Vec<String>>);

    impl Authorizer for First {
        fn allows(&self, _: &Principal, _: Action, scope: &Scope) -> bool {
            scope.subject.to_string() == "experiment:1"
        }
        fn judges(&self, _: &Principal, _: Action, _: &Scope) -> Verdict {
            self.0
        }
        fn refused(&self, _: &Principal, _: Action, scope: &Scope) {
            self.1.lock().unwrap().push(scope.subject.to_string());
        }
    }

    /// Writes to a run of an experiment; asks about that, if it is given one.
    struct LogTo(Option<&'static str>);

    #[async_trait]
    impl Command for LogTo {
        type Tx = dyn Journal;
        type Out = ();
        type Error = TouchError;

        fn action(&self) -> Action {
            Action::RunWrite
        }
        fn scope(&self) -> Scope {
            Scope::new(default_workspace(), Subject::new(ResourceKind::Run, "r"))
        }
        async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TouchError> {
            tx.record(Event::new("run.logged", self.scope().subject, json!({})));
            match self.0 {
                Some(id) if !tx.admits(ResourceKind::Experiment, &id) => Err(TouchError::NotThis),
                _ => Ok(()),
            }
        }
    }

    #[tokio::test]
    async fn what_is_open_is_decided_inside_or_does_not_happen() {
        let events = Arc::new(Mutex::new(Vec::new()));
        let policy = Arc::new(First(Verdict::Open, Mutex::default()));
        let commands: Commands<dyn Journal> =
            Commands::new(Arc::new(Log(Arc::clone(&events))), policy.clone());
        let caller = Principal::new(Actor::user("ann"), Vec::new());
        commands.run(&caller, LogTo(Some("1"))).await.unwrap();
        for command in [LogTo(Some("2")), LogTo(None)] {
            let denied = commands.run(&caller, command).await.unwrap_err();
            assert_eq!(denied.code(), ErrorCode::PermissionDenied);
        }
        assert_eq!(events.lock().unwrap().len(), 1);
        assert_eq!(*policy.1.lock().unwrap(), ["run:r", "run:r"]);
    }

    #[tokio::test]
    async fn who_was_let_in_by_a_level_is_asked_about_what_is_named_besides() {
        let policy = Arc::new(First(Verdict::Allowed, Mutex::default()));
        let commands: Commands<dyn Journal> = Commands::new(Arc::new(Log::default()), policy.clone());
        let by_role = Principal::new(Actor::user("ann"), Vec::new());
        let levels = Permissions::new(Some(Level::Read));
        let by_level = by_role.clone().with_permissions(Arc::new(levels));
        for id in [Some("1"), None] {
            commands.run(&by_level, LogTo(id)).await.unwrap();
        }
        commands.run(&by_role, LogTo(Some("2"))).await.unwrap();
        let denied = commands.run(&by_level, LogTo(Some("2"))).await.unwrap_err();
        let told = denied.to_string();
        assert!(told.contains("may not do run.write on what the request names besides run:r"), "{told}");
        assert_eq!(*policy.1.lock().unwrap(), ["experiment:2"]);
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
