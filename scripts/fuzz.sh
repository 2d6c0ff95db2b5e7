#!/usr/bin/env bash
# Fuzzes what anybody may send: fuzz.sh [SECONDS [TARGET…]], a minute each by default.
#
# LLVM's counters are asked for by flags that the stable compiler has, so neither a nightly one nor cargo-fuzz is needed.
# What is found lies in fuzz/artifacts and fails the run, what is new and harmless in fuzz/found, from where the next run
# goes on. What is worth keeping is copied to fuzz/corpus, which `make test` replays
# (crates/tracking/tests/it/fuzzed.rs, crates/mlflow/src/fuzzed.rs, crates/mlflow-traces/src/otlp/tests.rs).
set -euo pipefail

cd "$(dirname "$0")/../fuzz"
seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(filter order page_token artifact_path graphql otlp)

# The target is named, so that build scripts and macros are built without the counters.
host=$(rustc -vV | sed -n 's/^host: //p')
target_dir=${FUZZ_TARGET_DIR:-target}
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1" \
    cargo build --release --target "$host" --target-dir "$target_dir"

for target in "${targets[@]}"; do
    mkdir -p artifacts "found/$target"
    "$target_dir/$host/release/$target" "found/$target" "corpus/$target" -max_total_time="$seconds" -max_len=2048 -timeout=10 \
        -rss_limit_mb=1024 -artifact_prefix="artifacts/$target-" -print_final_stats=1
done
