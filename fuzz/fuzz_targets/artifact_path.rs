//! See `artifact_path` in crates/mlflow/src/fuzzed.rs, whose crate replays what was found here.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mainstay_mlflow::fuzzed::artifact_path(data));
