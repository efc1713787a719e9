# `make repro` regenerates every result, `make verify` compares it with the committed checksums,
# `make test` runs every check; all set up .venv first.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup repro verify test docs bench gpu torture exporters lint audit clean

setup: .venv/.ready

# Builds of torch from another index, such as those for CPUs alone. It is remembered until another is
# given, and an environment for another one starts anew; `TORCH_INDEX=` takes the lock's again.
CHOSEN := $(shell cat .venv/torch-index 2> /dev/null)
ifeq ($(origin TORCH_INDEX),undefined)
TORCH_INDEX := $(CHOSEN)
endif
ifneq ($(TORCH_INDEX),$(CHOSEN))
.PHONY: .venv/.ready
ANEW := --clear
endif

.venv/.ready: requirements.lock pyproject.toml
	test -z '$(ANEW)' -a -x $(BIN)/python || $(PYTHON) -m venv $(ANEW) .venv
	echo '$(TORCH_INDEX)' > .venv/torch-index
ifeq ($(TORCH_INDEX),)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
else
	$(BIN)/python split_lock.py .venv
	$(BIN)/python -m pip install --quiet --no-deps --index-url '$(TORCH_INDEX)' --requirement .venv/torch.txt
	$(BIN)/python -m pip install --quiet --require-hashes --requirement .venv/rest.txt
endif
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The lock's versions without its hashes: what the extras add beside them has none.
.venv/constraints.txt: requirements.lock .venv/.ready
	sed -e '/--hash=/d' -e 's/ *\\$$//' $< > $@

repro: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro
	@echo "open report/index.html"

# Holds the run that is here against results/shapes/checksums.txt.
verify: setup
	$(BIN)/python -m stages.verify

# In two processes of one thread each: threads that wait for a core that the other has slow both down.
test: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

docs: .venv/constraints.txt
	$(BIN)/python -m pip install --quiet --constraint $< --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html"

bench: .venv/constraints.txt
	$(BIN)/python -m pip install --quiet --constraint $< --editable ".[bench]"
	$(BIN)/python -m pip install --quiet --editable ".[peers]" || echo "no compiler: without pydensecrf2"
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m benchmarks

# With whatever torch is there: no network is asked, and DVC is not needed (docs/scaling.md).
gpu:
	$(PYTHON) -m benchmarks.gpu

torture: .venv/constraints.txt
	$(BIN)/python -m pip install --quiet --constraint $< --editable ".[torture]"
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m tests.torture

# Runs annotation tools, each in an environment of its own, and reads what they write.
EXPORTERS := $(patsubst tests/exporters/%.txt,.venv/exporters/%/.ready,$(wildcard tests/exporters/*.txt))

exporters: setup $(EXPORTERS)
	$(BIN)/python -m pytest tests/exporters

.venv/exporters/%/.ready: tests/exporters/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --requirement $<
	touch $@

lint: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

# Known vulnerabilities of the locked versions, by a tool in an environment of its own. It fails, too,
# where it cannot look a package up.
audit:
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet pip-audit
	.venv/audit/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock

clean:
	rm -rf data report check gpu live/* site dvc_plots
