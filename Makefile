# The index of tasks, the same for a person and for CI. Each does the set-up it needs, inside this directory.
# Needed on the machine: rustup with Rust 1.95 or later, make, a C compiler, Node 20 or later, Python 3.11 with venv.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# Lints change with the compiler: they stop the build only with the one they were last read under.
LINTED := 1.95
DENY := $(if $(findstring rustc $(LINTED).,$(shell rustc --version 2>/dev/null)),-D warnings)
WASM := wasm32-unknown-unknown
BARE := x86_64-unknown-none
PACK := target/pack
PEERS := tests/.peers
RMCP := tests/peers/fixtures/rmcp
# Always the same packages in one build, so that features, and with them the dependencies' builds, stay the same. The two
# left out have no tests on this machine.
NATIVE := --locked --workspace --exclude vmcp-bindgen --exclude vmcp-wasm
# The browser that the page is tried in; found on the machine, or installed where this may be done.
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome || echo /usr/bin/chromium)
# Puts the built page into the program.
PREVIEW = VMCP_PREVIEW_PAGE="$(CURDIR)/target/www/vmcp-preview.html"
STEP = @printf '\n\033[1m== %s\033[0m\n' "$(1)"

##@ Run
.PHONY: help demo preview preview-build
help: ## list the tasks
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo

demo: ## two private CAs, two HTTPS MCP servers, a ConfigMap, and vmcp in front of them (ARGS=--once stops after the proof)
	cargo run --locked --package vmcp-native --bin vmcp -- demo $(ARGS)

preview: preview-build ## build the ConfigMap previewer and start it (ARGS="-c FILE --port 8080 --no-open")
	$(PREVIEW) cargo run --locked --package vmcp-native --bin vmcp -- preview $(ARGS)

preview-build: $(PACK)/web .setup-www ## build the previewer into target/www; vmcp-preview.html there is all of it in one file
	www/node_modules/.bin/tsc --project www
	node www/build.mjs $(PACK)/web target/www

##@ Check
.PHONY: test lint rust core-alone core-wasm page peers conformance guards
# A whole run builds everything once: what incremental builds keep for the next one would only fill the disk.
test: export CARGO_INCREMENTAL := 0
# The page comes last: it builds the program anew, with itself inside.
test: lint core-alone rust core-wasm peers conformance page ## everything that CI runs, from set-up to end-to-end tests
	$(call STEP,all tests passed)

lint: .setup-rust ## formatting and clippy
	$(call STEP,lint: formatting)
	cargo fmt --all --check
	cargo fmt --check --manifest-path $(RMCP)/Cargo.toml
	$(call STEP,lint: clippy)
	cargo clippy --locked --workspace --all-targets --features vmcp-tests/peers -- $(DENY)

core-alone: .setup-rust ## the core alone, on a target that has no std at all and on WebAssembly
	$(call STEP,core alone: $(BARE) and $(WASM))
	cargo check --locked --package vmcp-core --target $(BARE)
	cargo check --locked --package vmcp-core --target $(WASM)

rust: ## unit, property, case and TLS tests on this machine
	$(call STEP,rust: build)
	cargo build $(NATIVE) --bins
	cargo test $(NATIVE) --tests --no-run
	$(call STEP,rust: run)
	cargo test $(NATIVE) --tests --quiet
	cargo test $(NATIVE) --doc --quiet

core-wasm: .setup-rust .setup-node ## the core's own tests again, inside WebAssembly
	$(call STEP,core inside WebAssembly)
	cargo test --locked --package vmcp-core --lib --target $(WASM)
	natively=$$(cargo test $(NATIVE) --lib --no-run 2>&1 | grep -o 'target/debug/deps/vmcp_core-[0-9a-f]*'); \
	diff <($$natively --list | grep ': test$$' | sort) \
	     <(cargo test --locked --quiet --package vmcp-core --lib --target $(WASM) -- --list | sort) \
	  || { echo 'these core tests run on one side only (is `wasm_bindgen_test as test` imported?)'; exit 1; }

page: $(PACK)/npm preview-build .setup-chromium tests/peers/node_modules/.package-lock.json ## the WebAssembly package under Node, and the page in a real browser
	$(call STEP,WebAssembly package under Node and the page in Chromium)
	$(PREVIEW) cargo build $(NATIVE) --bins
	CHROMIUM="$(CHROMIUM)" node --test --test-reporter=spec --test-concurrency=1 wasm/test/*.test.mjs www/test/*.test.mjs

peers: .setup-peers ## through `vmcp serve`, with servers and clients that this project did not write
	$(call STEP,end to end with independent servers and clients)
	cargo build $(NATIVE) --bins
	cargo test $(NATIVE) --features vmcp-tests/peers --test peers -- --nocapture

# One after the other: the suite measures times.
conformance: .setup-peers ## the official conformance suite through `vmcp serve`, against what it says of official SDKs alone
	$(call STEP,the official conformance suite through the gateway)
	cargo build $(NATIVE) --bins
	cargo test $(NATIVE) --features vmcp-tests/peers --test conformance -- --nocapture --test-threads=1

##@ Measure and search
.PHONY: bench bench-page fuzz compat deny
bench: ## time and memory from text to catalog, pool assembly, calls directly, through nginx and through vmcp (GO=1 adds the Go vMCP)
	$(if $(filter 1,$(GO)),$(MAKE) $(GO_VMCP))
	cargo build --locked --release --package vmcp-native --bin vmcp --package vmcp-tests --bin bench
	$(if $(filter 1,$(GO)),GO_VMCP="$(CURDIR)/$(GO_VMCP)") target/release/bench $(ARGS)
	$(if $(ARGS),,$(MAKE) bench-page)

bench-page: preview-build .setup-chromium ## weight of the previewer, and time from a keystroke to its findings in Chromium
	CHROMIUM="$(CHROMIUM)" node www/bench.mjs

fuzz: ## feed hostile input to the config and PEM readers (FUZZ_SECONDS=60 each; needs a C++ compiler)
	fuzz/run $(FUZZ_SECONDS)

# The Go program that is the oracle: the release nearest to what docs/compatibility.md describes.
GO_VMCP_VERSION := v0.47.0
GO_VMCP := target/tools/go/vmcp

compat: $(GO_VMCP) ## compare verdicts with the Go vMCP over every case and thousands of edits of the good ones (needs Go 1.26)
	$(call STEP,compare with the Go vMCP $(GO_VMCP_VERSION))
	cargo build --locked --package vmcp-tests --bin compat
	target/debug/compat $(GO_VMCP) $(ARGS)

$(GO_VMCP):
	@command -v go >/dev/null || { echo 'Go is missing; only this task needs it'; exit 1; }
	$(call STEP,set-up: the Go vMCP $(GO_VMCP_VERSION) (some minutes once))
	GOBIN="$(CURDIR)/$(@D)" go install github.com/stacklok/toolhive/cmd/vmcp@$(GO_VMCP_VERSION)

deny: ## advisories, licences and sources with cargo-deny (installs it under target/tools: several minutes, once)
	[ -x target/tools/bin/cargo-deny ] || cargo install --quiet --root target/tools --version 0.20.2 cargo-deny
	target/tools/bin/cargo-deny --workspace check $(ARGS)

# Set-up. Nothing is installed outside this directory but rustup's own targets and components.
.PHONY: .setup-rust .setup-node .setup-python .setup-peers .setup-www .setup-chromium
.setup-rust:
	@command -v rustup cargo >/dev/null || { echo 'Rust is missing: see https://rustup.rs'; exit 1; }
	@missing=; have=$$(rustup target list --installed); \
	 for target in $(WASM) $(BARE); do grep -qx $$target <<<"$$have" || missing+=" $$target"; done; \
	 [ -z "$$missing" ] || rustup target add $$missing
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy

.setup-node:
	@node -e 'if (process.versions.node.split(".")[0] < 20) throw process.version' 2>/dev/null || { echo 'Node 20 or later is missing'; exit 1; }

.setup-python:
	@python3 -c 'import sys, venv, ensurepip; assert sys.version_info >= (3, 11)' 2>/dev/null \
	  || { echo 'Python 3.11 or later with venv is missing'; exit 1; }

.setup-peers: .setup-node .setup-python $(PEERS)/mcp1/ready $(PEERS)/mcp2/ready tests/peers/node_modules/.package-lock.json $(PEERS)/rmcp/ready

# A workspace of its own, as the fuzz targets are: what the Rust SDK needs stays out of the product's lock file.
$(PEERS)/rmcp/ready: $(RMCP)/Cargo.toml $(RMCP)/Cargo.lock $(wildcard $(RMCP)/src/*.rs) tests/peers/clients/steps.rs tests/peers/fixtures/given.json
	$(call STEP,set-up: the fixture and the client on the Rust SDK)
	CARGO_TARGET_DIR="$(CURDIR)/$(@D)" cargo build --locked --quiet --manifest-path $(RMCP)/Cargo.toml
	touch $@

$(PEERS)/%/ready: tests/peers/requirements-%.txt
	$(call STEP,set-up: Python packages of $*)
	rm -rf $(@D) && mkdir -p $(PEERS) && python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --requirement $<
	touch $@

.setup-www: .setup-node www/node_modules/.package-lock.json

www/node_modules/.package-lock.json: www/package.json www/package-lock.json
	$(call STEP,set-up: npm packages of the previewer)
	npm ci --prefix www --ignore-scripts --no-progress --loglevel=error --cache "$(CURDIR)/target/npm-cache"
	rm -rf target/npm-cache && touch $@

.setup-chromium:
	@[ -x "$(CHROMIUM)" ] || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq chromium; } \
	  || { echo 'Chromium is missing: install it (Debian: apt-get install chromium), or say CHROMIUM=/path/to/chromium'; exit 1; }

tests/peers/node_modules/.package-lock.json: tests/peers/package.json tests/peers/package-lock.json
	$(call STEP,set-up: npm packages of the peers)
	npm ci --prefix tests/peers --ignore-scripts --no-progress --loglevel=error --cache "$(CURDIR)/target/npm-cache"
	rm -rf target/npm-cache && touch $@

# The WebAssembly module with its JavaScript, for Node and for browsers. All of it together is an npm package.
.PHONY: .module .exchange
MODULE := target/$(WASM)/wasm/vmcp_wasm.wasm
# What the page loads only when it is asked for: the exports that are not needed to judge a configuration at a keystroke.
LATE := validate $(addprefix session_,check compare giveFile giveVariables names settings takeFile)
BINDGEN = cargo run --locked --quiet --package vmcp-bindgen -- pack
# The passes that leave less after brotli. The usual `-Oz` makes a module shorter, but what it makes packs worse.
FEATURES := $(addprefix --enable-,bulk-memory bulk-memory-opt multivalue mutable-globals nontrapping-float-to-int reference-types sign-ext)
OPTIMISE = www/node_modules/.bin/wasm-opt $(FEATURES) --duplicate-function-elimination --dae-optimizing --rse --vacuum --reorder-locals --dealign
.module: .setup-rust .setup-www
	$(call STEP,WebAssembly package: build)
	cargo rustc --locked --package vmcp-wasm --lib --target $(WASM) --profile wasm -- -C link-arg=--emit-relocs
	cargo build --locked --package vmcp-wasm --example beside

$(PACK)/nodejs $(PACK)/web: .module
	rm -rf $@
	$(BINDGEN) $(@F) $(MODULE) $@ $(if $(filter web,$(@F)),$(LATE))
	for module in $@/*.wasm; do $(OPTIMISE) $$module --output $$module; done
	target/debug/examples/beside types >$@/preview.d.ts
	target/debug/examples/beside words >$@/words.txt
	target/debug/examples/beside schema >$@/schema.json

# The exchanges of MCP, for hosts with `fetch`: a module of its own.
$(PACK)/exchange $(PACK)/exchange-web: .exchange
.exchange: .setup-rust .setup-node
	cargo build --locked --package vmcp-wasm --lib --target $(WASM) --profile wasm --no-default-features --features exchange
	rm -rf $(PACK)/exchange $(PACK)/exchange-web
	$(BINDGEN) nodejs $(MODULE) $(PACK)/exchange
	$(BINDGEN) web $(MODULE) $(PACK)/exchange-web

$(PACK)/npm: $(PACK)/web $(PACK)/nodejs $(PACK)/exchange
	rm -rf $@ && mkdir -p $@/exchange
	cp wasm/package.json wasm/README.md LICENSE $(PACK)/web/words.txt $(PACK)/web/schema.json $@/
	cp -r $(PACK)/web $@/web && cp -r $(PACK)/nodejs $@/node
	cp -r $(PACK)/exchange-web $@/exchange/web && cp -r $(PACK)/exchange $@/exchange/node
	rm $@/web/{words.txt,schema.json,first.wasm,rest.wasm} $@/node/{words.txt,schema.json}
	for folder in web exchange/web; do echo '{ "type": "module" }' >$@/$$folder/package.json; done
	for folder in node exchange/node; do echo '{ "type": "commonjs" }' >$@/$$folder/package.json; done
