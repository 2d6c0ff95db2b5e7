//! Checks a whole log against its heads, one row at a time, and names what is wrong first.

use std::collections::BTreeSet;
use std::fmt;

use mainstay_core::digest::Digest;
use mainstay_core::event::EventSeq;
use mainstay_core::time::MachineTime;

use super::entry::{Entry, Salt, body_digest};
use super::frontier::Frontier;
use super::head::{Head, PublicKey, SignedHead};

/// The kind of the event that allows another event's body to be empty. Its own body holds that
/// event's sequence number: `{"seq": 17}`.
pub const ERASED: &str = "event.erased";

/// Faults kept in a [`Report`]; further ones are only counted.
const MAX_FAULTS: usize = 16;

/// An event as it is stored: everything that the check needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The position.
    pub seq: EventSeq,
    /// When it was committed.
    pub at: MachineTime,
    /// What happened.
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// In which workspace.
    pub workspace: String,
    /// To what, as `kind:id`.
    pub subject: String,
    /// The facts, as JSON text byte for byte; `None` once erased.
    pub body: Option<String>,
    /// The body's salt; `None` once erased.
    pub salt: Option<Salt>,
    /// The digest of salt and body; stays after an erasure.
    pub body_digest: Digest,
    /// The leaf that was appended to the tree.
    pub leaf: Digest,
}

/// The heads that the log must agree with.
#[derive(Debug, Clone, Default)]
pub struct Heads {
    /// The state that the store itself keeps beside the log, unsigned.
    pub stored: Option<Head>,
    /// The signed heads found beside the log.
    pub signed: Vec<SignedHead>,
    /// A head that was kept elsewhere.
    pub external: Option<SignedHead>,
    /// The keys whose signatures count.
    pub keys: Vec<PublicKey>,
}

/// Where a head came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadOrigin {
    /// The store's own state.
    Stored,
    /// A signed head beside the log.
    Signed,
    /// A head kept elsewhere.
    External,
}

impl fmt::Display for HeadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stored => "the stored head",
            Self::Signed => "a signed head",
            Self::External => "the head kept elsewhere",
        })
    }
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The body or its salt is not what was committed.
    Body,
    /// The body is gone, and no later event says that it was erased.
    Erased,
    /// The time, kind, actor, workspace, subject or digests are not what was committed.
    Leaf,
    /// The event is missing.
    Gap,
    /// The row stands where an earlier number has already been seen.
    Order,
    /// The leaves up to here do not give the root of this head, though they did up to `good_to`.
    Root {
        /// Whose root.
        origin: HeadOrigin,
        /// The size of the last head that did agree; 0 if none.
        good_to: u64,
    },
    /// The log ends before this head's size.
    Truncated {
        /// Whose size.
        origin: HeadOrigin,
        /// The size that the head states.
        size: u64,
    },
    /// The head's signature does not hold.
    Signature {
        /// Whose signature.
        origin: HeadOrigin,
    },
    /// The head is signed by none of the keys that count.
    Key {
        /// Whose signature.
        origin: HeadOrigin,
    },
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// At which event; for a head, its size.
    pub seq: EventSeq,
    /// What is wrong there.
    pub difference: Difference,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.seq.0;
        match self.difference {
            Difference::Body => write!(f, "event {seq}: the body is not the one that was committed"),
            Difference::Erased => {
                write!(f, "event {seq}: the body is empty, and no later event records its erasure")
            }
            Difference::Leaf => write!(f, "event {seq}: a field is not the one that was committed"),
            Difference::Gap => write!(f, "event {seq}: missing"),
            Difference::Order => write!(f, "event {seq}: appears again, or out of order"),
            Difference::Root { origin, good_to } => {
                write!(f, "events {}..={seq}: do not give the root of {origin}", good_to + 1)
            }
            Difference::Truncated { origin, size } => {
                write!(f, "event {seq}: the log ends before it, but {origin} counts {size} events")
            }
            Difference::Signature { origin } => write!(f, "{origin} at {seq}: the signature does not hold"),
            Difference::Key { origin } => {
                write!(f, "{origin} at {seq}: it is signed by another key than those given")
            }
        }
    }
}

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many rows were read.
    pub events: u64,
    /// How many bodies were erased in order.
    pub erased: u64,
    /// The root of the leaves read.
    pub root: Digest,
    /// The size of the largest head with a good signature and the right root; 0 if none.
    pub proven: u64,
    /// How many faults there are.
    pub fault_count: u64,
    /// The first of them, in order of their events.
    pub faults: Vec<Fault>,
}

impl Report {
    /// Whether everything agrees.
    pub const fn is_good(&self) -> bool {
        self.fault_count == 0
    }

    /// The first wrong event.
    pub fn first(&self) -> Option<&Fault> {
        self.faults.first()
    }
}

/// A check of a log under way: its rows in the order of their numbers, then [`LogCheck::finish`]. Memory: the heads, and one number
/// for each erased body whose erasure event has not come yet.
#[derive(Debug)]
pub struct LogCheck {
    /// Heads still to come, the next one last.
    heads: Vec<(HeadOrigin, Head)>,
    frontier: Frontier,
    last: u64,
    rows: u64,
    /// Set by a missing or repeated row: roots mean nothing any more.
    broken: bool,
    good_to: u64,
    proven: u64,
    unexplained: BTreeSet<u64>,
    erased: u64,
    fault_count: u64,
    faults: Vec<Fault>,
}

impl LogCheck {
    /// Checks the signatures, and waits for rows.
    pub fn new(heads: Heads) -> Self {
        let mut check = Self {
            heads: Vec::new(),
            frontier: Frontier::new(),
            last: 0,
            rows: 0,
            broken: false,
            good_to: 0,
            proven: 0,
            unexplained: BTreeSet::new(),
            erased: 0,
            fault_count: 0,
            faults: Vec::new(),
        };
        let Heads { stored, signed, external, keys } = heads;
        check.heads.extend(stored.map(|head| (HeadOrigin::Stored, head)));
        let signed = signed.into_iter().map(|head| (HeadOrigin::Signed, head));
        for (origin, signed) in signed.chain(external.map(|head| (HeadOrigin::External, head))) {
            if keys.iter().any(|key| key.verify(&signed).is_ok()) {
                check.heads.push((origin, signed.head));
            } else if keys.iter().any(|key| key.id() == signed.key) {
                check.fault(signed.head.size, Difference::Signature { origin });
            } else {
                check.fault(signed.head.size, Difference::Key { origin });
            }
        }
        check.heads.sort_by_key(|(_, head)| std::cmp::Reverse(head.size));
        check.compare_heads();
        check
    }

    /// Checks the next row.
    pub fn row(&mut self, row: &StoredEvent) {
        self.rows += 1;
        let seq = row.seq.0;
        if seq <= self.last {
            self.broken = true;
            return self.fault(seq, Difference::Order);
        }
        if seq > self.last + 1 {
            self.broken = true;
            self.fault(self.last + 1, Difference::Gap);
        }
        self.last = seq;
        self.check_body(row);
        let entry = Entry {
            seq: row.seq,
            at: row.at,
            kind: &row.kind,
            actor: &row.actor,
            workspace: &row.workspace,
            subject: &row.subject,
            body: row.body_digest,
        };
        if entry.leaf() != row.leaf {
            self.fault(seq, Difference::Leaf);
        }
        // The stored leaf, not the computed one: if the roots agree, the leaves are the true ones,
        // and a fault above is that of one event alone.
        self.frontier.append(row.leaf);
        self.compare_heads();
    }

    /// The outcome, after the last row.
    pub fn finish(mut self) -> Report {
        for seq in std::mem::take(&mut self.unexplained) {
            self.fault(seq, Difference::Erased);
        }
        if !self.broken
            && let Some((origin, head)) = self.heads.pop()
        {
            self.fault(self.last + 1, Difference::Truncated { origin, size: head.size });
        }
        Report {
            events: self.rows,
            erased: self.erased,
            root: self.frontier.root(),
            proven: self.proven,
            fault_count: self.fault_count,
            faults: self.faults,
        }
    }

    fn check_body(&mut self, row: &StoredEvent) {
        match (&row.body, &row.salt) {
            (Some(body), Some(salt)) if body_digest(salt, body) == row.body_digest => {
                if row.kind == ERASED
                    && let Some(seq) = erased_seq(body)
                    && self.unexplained.remove(&seq)
                {
                    self.erased += 1;
                }
            }
            (None, None) => {
                self.unexplained.insert(row.seq.0);
            }
            _ => self.fault(row.seq.0, Difference::Body),
        }
    }

    fn compare_heads(&mut self) {
        if self.broken {
            return;
        }
        while let Some((origin, head)) = self.heads.pop_if(|(_, head)| head.size == self.frontier.size()) {
            if head.root == self.frontier.root() {
                self.good_to = head.size;
                if origin != HeadOrigin::Stored {
                    self.proven = head.size;
                }
            } else {
                self.fault(head.size, Difference::Root { origin, good_to: self.good_to });
            }
        }
    }

    /// Keeps the first faults in order of their events: an unexplained erasure is known only at the
    /// end, and may be the first of all.
    fn fault(&mut self, seq: u64, difference: Difference) {
        self.fault_count += 1;
        let at = self.faults.partition_point(|fault| fault.seq.0 <= seq);
        self.faults.insert(at, Fault { seq: EventSeq(seq), difference });
        self.faults.truncate(MAX_FAULTS);
    }
}

fn erased_seq(body: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(body).ok()?.get("seq")?.as_u64()
}
