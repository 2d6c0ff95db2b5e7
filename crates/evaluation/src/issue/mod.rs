//! Issues: problems that somebody found in the traces of an experiment, followed until they are resolved or
//! rejected.
//!
//! Semantics are those of `mlflow/store/tracking/sqlalchemy_store.py` and `mlflow/utils/issue_utils.py` of 3.18.

pub mod command;
pub mod error;
pub mod import;
pub mod port;
pub mod search;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use mainstay_core::entropy::Entropy;
use mainstay_core::id::{RunId, write_hex};
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::time::MachineTime;

use error::IssueError;
use mainstay_core::experiment::ExperimentId;

/// What every id begins with.
const PREFIX: &str = "iss-";
/// Most characters behind it.
const MAX_ID: usize = 32;

/// The id of an issue: `iss-` and up to 32 letters, digits, `-` and `_`. Whoever creates an issue may choose it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssueId(String);

impl IssueId {
    /// Draws a new id.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        struct Hex([u8; 16]);
        impl fmt::Display for Hex {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(self.0, f)
            }
        }
        Self(format!("{PREFIX}{}", Hex(entropy.bytes16())))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for IssueId {
    type Err = IssueError;

    fn from_str(text: &str) -> Result<Self, IssueError> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let rest = text.strip_prefix(PREFIX).unwrap_or_default();
        if (1..=MAX_ID).contains(&rest.len()) && rest.bytes().all(is_letter) {
            return Ok(Self(text.to_owned()));
        }
        Err(IssueError::Id)
    }
}

/// How far an issue is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum IssueStatus {
    /// Nobody has decided yet.
    #[default]
    Pending,
    /// It is none.
    Rejected,
    /// It is gone.
    Resolved,
}

impl IssueStatus {
    /// The name on the wire and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Rejected => "rejected",
            Self::Resolved => "resolved",
        }
    }
}

impl FromStr for IssueStatus {
    type Err = IssueError;

    fn from_str(text: &str) -> Result<Self, IssueError> {
        let known =
            [Self::Pending, Self::Rejected, Self::Resolved].into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| IssueError::no_such("status", text))
    }
}

/// How bad an issue is; the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IssueSeverity {
    /// Not at all.
    NotAnIssue,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Very.
    High,
}

impl IssueSeverity {
    /// The name on the wire and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAnIssue => "not_an_issue",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl FromStr for IssueSeverity {
    type Err = IssueError;

    fn from_str(text: &str) -> Result<Self, IssueError> {
        let all = [Self::NotAnIssue, Self::Low, Self::Medium, Self::High];
        all.into_iter().find(|one| one.as_str() == text).ok_or_else(|| IssueError::no_such("severity", text))
    }
}

/// An issue, without its long texts: what searches look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueHead {
    /// The id.
    pub id: IssueId,
    /// Its experiment.
    pub experiment: ExperimentId,
    /// Its name, 1 to 250 characters.
    pub name: String,
    /// How far it is.
    pub status: IssueStatus,
    /// How bad it is, if somebody said so.
    pub severity: Option<IssueSeverity>,
    /// What kinds of problem it is.
    pub categories: Vec<String>,
    /// The run that found it, which is of the same experiment.
    pub source_run: Option<RunId>,
    /// When it was created.
    pub created: MachineTime,
    /// When it was changed last.
    pub updated: MachineTime,
    /// Who created it: the caller, or whom a caller without a name named.
    pub created_by: Option<String>,
    /// Who changed it last, likewise.
    pub updated_by: Option<String>,
    /// When it was seen last: milliseconds since the Unix epoch, which never go back.
    pub last_seen_ms: i64,
}

/// The long texts of an issue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IssueDetail {
    /// What the problem is.
    pub description: String,
    /// Why it may be there.
    pub root_causes: Vec<String>,
    /// Whatever else is to be kept with it.
    pub metadata: BTreeMap<String, String>,
}

/// An issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// What searches look at.
    pub head: IssueHead,
    /// The long texts.
    pub detail: IssueDetail,
}

/// How the record names an issue.
pub fn issue_subject(id: &IssueId) -> Subject {
    Subject::new(ResourceKind::Issue, id)
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;

    use super::*;

    #[test]
    fn ids_are_drawn_or_chosen() {
        let drawn = IssueId::draw(&SeededEntropy::new(1));
        assert_eq!(drawn.as_str().len(), PREFIX.len() + MAX_ID);
        assert_eq!(drawn.as_str().parse::<IssueId>().unwrap(), drawn);
        let longest = format!("iss-{}", "x".repeat(32));
        for good in ["iss-a", "iss-A_b-9", &longest] {
            assert_eq!(good.parse::<IssueId>().unwrap().to_string(), good);
        }
        for bad in ["", "iss-", "tr-a", "iss-a b", "iss-ä", &format!("{longest}x")] {
            assert!(matches!(bad.parse::<IssueId>(), Err(IssueError::Id)), "{bad}");
        }
    }

    #[test]
    fn names_of_choices_are_read_back() {
        for status in ["pending", "rejected", "resolved"] {
            assert_eq!(status.parse::<IssueStatus>().unwrap().as_str(), status);
        }
        for severity in ["not_an_issue", "low", "medium", "high"] {
            assert_eq!(severity.parse::<IssueSeverity>().unwrap().as_str(), severity);
        }
        assert_eq!("Open".parse::<IssueStatus>().unwrap_err().to_string(), "Invalid issue status: 'Open'");
        assert_eq!("".parse::<IssueSeverity>().unwrap_err().to_string(), "Invalid issue severity: ''");
        assert!(IssueSeverity::High > IssueSeverity::NotAnIssue);
    }
}
