//! Bad input is refused at once, with a code and a sentence.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_training::{Candidate, Column, Dataset, Params, Split, Task, TrainingError, train};

fn data() -> Dataset {
    Dataset {
        features: vec![
            Column::numeric("x", (0..40_u8).map(f32::from).collect()),
            Column::categorical("c", (0..40).map(|i| (i % 3 > 0).then(|| format!("v{}", i % 3))).collect()),
        ],
        label: (0..40_u8).map(|i| f32::from(i % 2)).collect(),
    }
}

fn split() -> Split {
    Split { train: 0..30, validation: 30..40, test: None }
}

fn params() -> Params {
    Params {
        candidates: vec![Candidate::Linear { l2: 1.0 }],
        ..Params::new(Task::BinaryClassification, 1, 1)
    }
}

#[track_caller]
fn refused(data: &Dataset, split: &Split, params: &Params, code: ErrorCode, sentence: &str) {
    let error = train(data, split, params).err().expect("it must be refused");
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(sentence), "{error}");
}

#[test]
fn the_plain_case_is_accepted() {
    assert!(train(&data(), &split(), &params()).is_ok());
}

#[test]
fn data_that_do_not_fit() {
    let check = |change: &dyn Fn(&mut Dataset), code, sentence: &str| {
        let mut data = data();
        change(&mut data);
        refused(&data, &split(), &params(), code, sentence);
    };
    check(&|d| d.features.clear(), ErrorCode::InvalidData, "no feature");
    check(&|d| d.features = vec![d.features[0].clone(); 1025], ErrorCode::TooLarge, "1025 features");
    check(&|d| d.label.push(0.0), ErrorCode::InvalidData, "`x` has 40 rows, the label has 41");
    check(&|d| d.features[0].name = "c".into(), ErrorCode::InvalidName, "another feature has it");
    check(&|d| d.features[0].name = "label".into(), ErrorCode::InvalidName, "outputs");
    check(&|d| d.features[0].name = "mainstay.margin".into(), ErrorCode::InvalidName, "reserved");
    check(&|d| d.features[0].name = "a\nb".into(), ErrorCode::InvalidName, "control character");
    check(&|d| d.features[0].name = "n".repeat(257), ErrorCode::InvalidName, "256");
    check(&|d| d.features[0].name = String::new(), ErrorCode::InvalidName, "empty");
    let mut infinite: Vec<f32> = vec![0.0; 40];
    infinite[7] = f32::NEG_INFINITY;
    check(
        &|d| d.features[0] = Column::numeric("x", infinite.clone()),
        ErrorCode::InvalidData,
        "beyond ±1e37 in row 7",
    );
    check(&|d| d.label[3] = 2.0, ErrorCode::InvalidData, "row 3 is 2; a binary label is 0 or 1");
    check(&|d| d.label[3] = f32::NAN, ErrorCode::InvalidData, "row 3 is NaN");
    check(&|d| d.label[..30].fill(1.0), ErrorCode::InvalidData, "all labels of the training rows are equal");
    check(
        &|d| d.label[30..].fill(0.0),
        ErrorCode::InvalidData,
        "all labels of the validation rows are equal",
    );
}

#[test]
fn splits_that_do_not_fit() {
    let check = |split: Split, sentence: &str| {
        refused(&data(), &split, &params(), ErrorCode::InvalidArgument, sentence);
    };
    check(Split { train: 0..0, ..split() }, "at least one row");
    check(Split { train: 0..31, ..split() }, "must follow each other");
    check(Split { validation: 30..41, ..split() }, "after the last row");
    check(Split { test: Some(35..40), ..split() }, "must follow each other");
}

#[test]
fn parameters_out_of_range() {
    let check = |change: &dyn Fn(&mut Params), sentence: &str| {
        let mut params = params();
        change(&mut params);
        refused(&data(), &split(), &params, ErrorCode::InvalidArgument, sentence);
    };
    check(&|p| p.threads = 0, "`threads`");
    check(&|p| p.candidates.clear(), "`candidates`");
    check(&|p| p.candidates = vec![Candidate::Linear { l2: 0.0 }], "`l2` is above 0");
    check(&|p| p.candidates = vec![Candidate::Boosting { budget: f32::NAN }], "`budget` above 0");
    check(&|p| p.max_trees = Some(0), "`max_trees`");
    check(&|p| p.max_bins = 1, "`max_bins`");
    check(&|p| p.max_tree_nodes = 2, "`max_tree_nodes`");
    check(&|p| p.max_nodes = 0, "`max_nodes`");
    check(&|p| p.max_categories = 0, "`max_categories`");
}

#[test]
fn columns_that_the_model_was_not_trained_on() {
    let predictor = train(&data(), &split(), &params()).unwrap().predictor;
    let [x, c] = <[Column; 2]>::try_from(data().features).unwrap();
    let mismatch = |columns: &[Column]| {
        let error = predictor.predict(columns).unwrap_err();
        assert_eq!(error.code(), ErrorCode::SignatureMismatch, "{error}");
    };
    mismatch(std::slice::from_ref(&x));
    mismatch(&[c.clone(), x.clone()]);
    mismatch(&[x.clone(), Column::numeric("c", vec![0.0; 40])]);
    mismatch(&[Column::categorical("x", vec![None; 40]), c]);
    let short = predictor.predict(&[x, Column::categorical("c", vec![None; 3])]);
    assert!(matches!(short, Err(TrainingError::LengthMismatch { expected: 40, found: 3, .. })));
    assert!(
        predictor
            .predict(&[Column::numeric("x", vec![f32::INFINITY]), Column::categorical("c", vec![None])])
            .is_err()
    );
}

#[test]
fn a_linear_model_of_too_many_weights() {
    let column = |i: usize| {
        let values = (0..400).map(|row| Some(format!("v{}", (row * (i + 1)) % 128))).collect();
        Column::categorical(format!("c{i}"), values)
    };
    let data = Dataset {
        features: (0..40).map(column).collect(),
        label: (0..400_u16).map(|i| f32::from(i % 2)).collect(),
    };
    let split = Split { train: 0..300, validation: 300..400, test: None };
    let params = Params { min_category_rows: 1, ..params() };
    refused(&data, &split, &params, ErrorCode::TooLarge, "weights");
}
