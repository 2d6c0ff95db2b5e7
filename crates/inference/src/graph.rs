//! The order in which a graph's nodes can run.

use std::collections::HashMap;

use mainstay_onnx::NodeProto;

use crate::error::{LoadError, NodeError};

/// How a node is called in messages: its name, or its place in the file.
pub(crate) fn label(node: &NodeProto, index: usize) -> String {
    if node.name().is_empty() { format!("#{index}") } else { node.name().to_owned() }
}

/// Orders the nodes so that each one follows those whose outputs it reads (Kahn's algorithm; files
/// are usually in such an order already, and keep it). `known` says which names are defined outside
/// of the nodes.
pub(crate) fn order(nodes: &[NodeProto], known: impl Fn(&str) -> bool) -> Result<Vec<usize>, LoadError> {
    let mut producers: HashMap<&str, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if known(output) || producers.insert(output, index).is_some() {
                return Err(wrong(node, index, NodeError::Redefined(output.clone())));
            }
        }
    }
    let mut waits_for = vec![0_usize; nodes.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for ((index, node), waits) in nodes.iter().enumerate().zip(&mut waits_for) {
        for input in node.input.iter().filter(|input| !input.is_empty() && !known(input)) {
            let producer = producers.get(input.as_str()).and_then(|&producer| readers.get_mut(producer));
            let Some(readers) = producer else {
                return Err(wrong(node, index, NodeError::Undefined(input.clone())));
            };
            readers.push(index);
            *waits += 1;
        }
    }
    let mut ready: std::collections::BTreeSet<usize> =
        (0..nodes.len()).filter(|&index| waits_for.get(index) == Some(&0)).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for &reader in readers.get(index).into_iter().flatten() {
            if let Some(waits) = waits_for.get_mut(reader) {
                *waits -= 1;
                if *waits == 0 {
                    ready.insert(reader);
                }
            }
        }
    }
    let stuck = (0..nodes.len()).find(|&index| waits_for.get(index).is_some_and(|&waits| waits > 0));
    match stuck.and_then(|index| Some((index, nodes.get(index)?))) {
        Some((index, node)) => {
            let cause = node.input.iter().find(|input| producers.contains_key(input.as_str()));
            Err(wrong(node, index, NodeError::Undefined(cause.cloned().unwrap_or_default())))
        }
        None => Ok(order),
    }
}

/// An error of one node.
pub(crate) fn wrong(node: &NodeProto, index: usize, reason: NodeError) -> LoadError {
    LoadError::Node { node: label(node, index), op: node.op_type().to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(inputs: &[&str], outputs: &[&str]) -> NodeProto {
        NodeProto {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: outputs.iter().map(ToString::to_string).collect(),
            op_type: Some("Add".into()),
            ..NodeProto::default()
        }
    }

    #[test]
    fn unsorted_files_are_ordered() {
        let nodes = [node(&["b"], &["c"]), node(&["x"], &["a"]), node(&["a", "x"], &["b"])];
        assert_eq!(order(&nodes, |name| name == "x").unwrap(), [1, 2, 0]);
    }

    #[test]
    fn cycles_and_unknown_names_are_named() {
        let cycle = [node(&["b"], &["a"]), node(&["a"], &["b"])];
        let error = order(&cycle, |_| false).unwrap_err().to_string();
        assert!(error.contains("node `#0` (Add)") && error.contains("`b`"), "{error}");
        let dangling = [node(&["nowhere"], &["a"])];
        assert!(order(&dangling, |_| false).unwrap_err().to_string().contains("`nowhere`"));
        let twice = [node(&["x"], &["a"]), node(&["x"], &["a"])];
        assert!(order(&twice, |name| name == "x").unwrap_err().to_string().contains("a second time"));
    }
}
