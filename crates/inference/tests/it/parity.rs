//! Every model of the reference against Python onnxruntime.

use mainstay_inference::{Limits, Model, Scratch};

use crate::reference::{bytes, difference, example, is_float, names, row};

/// Differences that come from the order of summation and from other implementations of `exp`.
const TOLERANCE: f64 = 1e-5;

#[test]
fn answers_equal_onnxruntime() {
    let mut worst = Vec::new();
    let names = names();
    assert!(names.len() > 150, "the reference models are missing");
    let mut scratch = Scratch::default();
    for name in &names {
        let model = match Model::load(&bytes(name), &Limits::default()) {
            Ok(model) => model,
            Err(error) => {
                worst.push(format!("{name}: {error}"));
                continue;
            }
        };
        let example = example(name);
        let answers =
            model.run(&example.request(), &mut scratch).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(answers.len(), example.outputs.len(), "{name}");
        for ((output, given), wanted) in answers.iter().zip(&example.outputs) {
            assert_eq!(*output, wanted.name, "{name}");
            let wanted = wanted.tensor();
            let difference = difference(given, &wanted);
            if difference > TOLERANCE {
                worst.push(format!("{name}.{output}: {difference}: {given:?} instead of {wanted:?}"));
            } else if difference > 0.0 {
                println!("{name}.{output}: {difference:.1e}");
            }
        }
    }
    assert!(worst.is_empty(), "{} of {}:\n{}", worst.len(), names.len(), worst.join("\n"));
}

/// The walk through the trees takes other ways for one row and for many; the sums must not differ.
#[test]
fn a_row_alone_gets_the_same_bits_as_in_a_batch() {
    let mut scratch = Scratch::default();
    for name in names().iter().filter(|name| !name.starts_with("op_")) {
        let model = Model::load(&bytes(name), &Limits::default()).unwrap();
        let request = example(name)
            .request()
            .into_iter()
            .map(|(name, tensor)| (name.to_owned(), tensor))
            .collect::<Vec<_>>();
        let batch = model.run(&request, &mut scratch).unwrap();
        for index in 0..request[0].1.shape().dims()[0] {
            let single: Vec<_> = request.iter().map(|(name, tensor)| (name, row(tensor, index))).collect();
            let answers = model.run(&single, &mut scratch).unwrap();
            for ((output, alone), (_, together)) in answers.iter().zip(&batch) {
                let together = row(together, index);
                let same =
                    if is_float(alone) { difference(alone, &together) == 0.0 } else { *alone == together };
                assert!(same, "{name}.{output} row {index}: {alone:?} {together:?}");
            }
        }
    }
}
