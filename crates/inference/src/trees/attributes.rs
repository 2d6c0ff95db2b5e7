//! The attributes of `TreeEnsembleClassifier` and `TreeEnsembleRegressor`: parallel lists, a place
//! per node and a place per weight.

use std::collections::HashMap;

use crate::error::NodeError;
use crate::node::Node;
use crate::tensor::Data;
use crate::trees::source::{Branch, Mode, Source, SourceNode, feature, target};

/// Attribute names that differ between the two operators.
pub(crate) struct Names {
    pub(crate) ids: &'static str,
    pub(crate) nodes: &'static str,
    pub(crate) trees: &'static str,
    pub(crate) weights: &'static str,
    pub(crate) weights_tensor: &'static str,
}

/// Numbers that stand in a list of floats or, since version 3, in a tensor (the way to float64).
pub(crate) fn numbers(
    node: &Node<'_>,
    list: &'static str,
    tensor: &'static str,
) -> Result<Vec<f64>, NodeError> {
    let wrong = NodeError::AttributeValue { name: tensor, problem: "must be float or double" };
    match node.tensor(tensor)?.map(crate::tensor::Tensor::into_data) {
        None => Ok(node.floats(list)?.iter().map(|&value| f64::from(value)).collect()),
        Some(Data::F32(data)) => Ok(data.into_iter().map(f64::from).collect()),
        Some(Data::F64(data)) => Ok(data),
        Some(_) => Err(wrong),
    }
}

/// Each leaf's range in the list of targets and weights that follows.
type Weights = (Vec<std::ops::Range<usize>>, Vec<(u32, f64)>);

/// Weights by node.
fn weights(
    node: &Node<'_>,
    names: &Names,
    targets: usize,
    places: &HashMap<(i64, i64), usize>,
) -> Result<Weights, NodeError> {
    let (ids, trees, nodes) = (node.ints(names.ids)?, node.ints(names.trees)?, node.ints(names.nodes)?);
    let values = numbers(node, names.weights, names.weights_tensor)?;
    if [trees.len(), nodes.len(), values.len()].iter().any(|&length| length != ids.len()) {
        return Err(NodeError::AttributeValue {
            name: names.ids,
            problem: "and the lists beside it differ in length",
        });
    }
    let mut entries = Vec::with_capacity(ids.len());
    for ((&id, &value), (&tree, &at)) in ids.iter().zip(&values).zip(trees.iter().zip(nodes)) {
        let problem = "a weight belongs to a node that does not exist";
        let &place = places.get(&(tree, at)).ok_or(NodeError::Tree { tree, problem })?;
        entries.push((place, target(id, targets)?, value));
    }
    entries.sort_by_key(|&(place, _, _)| place);
    let mut ranges = vec![0..0; places.len()];
    for (index, &(place, _, _)) in entries.iter().enumerate() {
        if let Some(range) = ranges.get_mut(place) {
            if range.end == 0 {
                range.start = index;
            }
            range.end = index + 1;
        }
    }
    Ok((ranges, entries.into_iter().map(|(_, target, value)| (target, value)).collect()))
}

/// Reads an ensemble with this many targets or classes.
pub(crate) fn read(node: &Node<'_>, names: &Names, targets: usize) -> Result<Source, NodeError> {
    let (trees, ids) = (node.ints("nodes_treeids")?, node.ints("nodes_nodeids")?);
    let features = node.ints("nodes_featureids")?;
    let (holds, fails) = (node.ints("nodes_truenodeids")?, node.ints("nodes_falsenodeids")?);
    let modes = node.keywords("nodes_modes")?;
    let thresholds = numbers(node, "nodes_values", "nodes_values_as_tensor")?;
    let missing = node.ints("nodes_missing_value_tracks_true")?;
    let count = trees.len();
    let lengths = [ids.len(), features.len(), holds.len(), fails.len(), modes.len(), thresholds.len()];
    if count == 0
        || lengths.iter().any(|&length| length != count)
        || !(missing.is_empty() || missing.len() == count)
    {
        return Err(NodeError::AttributeValue {
            name: "nodes_*",
            problem: "lists are empty or differ in length",
        });
    }
    let mut places: HashMap<(i64, i64), usize> = HashMap::with_capacity(count);
    let mut roots: Vec<(i64, usize)> = Vec::new();
    let mut known_trees = std::collections::HashSet::new();
    for (place, (&tree, &id)) in trees.iter().zip(ids).enumerate() {
        if places.insert((tree, id), place).is_some() {
            return Err(NodeError::Tree { tree, problem: "two nodes have the same id" });
        }
        if known_trees.insert(tree) {
            roots.push((tree, place));
        }
    }
    let (mut ranges, weights) = weights(node, names, targets, &places)?;
    let mut nodes = Vec::with_capacity(count);
    let decisions = features.iter().zip(modes).zip(&thresholds);
    let children = trees.iter().zip(holds.iter().zip(fails));
    for (place, (((&at, keyword), &threshold), (&tree, (holds, fails)))) in
        decisions.zip(children).enumerate()
    {
        let child = |id: i64| {
            let problem = "a node has a child that does not exist";
            places.get(&(tree, id)).copied().ok_or(NodeError::Tree { tree, problem })
        };
        nodes.push(match Mode::named(keyword)? {
            None => SourceNode::Leaf(ranges.get_mut(place).map(std::mem::take).unwrap_or_default()),
            Some(mode) => SourceNode::Branch(Branch {
                feature: feature(at)?,
                mode,
                threshold,
                missing_holds: missing.get(place).is_some_and(|&tracks| tracks != 0),
                holds: child(*holds)?,
                fails: child(*fails)?,
            }),
        });
    }
    Ok(Source { nodes, roots, weights, targets })
}
