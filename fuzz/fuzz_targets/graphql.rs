//! See `graphql` in crates/mlflow/src/graphql/mod.rs, whose crate replays what was found here.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mainstay_mlflow::fuzzed::graphql(data));
