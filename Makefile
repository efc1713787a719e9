# `make repro` regenerates every result, `make test` runs every check; both set up .venv first.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup repro test bench lint clean

setup: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	touch $@

repro: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro
	@PATH="$(CURDIR)/$(BIN):$$PATH" dvc metrics show
	@echo "open report/index.html"

test: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest

bench: setup
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable ".[bench]"
	$(BIN)/python -m pip install --quiet --editable ".[peers]" || echo "no compiler: without pydensecrf2"
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m benchmarks

lint: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

clean:
	rm -rf data report
