//! See `filter` in crates/tracking/tests/it/fuzzed.rs, which replays what was found here.
#![no_main]

#[path = "../../crates/tracking/tests/it/fuzzed.rs"]
#[expect(dead_code, reason = "each target runs one of its functions")]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::filter(data));
