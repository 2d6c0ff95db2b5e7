//! What a model says it takes and gives, and what happens to requests that do not fit.

use std::sync::Arc;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_inference::{DType, Data, Limits, Model, RunError, Scratch, Tensor};

use crate::reference::{bytes, example};

fn model(name: &str) -> Model {
    Model::load(&bytes(name), &Limits::default()).unwrap()
}

fn refusal(model: &Model, request: &[(&str, Tensor)]) -> RunError {
    model.run(request, &mut Scratch::default()).unwrap_err()
}

#[test]
fn the_signature_tells_names_types_and_shapes() {
    let model = model("columns_boosting");
    let inputs: Vec<_> = model.inputs().iter().map(|spec| (spec.name.as_str(), spec.dtype)).collect();
    assert_eq!(
        inputs,
        [
            ("carrier", DType::Str),
            ("origin", DType::Str),
            ("month", DType::I64),
            ("distance", DType::F32),
            ("delay", DType::F32),
        ]
    );
    assert!(model.inputs().iter().all(|spec| spec.shape == [None, Some(1)]));
    let outputs: Vec<_> =
        model.outputs().iter().map(|spec| (spec.name.as_str(), spec.dtype, spec.shape.clone())).collect();
    assert_eq!(
        outputs,
        [("label", DType::I64, vec![None]), ("probabilities", DType::F32, vec![None, Some(2)])]
    );
    assert_eq!(model.metadata().producer, "skl2onnx");
    assert_eq!(model.metadata().opsets.iter().find(|(domain, _)| domain == "ai.onnx.ml").unwrap().1, 1);
}

#[test]
fn zip_map_gives_the_plain_matrix() {
    let model = model("logistic_zipmap");
    let spec = &model.outputs()[1];
    assert_eq!(
        (spec.name.as_str(), spec.dtype, &spec.shape),
        ("output_probability", DType::F32, &vec![None, Some(2)])
    );
}

#[test]
fn requests_that_do_not_fit_are_told_why() {
    let model = model("columns_logistic");
    let example = example("columns_logistic");
    let good = example.request();
    assert!(model.run(&good, &mut Scratch::default()).is_ok());

    let error = refusal(&model, &good[1..]);
    assert_eq!(
        error.to_string(),
        "input `carrier` is missing; the model needs: carrier, origin, month, distance, delay"
    );
    let mut extra = good.clone();
    extra.push(("surplus", Tensor::new(&[1, 1], Data::F32(vec![0.0])).unwrap()));
    assert!(refusal(&model, &extra).to_string().starts_with("the model has no input `surplus`"));
    let mut twice = good.clone();
    twice.push(good[0].clone());
    assert_eq!(refusal(&model, &twice).to_string(), "input `carrier` is given twice");

    let swap = |index: usize, tensor: Tensor| {
        let mut request = good.clone();
        request[index].1 = tensor;
        refusal(&model, &request)
    };
    let wrong_type = swap(3, Tensor::new(&[32, 1], Data::F64(vec![0.0; 32])).unwrap());
    assert_eq!(wrong_type.to_string(), "input `distance` must be float32, not float64");
    let wrong_shape = swap(3, Tensor::new(&[32], Data::F32(vec![0.0; 32])).unwrap());
    assert_eq!(
        wrong_shape.to_string(),
        "input `distance` must have shape [-1, 1], not [32] (-1 stands for any size)"
    );
    let fewer_rows = swap(3, Tensor::new(&[31, 1], Data::F32(vec![0.0; 31])).unwrap());
    assert_eq!(fewer_rows.to_string(), "input `distance` has 31 rows where the other inputs have 32");
    let empty = swap(0, Tensor::new(&[0, 1], Data::Str(Vec::<Arc<str>>::new())).unwrap());
    assert_eq!(empty.to_string(), "input `carrier` is empty; send at least one row");
    for error in [error, wrong_type, wrong_shape, fewer_rows, empty] {
        assert_eq!(error.code(), ErrorCode::SignatureMismatch);
    }
}

#[test]
fn a_category_that_the_encoder_refuses_is_the_requests_fault() {
    let model = model("op_cast_text");
    let error = refusal(&model, &[("in0", Tensor::new(&[1, 1], Data::Str(vec!["seven".into()])).unwrap())]);
    assert_eq!(error.to_string(), "node `#0` (Cast): a text is not a number");
    assert_eq!(error.code(), ErrorCode::InvalidData);
}

#[test]
fn a_run_beyond_its_limits_is_refused_and_the_model_goes_on() {
    let limits = Limits { max_elements: 500, ..Limits::default() };
    let model = Model::load(&bytes("gradient_boosting"), &limits).unwrap();
    let rows = |count: usize| [("X", Tensor::new(&[count, 8], Data::F32(vec![0.5; count * 8])).unwrap())];
    let mut scratch = Scratch::default();
    let error = model.run(&rows(1000), &mut scratch).unwrap_err();
    assert_eq!(error.code(), ErrorCode::TooLarge);
    assert!(model.run(&rows(10), &mut scratch).is_ok());
    let limits = Limits { max_work: 1000, ..Limits::default() };
    let model = Model::load(&bytes("gradient_boosting"), &limits).unwrap();
    assert_eq!(model.run(&rows(1000), &mut scratch).unwrap_err().code(), ErrorCode::TooLarge);
}

#[test]
fn one_scratch_serves_different_models() {
    let (one, other) = (model("columns_boosting"), model("op_argmax"));
    let (first, second) = (example("columns_boosting"), example("op_argmax"));
    let mut scratch = Scratch::default();
    let alone = one.run(&first.request(), &mut Scratch::default()).unwrap();
    for _ in 0..3 {
        assert_eq!(one.run(&first.request(), &mut scratch).unwrap(), alone);
        other.run(&second.request(), &mut scratch).unwrap();
    }
}
