//! The log of events: appended by the writer, read by everybody else.

use mainstay_core::entropy::Entropy;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventQuery, EventSeq, RecordedEvent};
use mainstay_core::principal::Actor;
use mainstay_core::scope::Subject;
use mainstay_core::time::MachineTime;
use mainstay_governance::audit::{Entry, Frontier, body_digest, draw_salt};

use crate::driver::Connection;
use crate::reader::{ReadTx, Reader};
use crate::tx::{Pending, StoreTx};
use crate::value::{Row, Value, json_text};
use crate::{params, row};

const INSERT: &str = "INSERT INTO events \
    (seq, at, kind, actor, workspace, subject, body, salt, body_digest, leaf) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const INSERT_RUN: &str = "INSERT INTO event_runs (seq, run) VALUES ($1, $2)";

/// Gives events the next sequence numbers, in order, and adds their leaves to the tree. The position
/// of the last one; `None` if there are none.
pub(crate) async fn append(
    tx: &mut StoreTx,
    pending: Vec<Pending>,
    entropy: &dyn Entropy,
) -> Result<Option<EventSeq>, StorageError> {
    if pending.is_empty() {
        return Ok(None);
    }
    let mut tree = frontier(&mut tx.connection).await?;
    let at = tx.now;
    let (mut rows, mut runs) = (Vec::with_capacity(pending.len()), Vec::new());
    for Pending { event, context } in pending {
        let seq = tree.size() + 1;
        let salt = draw_salt(entropy);
        let body = json_text(&event.body)?;
        let subject = event.subject.to_string();
        let digest = body_digest(&salt, &body);
        let entry = Entry {
            seq: EventSeq(seq),
            at,
            kind: event.kind,
            actor: context.actor.as_str(),
            workspace: context.workspace.as_str(),
            subject: &subject,
            body: digest,
        };
        let leaf = entry.leaf();
        rows.push(row![
            seq,
            at.micros(),
            event.kind,
            context.actor.as_str(),
            context.workspace.as_str(),
            &subject,
            body,
            salt.to_vec(),
            digest.as_bytes().to_vec(),
            leaf.as_bytes().to_vec(),
        ]);
        runs.extend(context.run.map(|run| row![seq, run.to_string()]));
        tree.append(leaf);
    }
    tx.execute_rows(INSERT, &rows).await?;
    tx.execute_rows(INSERT_RUN, &runs).await?;
    let row = params![tree.size(), tree.to_bytes()];
    tx.execute("UPDATE audit_tree SET size = $1, frontier = $2 WHERE id = 1", row).await?;
    Ok(Some(EventSeq(tree.size())))
}

/// The right edge of the tree, as stored.
pub(crate) async fn frontier(connection: &mut Connection) -> Result<Frontier, StorageError> {
    let rows = connection.query("SELECT frontier FROM audit_tree WHERE id = 1", &[]).await?;
    let row = rows.first().ok_or_else(|| StorageError::Corrupt("the audit tree has no frontier".into()))?;
    Frontier::from_bytes(row.blob(0)?).map_err(|e| StorageError::Corrupt(e.to_string()))
}

/// A query for a stretch of the log, of one workspace if `$4` names it.
macro_rules! stretch {
    ($only:literal, $order:literal) => {
        concat!(
            "SELECT seq, at, kind, actor, workspace, subject, body FROM events \
             WHERE seq > $1 AND seq < $2 AND (CAST($4 AS TEXT) IS NULL OR workspace = $4)",
            $only,
            " ORDER BY seq ",
            $order,
            " LIMIT $3"
        )
    };
}

/// Reads a stretch of the log.
pub(crate) async fn read(tx: &mut ReadTx, query: &EventQuery) -> Result<Vec<RecordedEvent>, StorageError> {
    let mut values = vec![
        Value::from(query.after.0),
        query.before.map_or(Value::Int(i64::MAX), |seq| Value::from(seq.0)),
        Value::from(query.limit as u64),
        query.workspace.as_ref().map_or(Value::Null, |workspace| workspace.as_str().into()),
    ];
    let sql = match (&query.subject, &query.kind, query.newest_first) {
        (Some(subject), _, newest) => {
            values.push(subject.to_string().into());
            if newest { stretch!(" AND subject = $5", "DESC") } else { stretch!(" AND subject = $5", "ASC") }
        }
        (None, Some(kind), newest) => {
            values.push(kind.into());
            if newest { stretch!(" AND kind = $5", "DESC") } else { stretch!(" AND kind = $5", "ASC") }
        }
        (None, None, true) => stretch!("", "DESC"),
        (None, None, false) => stretch!("", "ASC"),
    };
    tx.query(sql, &values).await?.iter().map(recorded).collect()
}

impl Reader {
    /// The events after a position, oldest first, read without a writer.
    pub async fn events_after(
        &self,
        after: EventSeq,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StorageError> {
        let query = EventQuery::after(after, limit);
        self.read(move |tx| Box::pin(async move { read(tx, &query).await })).await
    }
}

fn recorded(row: &Row) -> Result<RecordedEvent, StorageError> {
    let subject = row.text(5)?;
    Ok(RecordedEvent {
        seq: EventSeq(row.count(0)?),
        at: MachineTime::from_micros(row.int(1)?),
        kind: row.text(2)?.to_owned(),
        actor: Actor::stored(row.text(3)?),
        workspace: row.parsed(4)?,
        subject: Subject::parse(subject)
            .ok_or_else(|| StorageError::Corrupt(format!("an event has the subject {subject:?}")))?,
        body: if row.opt_text(6)?.is_some() { Some(row.json(6)?) } else { None },
    })
}
