//! Trees: each category becomes its code, all features become one row of floats, one
//! `TreeEnsembleRegressor` sums the leaves.

use crate::encoding::{Encoding, Feature, FeatureKind, codes, other_code};
use crate::ensemble::{Ensemble, Node};

use super::graph::Graph;

/// Adds the nodes that compute `margin`, float [N, 1].
pub(super) fn add(graph: &mut Graph, encoding: &Encoding, ensemble: &Ensemble, margin: &str) {
    let columns: Vec<String> = encoding.features.iter().map(|feature| add_feature(graph, feature)).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    graph.node("Concat", &columns, "mainstay.features").int("axis", 1);
    add_ensemble(graph, ensemble, margin);
}

/// Adds what a feature needs to become a float and names the result.
fn add_feature(graph: &mut Graph, feature: &Feature) -> String {
    let FeatureKind::Categorical { categories } = &feature.kind else {
        return feature.name.clone();
    };
    let code_name = format!("mainstay.code.{}", feature.name);
    let known: Vec<(&str, f32)> =
        codes(categories).filter_map(|(code, category)| Some((category.value.as_deref()?, code))).collect();
    graph
        .ml_node("LabelEncoder", &[&feature.name], &code_name)
        .strings("keys_strings", known.iter().map(|(value, _)| *value).chain([""]))
        .floats("values_floats", known.iter().map(|(_, code)| *code).chain([f32::NAN]).collect())
        .float("default_float", other_code(categories));
    code_name
}

/// The attribute lists of `TreeEnsembleRegressor`: one entry a node, and one a leaf.
#[derive(Default)]
struct Lists {
    tree_ids: Vec<i64>,
    node_ids: Vec<i64>,
    features: Vec<i64>,
    modes: Vec<&'static str>,
    thresholds: Vec<f32>,
    true_ids: Vec<i64>,
    false_ids: Vec<i64>,
    missing_true: Vec<i64>,
    leaf_trees: Vec<i64>,
    leaf_nodes: Vec<i64>,
    leaf_weights: Vec<f32>,
}

impl Lists {
    fn push(&mut self, tree: i64, id: i64, node: &Node) {
        let (mode, feature, threshold, low, high, missing_low) = match *node {
            Node::Branch { feature, threshold, low, high, missing_low, .. } => {
                ("BRANCH_LT", int(feature), threshold, int(low), int(high), missing_low)
            }
            Node::Leaf { weight } => {
                self.leaf_trees.push(tree);
                self.leaf_nodes.push(id);
                self.leaf_weights.push(weight);
                ("LEAF", 0, 0.0, 0, 0, false)
            }
        };
        self.tree_ids.push(tree);
        self.node_ids.push(id);
        self.features.push(feature);
        self.modes.push(mode);
        self.thresholds.push(threshold);
        self.true_ids.push(low);
        self.false_ids.push(high);
        self.missing_true.push(i64::from(missing_low));
    }
}

fn add_ensemble(graph: &mut Graph, ensemble: &Ensemble, margin: &str) {
    let mut lists = Lists::default();
    for (tree, nodes) in (0..).zip(&ensemble.trees) {
        for (id, node) in (0..).zip(nodes) {
            lists.push(tree, id, node);
        }
    }
    let leaves = lists.leaf_weights.len();
    graph
        .ml_node("TreeEnsembleRegressor", &["mainstay.features"], margin)
        .int("n_targets", 1)
        .floats("base_values", vec![ensemble.base])
        .ints("nodes_treeids", lists.tree_ids)
        .ints("nodes_nodeids", lists.node_ids)
        .ints("nodes_featureids", lists.features)
        .strings("nodes_modes", lists.modes)
        .floats("nodes_values", lists.thresholds)
        .ints("nodes_truenodeids", lists.true_ids)
        .ints("nodes_falsenodeids", lists.false_ids)
        .ints("nodes_missing_value_tracks_true", lists.missing_true)
        .ints("target_treeids", lists.leaf_trees)
        .ints("target_nodeids", lists.leaf_nodes)
        .ints("target_ids", vec![0; leaves])
        .floats("target_weights", lists.leaf_weights);
}

#[expect(clippy::cast_possible_wrap, reason = "positions in a list in memory")]
fn int(position: usize) -> i64 {
    position as i64
}

#[cfg(test)]
mod tests {
    use crate::dataset::Task;
    use crate::export::{Scorer, to_onnx};
    use crate::train::{MAX_MODEL_BYTES, Params};

    use super::*;

    /// As many nodes as the default allows, with large numbers for tree, node and feature.
    #[test]
    fn the_default_node_limit_keeps_the_size_limit() {
        let limit = Params::new(Task::Regression, 0, 1).max_nodes;
        let leaf = Node::Leaf { weight: 0.1 };
        let branch =
            Node::Branch { feature: 1000, threshold: 0.1, low: 900, high: 901, missing_low: true, gain: 1.0 };
        let tree: Vec<Node> = [vec![branch; 500], vec![leaf; 501]].concat();
        let ensemble = Ensemble { base: 0.1, trees: vec![tree; limit / 1001] };
        let encoding = Encoding { features: Vec::new() };
        let onnx = to_onnx(&encoding, &Scorer::Trees(&ensemble), None, Task::Regression);
        assert!(onnx.len() < MAX_MODEL_BYTES * 19 / 20, "{} bytes", onnx.len());
        assert!(
            onnx.len() > MAX_MODEL_BYTES / 2,
            "the limit on nodes is needlessly low: {} bytes",
            onnx.len()
        );
    }
}
