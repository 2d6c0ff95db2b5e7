//! The outcome of comparing tables with what the events say that they hold.

use std::fmt;

use mainstay_core::event::EventSeq;

/// Differences kept in a [`StateReport`]; further ones are only counted.
pub const MAX_DIFFERENCES: usize = 32;

/// One place where tables and events do not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateDifference {
    /// A row that both know, with other values.
    Changed {
        /// The table.
        table: &'static str,
        /// The row's key, as `column=value` pairs.
        key: String,
        /// The last event that wrote the row.
        event: EventSeq,
        /// The columns that differ, as the events give them.
        expected: String,
        /// The same columns, as the table has them.
        found: String,
    },
    /// A row that the events give, and the table lacks.
    Missing {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
        /// The last event that wrote the row.
        event: EventSeq,
    },
    /// A row of which no event tells.
    Unknown {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
    },
    /// An event that tables depend on does not say what it did: its body was erased, or lacks a field.
    Silent {
        /// Which event.
        event: EventSeq,
        /// Its kind.
        kind: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl fmt::Display for StateDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { table, key, event, expected, found } => {
                write!(f, "{table} [{key}]: the events say {expected} (event {}), ", event.0)?;
                write!(f, "the table says {found}")
            }
            Self::Missing { table, key, event } => {
                write!(f, "{table} [{key}]: the events say it is there (event {}), ", event.0)?;
                write!(f, "the table has no such row")
            }
            Self::Unknown { table, key } => {
                write!(f, "{table} [{key}]: no event says it is there, the table has it")
            }
            Self::Silent { event, kind, why } => {
                write!(f, "event {} ({kind}): {why}; what it did cannot be compared", event.0)
            }
        }
    }
}

/// What a comparison of all tables found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateReport {
    /// How many rows the events give, by table.
    pub rows: Vec<(&'static str, u64)>,
    /// How many differences there are.
    pub difference_count: u64,
    /// The first of them, table by table, in the order of their keys.
    pub differences: Vec<StateDifference>,
}

impl StateReport {
    /// Whether the tables are what the events say.
    pub const fn is_good(&self) -> bool {
        self.difference_count == 0
    }

    /// Adds a difference.
    pub fn push(&mut self, difference: StateDifference) {
        self.difference_count += 1;
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(difference);
        }
    }
}
