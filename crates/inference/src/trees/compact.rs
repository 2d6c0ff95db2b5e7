//! The attributes of `TreeEnsemble` (`ai.onnx.ml` version 5): decisions and leaves in lists of their
//! own, children by place.

use crate::error::NodeError;
use crate::node::Node;
use crate::trees::attributes::numbers;
use crate::trees::source::{Branch, Mode, Source, SourceNode, feature, target};

/// The modes: one byte per node, in the raw or the typed field of the tensor.
fn modes(node: &Node<'_>) -> Result<Vec<Mode>, NodeError> {
    let proto = node.raw_tensor("nodes_modes")?.ok_or(NodeError::AttributeMissing("nodes_modes"))?;
    let wrong = |problem| NodeError::AttributeValue { name: "nodes_modes", problem };
    let bytes = match &proto.raw_data {
        Some(raw) => raw.clone(),
        None => proto
            .int32_data
            .iter()
            .map(|&mode| u8::try_from(mode).map_err(|_| wrong("names an unknown mode")))
            .collect::<Result<_, _>>()?,
    };
    let modes = bytes.into_iter().map(|mode| match mode {
        6 => Err(wrong("uses set membership, which is not supported")),
        _ => Mode::numbered(mode).ok_or(wrong("names an unknown mode")),
    });
    modes.collect()
}

/// Reads an ensemble with this many targets.
pub(crate) fn read(node: &Node<'_>, targets: usize) -> Result<Source, NodeError> {
    let modes = modes(node)?;
    let splits = numbers(node, "nodes_splits", "nodes_splits")?;
    let features = node.ints("nodes_featureids")?;
    let (holds, fails) = (node.ints("nodes_truenodeids")?, node.ints("nodes_falsenodeids")?);
    let (leaf_holds, leaf_fails) = (node.ints("nodes_trueleafs")?, node.ints("nodes_falseleafs")?);
    let missing = node.ints("nodes_missing_value_tracks_true")?;
    let (leaf_targets, leaf_weights) =
        (node.ints("leaf_targetids")?, numbers(node, "leaf_weights", "leaf_weights")?);
    let count = modes.len();
    let lengths =
        [splits.len(), features.len(), holds.len(), fails.len(), leaf_holds.len(), leaf_fails.len()];
    let missing_fits = missing.is_empty() || missing.len() == count;
    if lengths.iter().any(|&length| length != count)
        || !missing_fits
        || leaf_targets.len() != leaf_weights.len()
    {
        return Err(NodeError::AttributeValue { name: "nodes_*", problem: "lists differ in length" });
    }
    let place = |id: i64, size: usize, offset: usize| {
        let problem = "names a node that does not exist";
        let id = usize::try_from(id).ok().filter(|&id| id < size);
        id.map(|id| id + offset).ok_or(NodeError::AttributeValue { name: "nodes_truenodeids", problem })
    };
    let child = |id: i64, is_leaf: i64| {
        if is_leaf == 0 { place(id, count, 0) } else { place(id, leaf_weights.len(), count) }
    };
    let mut nodes = Vec::with_capacity(count + leaf_weights.len());
    let decisions = modes.iter().zip(&splits).zip(features);
    let children = holds.iter().zip(leaf_holds).zip(fails.iter().zip(leaf_fails));
    for (index, (((&mode, &threshold), &at), ((&holds, &leaf_holds), (&fails, &leaf_fails)))) in
        decisions.zip(children).enumerate()
    {
        nodes.push(SourceNode::Branch(Branch {
            feature: feature(at)?,
            mode,
            threshold,
            missing_holds: missing.get(index).is_some_and(|&tracks| tracks != 0),
            holds: child(holds, leaf_holds)?,
            fails: child(fails, leaf_fails)?,
        }));
    }
    let mut weights = Vec::with_capacity(leaf_weights.len());
    for (index, (&id, &weight)) in leaf_targets.iter().zip(&leaf_weights).enumerate() {
        nodes.push(SourceNode::Leaf(index..index + 1));
        weights.push((target(id, targets)?, weight));
    }
    let mut roots = Vec::new();
    for (tree, &root) in (0_i64..).zip(node.ints("tree_roots")?) {
        roots.push((tree, place(root, count, 0)?));
    }
    Ok(Source { nodes, roots, weights, targets })
}
