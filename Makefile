# Everything a newcomer types. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := $(shell command -v uv 2>/dev/null)
export PYTHONUNBUFFERED := 1
# uv trusts what this machine trusts.
export UV_SYSTEM_CERTS := 1

.PHONY: help venv demo up test endurance bench check format audit pages pictures lock wheel clean

help: ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

venv: $(READY) ## make the virtual environment from the hash-locked requirements

$(READY): requirements-dev.txt pyproject.toml
ifdef UV
	test -x $(BIN)/python || uv venv --quiet --seed --python $(PYTHON) $(VENV)
	uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt
	uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
endif
	touch $@

demo: $(READY) ## one batch from message to stored results on a local AWS; MEDIA=folder takes your own files, BAD_DAY=1 all faults
	$(BIN)/python -m deploy.local demo $(if $(MEDIA),"$(MEDIA)") $(if $(BAD_DAY),--bad-day)

up: $(READY) ## the local AWS and the three consumers, until Ctrl-C; MONITORING=1 adds Prometheus and the dashboards
	$(BIN)/python -m deploy.local up $(if $(MONITORING),--monitoring)

test: $(READY) ## all tests, against real parts
	$(BIN)/python -m pytest

bench: $(READY) ## figures beside a naive way and the limit; NAME=copy for one, FULL=1 for full sizes
	$(BIN)/python -m tests.bench $(if $(FULL),--full) $(NAME)

endurance: $(READY) ## the tests that take minutes: five days of an archive, a kill at every call, a crash behind every write
	$(BIN)/python -m pytest -m endurance -n 0 -s
	NOVABATCH_TEST_SWEEPS=all $(BIN)/python -m pytest tests/stages tests/daemon/test_l*_machine.py --timeout 3600

check: $(READY) ## style, types, and locks in step with pyproject.toml
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/locks.py --check

format: $(READY) ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pages: $(READY) ## write the pages of docs, the contract and the dashboards, which are made from code
	$(BIN)/python -m daemon.metric_list > docs/metrics.md
	$(BIN)/python -m daemon.event_list > docs/events.md
	$(BIN)/python -m daemon.contract
	$(BIN)/python -m deploy.grafana
	$(BIN)/python .ci/bom.py

audit: $(READY) ## ask the advisory database about every locked package; no answer is a failure
	$(BIN)/python .ci/audit.py $(if $(OSV),--osv-url "$(OSV)")

pictures: $(READY) ## draw the dashboards of five failures into FOLDER, each under a name that tells nothing
	$(BIN)/python -m tests.dashboards "$(or $(FOLDER),.local/pictures)"

lock: $(READY) ## renew both lock files from pyproject.toml
	$(BIN)/python .ci/locks.py

wheel: ## dist/novabatch-….whl for a machine of its own; what builds it is hash-locked and fetched for that alone
	rm -rf build dist
	$(PYTHON) -m venv build/tools
	sed -n '/^setuptools==/,/[^\\]$$/p' requirements-dev.txt > build/tools/lock.txt
	build/tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r build/tools/lock.txt
	build/tools/bin/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	rm -rf build

clean: ## remove the virtual environment, the local state and what was built
	rm -rf $(VENV) .local build dist
