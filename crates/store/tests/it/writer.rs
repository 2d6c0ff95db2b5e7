//! Groups, savepoints, gap-free positions and the guard.

use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::{Authorizer, Command, Commands, Journal};
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::event::{Event, EventLog as _, EventQuery, EventSeq};
use mainstay_core::principal::Principal;
use mainstay_core::scope::{ResourceKind, Scope, Subject, default_workspace};
use mainstay_governance::audit::{Frontier, empty_root};
use serde_json::json;

use crate::both;
use crate::databases::Fresh;

pub(crate) struct AllowAll;

impl Authorizer for AllowAll {
    fn allows(&self, _: &Principal, _: Action, _: &Scope) -> bool {
        true
    }
    fn refused(&self, _: &Principal, _: Action, _: &Scope) {}
}

#[derive(Debug, thiserror::Error)]
enum NoteError {
    #[error("odd numbers are refused")]
    Odd,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for NoteError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Odd => ErrorCode::WrongState,
            Self::Storage(error) => error.code(),
        }
    }
}

/// Records one event per number below `count`, and refuses odd counts after having recorded them.
struct Note {
    count: u64,
    text: String,
    order: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Command for Note {
    type Tx = dyn Journal;
    type Out = ();
    type Error = NoteError;

    fn action(&self) -> Action {
        Action::ServerRead
    }
    fn scope(&self) -> Scope {
        Scope::new(default_workspace(), Subject::new(ResourceKind::Server, "notes"))
    }
    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), NoteError> {
        for n in 0..self.count {
            let body = json!({ "text": self.text, "n": n });
            tx.record(Event::new("server.noted", self.scope().subject, body));
        }
        if self.count % 2 == 1 {
            return Err(NoteError::Odd);
        }
        self.order.lock().unwrap().push(self.text.clone());
        Ok(())
    }
}

fn note(count: u64, text: &str) -> Note {
    Note { count, text: text.to_owned(), order: Arc::default() }
}

fn commands(fresh: &Fresh) -> Commands<dyn Journal> {
    Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll))
}

both!(positions_have_no_gap_though_commands_are_refused_between, async |fresh: Fresh| {
    let commands = commands(&fresh);
    let system = Principal::system("test");
    let tasks: Vec<_> = (0..64_u64)
        .map(|i| {
            let (commands, system) = (commands.clone(), system.clone());
            tokio::spawn(
                async move { commands.run(&system, note(i % 4, &format!("task {i}"))).await.is_ok() },
            )
        })
        .collect();
    let mut accepted = 0;
    for task in tasks {
        accepted += u64::from(task.await.unwrap());
    }
    assert_eq!(accepted, 32);

    let events = fresh.database.read(&EventQuery::after(EventSeq(0), 1_000)).await.unwrap();
    // Of each four counts 0, 1, 2, 3 the even ones went through: two events a round.
    assert_eq!(events.len(), 16 * 2);
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.seq, EventSeq(index as u64 + 1));
        assert_eq!(event.actor.as_str(), "system:test");
    }
    // The events of one command stand together.
    for pair in events.chunks(2) {
        assert_eq!(pair[0].body.as_ref().unwrap()["text"], pair[1].body.as_ref().unwrap()["text"]);
    }
    assert_eq!(*fresh.database.head().borrow(), EventSeq(32));
});

both!(a_command_is_durable_when_it_is_answered_and_its_refusal_leaves_nothing, async |fresh: Fresh| {
    let commands = commands(&fresh);
    let system = Principal::system("test");
    commands.run(&system, note(2, "kept")).await.unwrap();
    let refused = commands.run(&system, note(3, "gone")).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::WrongState);

    let events = fresh.database.read(&EventQuery::newest(10)).await.unwrap();
    assert_eq!(events.iter().map(|e| e.seq.0).collect::<Vec<_>>(), [2, 1]);
    assert!(events.iter().all(|e| e.body.as_ref().unwrap()["text"] == "kept"));
});

both!(after_stop_commands_are_told_so, async |fresh: Fresh| {
    let commands = commands(&fresh);
    let system = Principal::system("test");
    commands.run(&system, note(2, "before")).await.unwrap();
    fresh.database.writer.stop().await;
    let late = commands.run(&system, note(2, "after")).await.unwrap_err();
    assert_eq!(late.code(), ErrorCode::Unavailable);
});

both!(the_tree_is_that_of_the_leaves, async |fresh: Fresh| {
    let commands = commands(&fresh);
    let system = Principal::system("test");
    for i in 0..5 {
        commands.run(&system, note(2, &format!("{i}"))).await.unwrap();
    }
    let rows = fresh.database.reader.audit_rows(EventSeq(0), 100).await.unwrap();
    let mut tree = Frontier::new();
    assert_eq!(tree.root(), empty_root());
    for row in &rows {
        tree.append(row.leaf);
    }
    assert_eq!(tree, fresh.database.reader.frontier().await.unwrap());
    assert_eq!(tree.size(), 10);
});

both!(a_database_can_be_opened_again_and_goes_on, async |fresh: Fresh| {
    let commands = commands(&fresh);
    let system = Principal::system("test");
    commands.run(&system, note(2, "first")).await.unwrap();
    fresh.database.writer.stop().await;
    let again = fresh.reopen().await;
    let commands = Commands::<dyn Journal>::new(Arc::new(again.writer.clone()), Arc::new(AllowAll));
    commands.run(&system, note(2, "second")).await.unwrap();
    assert_eq!(again.read(&EventQuery::newest(1)).await.unwrap()[0].seq, EventSeq(4));
});
