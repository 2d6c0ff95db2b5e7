//! A tree ensemble as a model file tells it, checked for form.

use crate::error::NodeError;

/// How a node compares its feature with its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    Equal,
    NotEqual,
}

impl Mode {
    /// The mode that a keyword of `nodes_modes` names; `None` for a leaf.
    pub(crate) fn named(keyword: &[u8]) -> Result<Option<Self>, NodeError> {
        Ok(match keyword {
            b"BRANCH_LEQ" => Some(Self::LessOrEqual),
            b"BRANCH_LT" => Some(Self::Less),
            b"BRANCH_GTE" => Some(Self::GreaterOrEqual),
            b"BRANCH_GT" => Some(Self::Greater),
            b"BRANCH_EQ" => Some(Self::Equal),
            b"BRANCH_NEQ" => Some(Self::NotEqual),
            b"LEAF" => None,
            _ => {
                return Err(NodeError::AttributeValue {
                    name: "nodes_modes",
                    problem: "names an unknown mode",
                });
            }
        })
    }

    /// By the number that `TreeEnsemble` stores.
    pub(crate) const fn numbered(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::LessOrEqual,
            1 => Self::Less,
            2 => Self::GreaterOrEqual,
            3 => Self::Greater,
            4 => Self::Equal,
            5 => Self::NotEqual,
            _ => return None,
        })
    }
}

/// The decision of a node that is not a leaf.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Branch {
    pub(crate) feature: u32,
    pub(crate) mode: Mode,
    pub(crate) threshold: f64,
    /// Whether NaN goes where the comparison holds.
    pub(crate) missing_holds: bool,
    /// Where the comparison holds.
    pub(crate) holds: usize,
    /// Where it does not.
    pub(crate) fails: usize,
}

/// A node: a decision, or a leaf with its range of [`Source::weights`].
#[derive(Debug, Clone)]
pub(crate) enum SourceNode {
    Branch(Branch),
    Leaf(std::ops::Range<usize>),
}

/// All trees. Children and roots are places in `nodes`.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) nodes: Vec<SourceNode>,
    /// Each tree's id and root.
    pub(crate) roots: Vec<(i64, usize)>,
    /// What leaves add to which target.
    pub(crate) weights: Vec<(u32, f64)>,
    pub(crate) targets: usize,
}

/// A target's number, if there is such a target.
pub(crate) fn target(id: i64, targets: usize) -> Result<u32, NodeError> {
    u32::try_from(id).ok().filter(|&id| (id as usize) < targets).ok_or(NodeError::AttributeValue {
        name: "target_ids",
        problem: "names a target or class that does not exist",
    })
}

/// A feature's number, if it is one.
pub(crate) fn feature(id: i64) -> Result<u32, NodeError> {
    u32::try_from(id)
        .ok()
        .filter(|&id| id <= super::ensemble::MAX_FEATURE)
        .ok_or(NodeError::AttributeValue { name: "nodes_featureids", problem: "is absurd" })
}
