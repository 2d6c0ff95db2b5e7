# Everything that people and machines do here. `make help` prints the targets.

.DEFAULT_GOAL := help
.PHONY: help build demo up test test-rust test-docs test-tutorial test-clients test-import test-beside test-loop test-independent test-console soak quiet mutants fuzz bench lint advisories fmt

MAINSTAY_CACHE ?= $(HOME)/.cache/mainstay
export MAINSTAY_CACHE

# Where cargo builds, and where the binary is expected.
BUILT := $(or $(CARGO_TARGET_DIR),target)/release
BINARY := target/release/mainstay

# `--workspace` even where one binary is wanted: cargo then resolves the same features for build, test
# and checks, and compiles the dependency graph once. `-p` would compile most of it a second time.
CARGO_BUILD := cargo build --release --locked --workspace
PHASE := scripts/phase.sh

help: ## Print the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16

build: ## Build the binary: target/release/mainstay.
	@$(PHASE) build $(CARGO_BUILD) --bin mainstay
	@test $(BUILT)/mainstay -ef $(BINARY) || { mkdir -p target/release && cp --remove-destination $(BUILT)/mainstay $(BINARY); }

demo: build ## Run the demonstration: the year 2013, replayed through the whole loop.
	@$(BINARY) demo demo/flights
	@$(BINARY) audit verify mainstay-data
	@echo "Everything is in ./mainstay-data; look at it with: make up"

up: build ## Build, then start the server on 127.0.0.1:5000 with ./mainstay-data.
	$(BINARY) up

test: test-rust test-docs test-tutorial test-clients test-import test-beside test-loop test-independent test-console ## Run all tests, on SQLite and on a PostgreSQL of their own.

test-rust: ## Run the Rust tests.
	@scripts/need.sh postgresql
	@if cargo nextest --version >/dev/null 2>&1; then \
		$(PHASE) test scripts/with-postgres.sh cargo nextest run --release --locked --workspace; \
	else \
		$(PHASE) test scripts/with-postgres.sh cargo test --release --locked --workspace --lib --bins --tests -- --test-threads=1; \
	fi

test-docs: ## Run the examples in the documentation.
	@$(PHASE) doctest cargo test --release --locked --workspace --doc --quiet

# Servers of its own on free ports of loopback; what a page shows must be printed.
test-tutorial: build ## Do what the tutorial and the how-tos say.
	@scripts/need.sh postgresql curl
	@python=$$(scripts/python-env.sh tests/clients/requirements.txt) && \
		MAINSTAY=$(abspath $(BINARY)) $(PHASE) tutorial scripts/with-postgres.sh "$$python" -m pytest -q tests/docs

# With the clients that people have, in their own language.
test-clients: ## Run the Python clients against the binary, if tests/clients is there.
	@if [ -d tests/clients ]; then \
		$(MAKE) --no-print-directory build && \
		python=$$(scripts/python-env.sh tests/clients/requirements.txt) && \
		MAINSTAY=$(abspath $(BINARY)) $(PHASE) clients "$$python" -m pytest -q tests/clients; \
	fi

# A stock server is filled, asked, stopped and imported, on both databases.
test-import: ## Import from a stock MLflow server, if tests/import is there, and ask the same questions.
	@if [ -d tests/import ]; then \
		scripts/need.sh postgresql && \
		$(MAKE) --no-print-directory build && \
		python=$$(scripts/python-env.sh tests/clients/requirements.txt) && \
		MAINSTAY=$(abspath $(BINARY)) $(PHASE) import scripts/with-postgres.sh "$$python" -m pytest -q tests/import; \
	fi

# The same requests to a stock server and to ours, one after the other; both on SQLite.
test-beside: ## Ask a stock MLflow server and this one the same, if tests/beside is there.
	@if [ -d tests/beside ]; then \
		$(MAKE) --no-print-directory build && \
		python=$$(scripts/python-env.sh tests/clients/requirements.txt) && \
		MAINSTAY=$(abspath $(BINARY)) $(PHASE) beside "$$python" -m pytest -q tests/beside; \
	fi

# The life of a model, undisturbed and under kill -9, and writes of all kinds under kills, on both databases.
test-loop: ## Run the mini loop with its kills against the binary.
	@scripts/need.sh postgresql
	@$(MAKE) --no-print-directory build && \
		python=$$(scripts/python-env.sh tests/loop/requirements.txt) && \
		MAINSTAY=$(abspath $(BINARY)) $(PHASE) loop scripts/with-postgres.sh "$$python" -m pytest -q tests/loop

# DATA=DIR: what `mainstay demo` left there is compared, instead of some days replayed for it.
test-independent: build ## Compare the features served in the demonstration with those that DuckDB makes of its tables.
	@python=$$(scripts/python-env.sh tests/independent/requirements.txt) && \
		MAINSTAY=$(abspath $(BINARY)) $(PHASE) independent "$$python" -m pytest -q tests/independent $(if $(DATA),--data "$(abspath $(DATA))")

# Every page in Chromium, wide and narrow, light and dark; CONSOLE_PICTURES=FOLDER leaves pictures of them.
test-console: build ## Open the console's pages in a headless Chromium.
	@scripts/need.sh chromium
	@python=$$(scripts/python-env.sh tests/loop/requirements.txt) && \
		MAINSTAY=$(abspath $(BINARY)) $(PHASE) console "$$python" -m pytest -q tests/console

# Faults planted behind a feature that no other build has; the tests must notice each of them.
mutants: ## Plant ten faults, one after the other: the tests must fail each time. A quarter of an hour.
	@scripts/need.sh postgresql
	@$(PHASE) mutants scripts/with-postgres.sh cargo xtask mutants

# FUZZ="600 filter": ten minutes of one target. What it finds lies in fuzz/artifacts.
fuzz: ## Fuzz the parsers and evaluators of what anybody may send, a minute each.
	@$(PHASE) fuzz scripts/fuzz.sh $(FUZZ)

# Figures, not a test: nothing fails because a machine is slow.
bench: ## Measure against the targets of docs/performance.md, and write that page.
	@scripts/need.sh strace postgresql
	@$(PHASE) build $(CARGO_BUILD) --bin mainstay --example latency
	@python=$$(scripts/python-env.sh bench/requirements.txt) && \
		stock=$$(scripts/python-env.sh tests/clients/requirements.txt) && \
		$(PHASE) bench scripts/with-postgres.sh "$$python" bench --binary $(BUILT)/mainstay \
			--latency $(BUILT)/examples/latency --stock "$$stock"

# SOAK="--days 40 --kills 10" for a short one; "--undisturbed DIR" names what `mainstay demo` left.
soak: build ## Kill writers of all kinds 120 times and the whole demonstration fifty times, and take databases away for half a minute; 20 minutes.
	@scripts/need.sh postgresql
	@python=$$(scripts/python-env.sh tests/loop/requirements.txt) && export MAINSTAY=$(abspath $(BINARY)) && \
		MAINSTAY_KILLS=100 MAINSTAY_KILLS_POSTGRES=20 $(PHASE) writes scripts/with-postgres.sh "$$python" -m pytest -q -s tests/loop/test_writes.py && \
		MAINSTAY_OUTAGE=30 $(PHASE) outages scripts/with-postgres.sh "$$python" -m pytest -q tests/loop/test_outage.py && \
		$(PHASE) soak "$$python" -m pytest -q tests/soak $(SOAK)

# QUIET="--seeds 2 --days 40" for a short one.
quiet: build ## What must not happen without a cause: days dealt anew by 20 seeds ask for no retraining, 200 rollouts of equals do no rollback; an hour.
	@$(PHASE) equals cargo test --release --locked --workspace --lib --quiet -- --ignored --nocapture what_is_no_worse
	@MAINSTAY=$(abspath $(BINARY)) $(PHASE) quiet python3 tests/soak/quiet.py $(QUIET)

lint: ## Check format, lints, layers, budgets, links, vendored assets and dependencies.
	@$(PHASE) format cargo fmt --all --check
	@$(PHASE) xtask sh -c '$(CARGO_BUILD) --quiet --bin mainstay-xtask && $(BUILT)/mainstay-xtask layers budgets links vendor'
	@scripts/need.sh cargo-deny
	@$(PHASE) deny $(MAINSTAY_CACHE)/tools/bin/cargo-deny --locked --log-level error check bans licenses sources
	@$(PHASE) clippy cargo clippy --release --locked --workspace --all-targets --quiet -- -D warnings

# Not part of `lint`: its answer changes without a change here, and it needs the network.
advisories: ## Check dependencies against the RustSec advisory database.
	@scripts/need.sh cargo-deny
	$(MAINSTAY_CACHE)/tools/bin/cargo-deny --locked check advisories

fmt: ## Format all Rust code.
	cargo fmt --all
