//! A booster's trees in the form that the export writes: flat, ordered, with `f32` thresholds.

use std::collections::{HashMap, VecDeque};

use perpetual::PerpetualBooster;
use perpetual::node::Node as PerpetualNode;
use perpetual::tree::core::Tree as PerpetualTree;

use crate::error::TrainingError;

/// Additive trees: the margin is `base` plus one leaf's weight a tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ensemble {
    pub(crate) base: f32,
    pub(crate) trees: Vec<Tree>,
}

/// A tree's nodes in breadth-first order; the first is the root.
pub(crate) type Tree = Vec<Node>;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Node {
    /// Rows with `value < threshold` go to `low`, others to `high`; missing values as `missing_low` says.
    Branch { feature: usize, threshold: f32, low: usize, high: usize, missing_low: bool, gain: f32 },
    /// Adds its weight to the margin.
    Leaf { weight: f32 },
}

impl Ensemble {
    /// Reads the booster's trees.
    pub(crate) fn of(booster: &PerpetualBooster) -> Result<Self, TrainingError> {
        #[expect(clippy::cast_possible_truncation, reason = "the exported graph computes in f32")]
        let base = booster.base_score as f32;
        let trees = booster.trees.iter().map(flatten).collect::<Result<_, _>>()?;
        Ok(Self { base, trees })
    }

    /// Number of nodes of all trees.
    pub(crate) fn nodes(&self) -> usize {
        self.trees.iter().map(Vec::len).sum()
    }

    /// How many of the first trees together have at most `limit` nodes.
    pub(crate) fn trees_within(&self, limit: usize) -> usize {
        self.trees
            .iter()
            .scan(0, |nodes, tree| {
                *nodes += tree.len();
                Some(*nodes)
            })
            .take_while(|&nodes| nodes <= limit)
            .count()
    }

    /// Total split gain and number of splits of each of `features` features.
    pub(crate) fn importance(&self, features: usize) -> Vec<(f64, u64)> {
        let mut importance = vec![(0.0, 0); features];
        for node in self.trees.iter().flatten() {
            if let Node::Branch { feature, gain, .. } = node
                && let Some((total, splits)) = importance.get_mut(*feature)
            {
                *total += f64::from(*gain);
                *splits += 1;
            }
        }
        importance
    }
}

fn flatten(tree: &PerpetualTree) -> Result<Tree, TrainingError> {
    let find = |id: usize| tree.nodes.get(&id).ok_or(TrainingError::UnknownTree("a child is not there"));
    let mut flat = Vec::with_capacity(tree.nodes.len());
    let mut queue = VecDeque::from([find(0)?]);
    let mut positions = HashMap::from([(0, 0)]);
    while let Some(node) = queue.pop_front() {
        if node.is_leaf {
            flat.push(Node::Leaf { weight: node.weight_value });
            continue;
        }
        for child in [node.left_child, node.right_child] {
            if positions.insert(child, positions.len()).is_some() {
                return Err(TrainingError::UnknownTree("a node has two parents"));
            }
            queue.push_back(find(child)?);
        }
        flat.push(branch(node, &positions)?);
    }
    Ok(flat)
}

fn branch(node: &PerpetualNode, positions: &HashMap<usize, usize>) -> Result<Node, TrainingError> {
    if node.left_cats.is_some() {
        return Err(TrainingError::UnknownTree("a split names categories"));
    }
    if node.missing_node != node.left_child && node.missing_node != node.right_child {
        return Err(TrainingError::UnknownTree("missing values have a branch of their own"));
    }
    let position = |id| positions.get(&id).copied().ok_or(TrainingError::UnknownTree("a child is not there"));
    Ok(Node::Branch {
        feature: node.split_feature,
        threshold: least_f32_not_below(node.split_value)?,
        low: position(node.left_child)?,
        high: position(node.right_child)?,
        missing_low: node.missing_node == node.left_child,
        gain: node.split_gain,
    })
}

/// The least `f32` that is not below `threshold`: for every `f32` x, x < it exactly if x < `threshold`.
///
/// If x < threshold then x is below anything not below the threshold. If x ≥ threshold then x is one
/// of the `f32` that the least is taken of, so x is not below it.
fn least_f32_not_below(threshold: f64) -> Result<f32, TrainingError> {
    if threshold.is_nan() {
        return Err(TrainingError::UnknownTree("a threshold is undefined"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "rounded to nearest, corrected below")]
    let nearest = threshold as f32;
    Ok(if f64::from(nearest) < threshold { nearest.next_up() } else { nearest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_route_every_f32_as_the_f64_comparison_does() {
        let thresholds = [
            0.0,
            -0.0,
            0.1,
            -0.1,
            1.0,
            15.5,
            1e-45,
            7e-46,
            -7e-46,
            1e-300,
            -1e-300,
            16_777_217.0,
            1e300,
            -1e300,
            f64::from(f32::MAX),
            f64::MAX,
            f64::MIN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.1_f64.next_up(),
            1.0_f64.next_down(),
        ];
        for threshold in thresholds {
            let rounded = least_f32_not_below(threshold).unwrap();
            #[expect(clippy::cast_possible_truncation, reason = "the nearest f32 is meant")]
            let nearest = threshold as f32;
            let near =
                [nearest, nearest.next_up(), nearest.next_down(), nearest.next_up().next_up(), 0.0, -0.0];
            for x in near.into_iter().chain([f32::MIN, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN])
            {
                assert_eq!(x < rounded, f64::from(x) < threshold, "{x:e} against {threshold:e}");
            }
        }
        assert!(least_f32_not_below(f64::NAN).is_err());
    }
}
