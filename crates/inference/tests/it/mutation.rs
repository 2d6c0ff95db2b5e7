//! Damaged files: loading may refuse, but neither panic nor take long.

use mainstay_inference::{Data, Limits, Model, Scratch, Tensor};
use proptest::prelude::*;

use crate::reference::bytes;

const MODELS: [&str; 6] =
    ["logistic", "tree_mixed_modes", "columns_logistic", "op_slice", "ada_boost", "tree_ensemble_v5"];

fn limits() -> Limits {
    Limits { max_elements: 1 << 16, max_work: 1 << 22, ..Limits::default() }
}

/// Loads a file and, if it is accepted, runs it on zeros.
fn load_and_run(file: &[u8]) {
    let Ok(model) = Model::load(file, &limits()) else { return };
    let inputs: Vec<Tensor> = model
        .inputs()
        .iter()
        .filter_map(|spec| {
            let shape: Vec<usize> = spec.shape.iter().map(|dim| dim.unwrap_or(3)).collect();
            let count = shape.iter().product::<usize>();
            let data = match spec.dtype {
                mainstay_inference::DType::F32 => Data::F32(vec![0.25; count.min(1 << 16)]),
                mainstay_inference::DType::I64 => Data::I64(vec![1; count.min(1 << 16)]),
                mainstay_inference::DType::Str => Data::Str(vec!["a".into(); count.min(1 << 16)]),
                _ => return None,
            };
            Tensor::new(&shape, data).ok()
        })
        .collect();
    // Whatever the answer: no panic.
    let _ = model.run_ordered(&inputs.iter().collect::<Vec<_>>(), &mut Scratch::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_never_panic(
        which in 0..MODELS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut file = bytes(MODELS[which]);
        for (place, value) in changes {
            let place = place.index(file.len());
            file[place] = value;
        }
        load_and_run(&file);
    }

    #[test]
    fn shortened_and_spliced_files_never_panic(
        which in 0..MODELS.len(),
        other in 0..MODELS.len(),
        cut in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
    ) {
        let (head, tail) = (bytes(MODELS[which]), bytes(MODELS[other]));
        let mut file = head[..cut.index(head.len())].to_vec();
        load_and_run(&file);
        file.extend_from_slice(&tail[from.index(tail.len())..]);
        load_and_run(&file);
    }

    #[test]
    fn random_bytes_never_panic(file in prop::collection::vec(any::<u8>(), 0..300)) {
        load_and_run(&file);
    }
}
