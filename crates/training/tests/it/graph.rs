//! A plain evaluator of the few operators that the export writes, row by row in `f32`, from their specifications.

use std::collections::HashMap;

use mainstay_onnx::{Message, ModelProto, NodeProto};
use mainstay_training::{Column, Values};

/// A value of the graph: one row's vector.
#[derive(Clone, Debug)]
enum Value {
    Floats(Vec<f32>),
    Text(String),
    Index(i64),
}

impl Value {
    fn floats(&self) -> &[f32] {
        match self {
            Self::Floats(values) => values,
            other => panic!("floats were expected, found {other:?}"),
        }
    }
}

struct Attributes<'a>(&'a NodeProto);

impl Attributes<'_> {
    fn get(&self, name: &str) -> &mainstay_onnx::AttributeProto {
        self.0.attribute.iter().find(|a| a.name() == name).unwrap_or_else(|| panic!("no attribute {name}"))
    }

    fn texts(&self, name: &str) -> Vec<String> {
        self.get(name).strings.iter().map(|s| String::from_utf8(s.clone()).unwrap()).collect()
    }
}

/// An ensemble's nodes by (tree, node).
struct Trees {
    nodes: HashMap<(i64, i64), Branch>,
    leaves: HashMap<(i64, i64), f32>,
    roots: Vec<i64>,
    base: f32,
}

struct Branch {
    feature: usize,
    threshold: f32,
    true_id: i64,
    false_id: i64,
    missing_true: bool,
}

impl Trees {
    fn of(node: &NodeProto) -> Self {
        let a = Attributes(node);
        let ints = |name| &a.get(name).ints;
        let (trees, ids) = (ints("nodes_treeids"), ints("nodes_nodeids"));
        let modes = a.texts("nodes_modes");
        let mut nodes = HashMap::new();
        for (i, mode) in modes.iter().enumerate().filter(|(_, mode)| *mode != "LEAF") {
            assert_eq!(mode, "BRANCH_LT");
            let branch = Branch {
                feature: usize::try_from(ints("nodes_featureids")[i]).unwrap(),
                threshold: a.get("nodes_values").floats[i],
                true_id: ints("nodes_truenodeids")[i],
                false_id: ints("nodes_falsenodeids")[i],
                missing_true: ints("nodes_missing_value_tracks_true")[i] == 1,
            };
            assert!(nodes.insert((trees[i], ids[i]), branch).is_none());
        }
        let leaf_keys = ints("target_treeids").iter().copied().zip(ints("target_nodeids").iter().copied());
        let leaves = leaf_keys.zip(a.get("target_weights").floats.iter().copied()).collect();
        let mut roots = trees.clone();
        roots.dedup();
        Self { nodes, leaves, roots, base: a.get("base_values").floats[0] }
    }

    fn sum(&self, features: &[f32]) -> f32 {
        self.roots.iter().fold(self.base, |sum, &tree| {
            let mut id = 0;
            while let Some(branch) = self.nodes.get(&(tree, id)) {
                let x = features[branch.feature];
                let go = x < branch.threshold || (x.is_nan() && branch.missing_true);
                id = if go { branch.true_id } else { branch.false_id };
            }
            sum + self.leaves[&(tree, id)]
        })
    }
}

/// The last column of the graph's answer, one a row: the probability of class 1, or the value. Checks the label too.
pub(crate) fn evaluate(onnx: &[u8], columns: &[Column]) -> Vec<f32> {
    let model = ModelProto::decode(onnx).unwrap();
    let graph = model.graph.as_ref().unwrap();
    let trees: HashMap<&str, Trees> = graph
        .node
        .iter()
        .filter(|node| node.op_type() == "TreeEnsembleRegressor")
        .map(|node| (node.output[0].as_str(), Trees::of(node)))
        .collect();
    let tables: HashMap<&str, HashMap<String, f32>> = graph
        .node
        .iter()
        .filter(|node| node.op_type() == "LabelEncoder")
        .map(|node| {
            let a = Attributes(node);
            let values = a.get("values_floats").floats.iter().copied();
            (node.output[0].as_str(), a.texts("keys_strings").into_iter().zip(values).collect())
        })
        .collect();

    (0..columns[0].rows())
        .map(|row| {
            let mut values: HashMap<&str, Value> =
                columns.iter().map(|c| (c.name.as_str(), input(c, row))).collect();
            for constant in &graph.initializer {
                values.insert(constant.name(), Value::Floats(constant.float_data.clone()));
            }
            for node in &graph.node {
                let output = compute(node, &values, &trees, &tables);
                values.insert(&node.output[0], output);
            }
            if let Some(Value::Index(label)) = values.get("label") {
                let p = values["probabilities"].floats();
                assert_eq!(*label, i64::from(p[1] > p[0]));
            }
            let outputs: Vec<&str> = graph.output.iter().map(mainstay_onnx::ValueInfoProto::name).collect();
            let answer = if outputs == ["variable"] { "variable" } else { "probabilities" };
            *values[answer].floats().last().unwrap()
        })
        .collect()
}

fn input(column: &Column, row: usize) -> Value {
    match &column.values {
        Values::Numeric(values) => Value::Floats(vec![values[row]]),
        Values::Categorical(values) => Value::Text(values[row].clone().unwrap_or_default()),
    }
}

fn compute(
    node: &NodeProto,
    values: &HashMap<&str, Value>,
    trees: &HashMap<&str, Trees>,
    tables: &HashMap<&str, HashMap<String, f32>>,
) -> Value {
    let a = Attributes(node);
    let x = &values[node.input[0].as_str()];
    let both = |f: fn(f32, f32) -> f32| {
        let (x, y) = (x.floats(), values[node.input[1].as_str()].floats());
        Value::Floats(x.iter().zip(y).map(|(x, y)| f(*x, *y)).collect())
    };
    let output = node.output[0].as_str();
    match node.op_type() {
        "LabelEncoder" => {
            let Value::Text(text) = x else { panic!("text was expected") };
            Value::Floats(vec![tables[output].get(text).copied().unwrap_or(a.get("default_float").f())])
        }
        "Concat" => Value::Floats(
            node.input.iter().flat_map(|name| values[name.as_str()].floats()).copied().collect(),
        ),
        "TreeEnsembleRegressor" => Value::Floats(vec![trees[output].sum(x.floats())]),
        "Imputer" => {
            assert!(a.get("replaced_value_float").f().is_nan());
            let by = &a.get("imputed_value_floats").floats;
            Value::Floats(
                x.floats().iter().zip(by).map(|(x, by)| if x.is_nan() { *by } else { *x }).collect(),
            )
        }
        "Scaler" => {
            let (offset, scale) = (&a.get("offset").floats, &a.get("scale").floats);
            Value::Floats(x.floats().iter().zip(offset).zip(scale).map(|((x, o), s)| (x - o) * s).collect())
        }
        "LinearRegressor" => {
            let weights = &a.get("coefficients").floats;
            assert_eq!(weights.len(), x.floats().len());
            let sum: f32 = x.floats().iter().zip(weights).map(|(x, w)| x * w).sum();
            Value::Floats(vec![sum + a.get("intercepts").floats[0]])
        }
        "Mul" => both(|x, y| x * y),
        "Add" => both(|x, y| x + y),
        "Sub" => both(|x, y| x - y),
        "Sigmoid" => Value::Floats(x.floats().iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect()),
        "ArgMax" => Value::Index(i64::from(x.floats()[1] > x.floats()[0])),
        other => panic!("operator {other} is not one that the export writes"),
    }
}
