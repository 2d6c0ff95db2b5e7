//! See `fuzzed` in crates/mlflow-traces/src/otlp/mod.rs, whose crate replays what was found here.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mainstay_mlflow_traces::fuzzed(data));
