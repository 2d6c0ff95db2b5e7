//! Files made to break a loader, each refused with a sentence that says what is wrong.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_inference::{Limits, LoadError, Model};
use mainstay_onnx::attribute_proto::AttributeType;
use mainstay_onnx::tensor_proto::{DataLocation, DataType};
use mainstay_onnx::tensor_shape_proto::{Dimension, dimension};
use mainstay_onnx::type_proto;
use mainstay_onnx::{
    AttributeProto, GraphProto, Message, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
};

use crate::reference::bytes;

fn value(name: &str, dims: &[Option<i64>]) -> ValueInfoProto {
    let dim =
        dims.iter().map(|size| Dimension { denotation: None, value: size.map(dimension::Value::DimValue) });
    let tensor = type_proto::Tensor {
        elem_type: Some(DataType::Float as i32),
        shape: Some(TensorShapeProto { dim: dim.collect() }),
    };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: outputs.iter().map(ToString::to_string).collect(),
        ..NodeProto::default()
    }
}

fn model(nodes: Vec<NodeProto>) -> ModelProto {
    let opset =
        |domain: &str, version| OperatorSetIdProto { domain: Some(domain.into()), version: Some(version) };
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![opset("", 17), opset("ai.onnx.ml", 3)],
        graph: Some(GraphProto {
            node: nodes,
            input: vec![value("x", &[None, Some(2)])],
            output: vec![value("y", &[None, Some(2)])],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}

fn identity() -> ModelProto {
    model(vec![node("Identity", &["x"], &["y"])])
}

fn refusal(model: &ModelProto) -> String {
    let error = Model::load(&model.encode_to_vec(), &Limits::default()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidModel);
    error.to_string()
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind as i32), ..AttributeProto::default() }
}

#[test]
fn the_plain_model_loads() {
    Model::load(&identity().encode_to_vec(), &Limits::default()).unwrap();
}

#[test]
fn cut_short_or_of_another_format() {
    let whole = bytes("logistic");
    for length in [1, whole.len() / 2, whole.len() - 1] {
        let error = Model::load(&whole[..length], &Limits::default()).unwrap_err();
        assert!(matches!(error, LoadError::Malformed(_)), "{error}");
    }
    assert!(matches!(Model::load(b"", &Limits::default()), Err(LoadError::NoGraph)));
    assert!(Model::load(b"\x80\x04\x95pickle", &Limits::default()).is_err());
}

#[test]
fn larger_than_the_limit() {
    let limits = Limits { max_bytes: 100, ..Limits::default() };
    let error = Model::load(&bytes("logistic"), &limits).unwrap_err();
    assert_eq!(error.code(), ErrorCode::TooLarge);
    let nodes = (0..50).map(|index| node("Identity", &["x"], &[&format!("v{index}")])).collect();
    let error = Model::load(&model(nodes).encode_to_vec(), &Limits { max_nodes: 10, ..Limits::default() })
        .unwrap_err();
    assert_eq!(error.to_string(), "the graph has 50 nodes; at most 10 are accepted");
}

#[test]
fn unknown_operators_and_domains_are_named() {
    let sentence = refusal(&model(vec![node("Conv", &["x"], &["y"])]));
    assert!(sentence.starts_with("operator `ai.onnx.Conv` (node `#0`) is not supported"), "{sentence}");
    let mut custom = node("Evil", &["x"], &["y"]);
    custom.domain = Some("com.example".into());
    assert!(refusal(&model(vec![custom])).starts_with("operator `com.example.Evil`"));
}

#[test]
fn newer_or_missing_operator_sets() {
    let mut newer = identity();
    newer.opset_import[0].version = Some(999);
    assert!(refusal(&newer).contains("version 999 is not known here"));
    newer.opset_import.clear();
    assert!(refusal(&newer).contains("version 0"));
}

#[test]
fn data_outside_of_the_file() {
    let mut external = identity();
    external.graph.as_mut().unwrap().initializer.push(TensorProto {
        name: Some("w".into()),
        dims: vec![4],
        data_type: Some(DataType::Float as i32),
        data_location: Some(DataLocation::External as i32),
        external_data: vec![StringStringEntryProto {
            key: Some("location".into()),
            value: Some("../../etc/passwd".into()),
        }],
        ..TensorProto::default()
    });
    let sentence = refusal(&external);
    assert_eq!(
        sentence,
        "tensor `w` cannot be used: its data lies outside the model file; save the model with the weights inside"
    );
}

#[test]
fn absurd_dimensions() {
    let constant = |dims: Vec<i64>, raw: Vec<u8>| {
        let mut absurd = identity();
        absurd.graph.as_mut().unwrap().initializer.push(TensorProto {
            name: Some("w".into()),
            dims,
            data_type: Some(DataType::Float as i32),
            raw_data: Some(raw),
            ..TensorProto::default()
        });
        refusal(&absurd)
    };
    assert!(constant(vec![i64::MAX, i64::MAX], vec![]).contains("absurd"));
    assert!(constant(vec![-1], vec![0; 4]).contains("absurd"));
    assert!(constant(vec![0, 1 << 40], vec![]).contains("absurd"));
    assert!(constant(vec![1; 50], vec![0; 4]).contains("absurd"));
    assert!(constant(vec![1000], vec![0; 4]).contains("does not fill"));
    assert!(constant(vec![1], vec![0; 3]).contains("does not fill"));
    let mut input = identity();
    input.graph.as_mut().unwrap().input = vec![value("x", &[None, Some(i64::MAX)])];
    assert!(refusal(&input).contains("`x` cannot be part of the signature: dimension"));
    input.graph.as_mut().unwrap().input = vec![value("x", &[None, Some(-7)])];
    assert!(refusal(&input).contains("dimension -7 is absurd"));
}

#[test]
fn cycles_missing_inputs_and_missing_outputs() {
    let cycle = model(vec![
        node("Add", &["x", "b"], &["a"]),
        node("Identity", &["a"], &["b"]),
        node("Identity", &["b"], &["y"]),
    ]);
    assert!(refusal(&cycle).contains("depends on the node itself"));
    let own = model(vec![node("Add", &["x", "y"], &["y"])]);
    assert!(refusal(&own).contains("depends on the node itself"));
    let dangling = model(vec![node("Add", &["x", "nowhere"], &["y"])]);
    assert!(refusal(&dangling).contains("`nowhere`, which nothing defines"));
    let lacking = model(vec![node("Add", &["x"], &["y"])]);
    assert!(refusal(&lacking).contains("input 1 is missing"));
    assert!(refusal(&model(vec![])).contains("`y` cannot be part of the signature: nothing computes it"));
    let twice = model(vec![node("Identity", &["x"], &["y"]), node("Neg", &["x"], &["y"])]);
    assert!(refusal(&twice).contains("defines `y` a second time"));
    let mut same_input = identity();
    same_input.graph.as_mut().unwrap().input.push(value("x", &[None]));
    assert!(refusal(&same_input).contains("declared twice"));
}

#[test]
fn subgraphs_functions_and_sparse_tensors() {
    let mut branch = node("If", &["x"], &["y"]);
    branch.attribute.push(AttributeProto {
        g: Some(GraphProto::default()),
        ..attribute("then_branch", AttributeType::Graph)
    });
    assert!(refusal(&model(vec![branch])).contains("holds a subgraph"));
    let mut functions = identity();
    functions.functions.push(mainstay_onnx::FunctionProto::default());
    assert!(refusal(&functions).contains("functions of its own"));
    let mut sparse = identity();
    sparse.graph.as_mut().unwrap().sparse_initializer.push(mainstay_onnx::SparseTensorProto::default());
    assert!(refusal(&sparse).contains("sparse tensors"));
}

#[test]
fn attributes_of_wrong_type_or_length() {
    let scaler = |offset: AttributeProto| {
        let mut scaler = node("Scaler", &["x"], &["y"]);
        scaler.domain = Some("ai.onnx.ml".into());
        let scale = AttributeProto { floats: vec![1.0, 2.0], ..attribute("scale", AttributeType::Floats) };
        scaler.attribute = vec![scale, offset];
        refusal(&model(vec![scaler]))
    };
    let typed = AttributeProto { ints: vec![1, 2], ..attribute("offset", AttributeType::Ints) };
    assert_eq!(scaler(typed), "node `#0` (Scaler) is wrong: attribute `offset` must be of type floats");
    let short = AttributeProto { floats: vec![1.0], ..attribute("offset", AttributeType::Floats) };
    assert!(scaler(short).contains("must be as long as `offset`"));
    let twice = AttributeProto { floats: vec![1.0, 2.0], ..attribute("scale", AttributeType::Floats) };
    assert!(scaler(twice).contains("given twice"));
}

#[test]
fn shapes_that_do_not_fit_are_found_when_loading() {
    let mut wide = model(vec![node("MatMul", &["x", "w"], &["y"])]);
    wide.graph.as_mut().unwrap().initializer.push(TensorProto {
        name: Some("w".into()),
        dims: vec![3, 1],
        data_type: Some(DataType::Float as i32),
        float_data: vec![1.0; 3],
        ..TensorProto::default()
    });
    assert_eq!(
        refusal(&wide),
        "node `#0` (MatMul) does not fit the declared input shapes: shapes [1, 2] and [3, 1] do not go together"
    );
}

#[test]
fn a_small_file_cannot_ask_for_much_memory() {
    let size = TensorProto {
        name: Some("size".into()),
        dims: vec![2],
        data_type: Some(DataType::Int64 as i32),
        int64_data: vec![1 << 30, 1 << 30],
        ..TensorProto::default()
    };
    let mut bomb =
        model(vec![node("ConstantOfShape", &["size"], &["zeros"]), node("Add", &["x", "zeros"], &["y"])]);
    bomb.graph.as_mut().unwrap().initializer.push(size);
    assert!(refusal(&bomb).contains("larger than the limit"));
    // Each node doubles the tensor.
    let mut nodes = Vec::new();
    let mut last = "x".to_owned();
    for index in 0..40 {
        let next = format!("v{index}");
        let mut concat = node("Concat", &[&last, &last], &[&next]);
        concat.attribute.push(AttributeProto { i: Some(1), ..attribute("axis", AttributeType::Int) });
        nodes.push(concat);
        last = next;
    }
    nodes.push(node("Identity", &[&last], &["y"]));
    assert!(refusal(&model(nodes)).contains("larger than the limit"));
}

fn forest(lists: &[(&str, Vec<i64>)], modes: &[&str]) -> ModelProto {
    let mut tree = node("TreeEnsembleRegressor", &["x"], &["y"]);
    tree.domain = Some("ai.onnx.ml".into());
    for (name, list) in lists {
        tree.attribute.push(AttributeProto { ints: list.clone(), ..attribute(name, AttributeType::Ints) });
    }
    tree.attribute.push(AttributeProto {
        strings: modes.iter().map(|mode| mode.as_bytes().to_vec()).collect(),
        ..attribute("nodes_modes", AttributeType::Strings)
    });
    tree.attribute.push(AttributeProto {
        floats: vec![0.0; modes.len()],
        ..attribute("nodes_values", AttributeType::Floats)
    });
    model(vec![tree])
}

#[test]
fn nodes_that_form_no_tree() {
    let lists = |holds: Vec<i64>, fails: Vec<i64>| {
        [
            ("nodes_treeids", vec![0; holds.len()]),
            ("nodes_nodeids", (0..).take(holds.len()).collect()),
            ("nodes_featureids", vec![0; holds.len()]),
            ("nodes_truenodeids", holds),
            ("nodes_falsenodeids", fails),
        ]
    };
    let cycle = forest(&lists(vec![1, 0, 0], vec![2, 2, 0]), &["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"]);
    assert!(refusal(&cycle).contains("tree 0: a node is reached twice"));
    let dangling = forest(&lists(vec![1, 0], vec![9, 0]), &["BRANCH_LEQ", "LEAF"]);
    assert!(refusal(&dangling).contains("a child that does not exist"));
    let unknown = forest(&lists(vec![0], vec![0]), &["BRANCH_MAYBE"]);
    assert!(refusal(&unknown).contains("names an unknown mode"));
    let mut features = lists(vec![1, 0, 0], vec![2, 0, 0]);
    features[2].1 = vec![i64::MAX, 0, 0];
    assert!(
        refusal(&forest(&features, &["BRANCH_LEQ", "LEAF", "LEAF"])).contains("`nodes_featureids` is absurd")
    );
    features[2].1 = vec![2, 0, 0];
    assert!(
        refusal(&forest(&features, &["BRANCH_LEQ", "LEAF", "LEAF"]))
            .contains("more features than the input has")
    );
    let uneven = forest(&lists(vec![1, 0, 0], vec![2, 0, 0])[..4], &["BRANCH_LEQ", "LEAF", "LEAF"]);
    assert!(refusal(&uneven).contains("differ in length"));
}

#[test]
fn a_tree_as_deep_as_it_is_long_is_no_recursion() {
    let count: i64 = 200_001;
    let deep = forest(
        &[
            ("nodes_treeids", vec![0; 200_001]),
            ("nodes_nodeids", (0..count).collect()),
            ("nodes_featureids", vec![0; 200_001]),
            ("nodes_truenodeids", (0..count).map(|node| node + 1 + node % 2).collect()),
            ("nodes_falsenodeids", (0..count).map(|node| node + 2 - node % 2).collect()),
        ],
        &std::iter::repeat_n(["BRANCH_LEQ", "LEAF"], 100_000).flatten().chain(["LEAF"]).collect::<Vec<_>>(),
    );
    // Even nodes decide: one child is the leaf beside them, the other the next even node.
    Model::load(&deep.encode_to_vec(), &Limits::default()).unwrap();
}
