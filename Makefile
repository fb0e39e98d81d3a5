# make demo   the whole story on this machine, without an account
# make test   every check there is
PYTHON ?= python3
PYTEST ?= -n auto
BIN := .venv/bin
# Python compiles a module when it is first imported: of what is installed, few are.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable
# Without a cache each of the many processes would compile the program.
unexport PYTHONDONTWRITEBYTECODE
NODE := tests/sandbox/node
PEERS := tests/bench/peers

.PHONY: demo test bench bench-peers audit torture citus-check completions reference pictures catalogue format wheel
.DELETE_ON_ERROR:

demo: .venv/installed
	$(BIN)/smsreceipt demo

test: .venv/installed-test node-clients
	$(BIN)/python -m pytest $(PYTEST)

bench: .venv/installed-test node-clients bench-peers
	$(BIN)/python -m tests.bench.decode
	$(BIN)/python -m tests.bench.startup
	$(BIN)/python -m tests.bench.ingest
	$(BIN)/python -m tests.bench.pull
	$(BIN)/python -m tests.bench.listen
	$(BIN)/python -m tests.bench.replay
	$(BIN)/python -m tests.bench.reconcile
	$(BIN)/python -m tests.bench.ask
	$(BIN)/python -m tests.bench.ledger
	$(BIN)/python -m tests.bench.look
	$(BIN)/python -m tests.bench.insight
	$(BIN)/python -m tests.bench.engines
	$(BIN)/python -m tests.bench.export

# What the benchmarks compare us with in Go, Node and Bun. Without its tools, a benchmark says what it does not measure.
bench-peers:
	@if command -v npm >/dev/null; then \
	  [ $(PEERS)/node/node_modules/.package-lock.json -nt $(PEERS)/node/package-lock.json ] \
	    || npm ci --prefix $(PEERS)/node --no-audit --no-fund --silent || echo "npm ci failed" >&2; \
	else echo "no npm: no Node and Bun peers" >&2; fi
	@if command -v go >/dev/null; then \
	  cd $(PEERS)/go && GO111MODULE=off GOPATH=/usr/share/gocode go build -o ../build/peers . || echo "go build failed" >&2; \
	else echo "no go: no Go peers" >&2; fi

# Known holes in what we depend on; asks the network, so it is no part of `make test`.
audit: .venv/installed-audit
	$(BIN)/python -m tests.security.audit

# The full figures of docs/en/reliability.md; a smaller sample runs with `make test`.
torture: .venv/installed-test
	$(BIN)/python -m tests.torture --full

# The suites of the store on a Citus cluster: make citus-check URL=postgresql://USER@COORDINATOR/EMPTY_DATABASE
citus-check: .venv/installed-test
	$(BIN)/python -m tests.citus "$(URL)"

completions: .venv/installed
	$(BIN)/smsreceipt completion bash > completions/smsreceipt.bash
	$(BIN)/smsreceipt completion zsh > completions/_smsreceipt
	$(BIN)/smsreceipt completion fish > completions/smsreceipt.fish

reference: .venv/installed-test
	$(BIN)/python -m tests.docs.reference
	$(BIN)/python -m tests.docs.errors

# Needs Chromium.
pictures: .venv/installed-test
	$(BIN)/python -m tests.docs.pictures

# The translations: new messages come in, old ones go, what lacks its Chinese is printed.
catalogue: .venv/installed-test
	$(BIN)/python -m tests.language.update

format: .venv/installed-test
	$(BIN)/ruff check --fix smsreceipt tests
	$(BIN)/ruff format smsreceipt tests

wheel: .venv/installed-test
	$(BIN)/python -m build --wheel --no-isolation

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(INSTALL) .
	touch $@

.venv/installed-test: pyproject.toml | .venv/bin/python
	$(INSTALL) '.[test]'
	touch $@ .venv/installed

.venv/installed-audit: pyproject.toml | .venv/bin/python
	$(INSTALL) '.[audit]'
	touch $@ .venv/installed

# The official Node clients talk to the sandbox in the tests. Without npm, or offline, `make test` says so at its end.
.PHONY: node-clients
node-clients:
	@if [ -f $(NODE)/package.json ] && command -v npm >/dev/null \
	  && ! [ $(NODE)/node_modules/.package-lock.json -nt $(NODE)/package.json ]; then \
	  npm install --prefix $(NODE) --package-lock=false --no-audit --no-fund --silent || echo "npm install failed" >&2; \
	fi
