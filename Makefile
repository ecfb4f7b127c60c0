# The commands of a developer, and of continuous integration: demo, test, test-fast, check, docs, bench.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-fast check bench clean

demo: .venv/demo.stamp  ## the main job on a real network: trains, records, fits, forecasts, prunes, reports
	$(BIN)/actilaw demo --output actilaw-demo.html

test: .venv/dev.stamp  ## the whole test suite
	$(BIN)/python -m pytest

test-fast: .venv/dev.stamp  ## the tests that take less than a second each
	$(BIN)/python -m pytest -m "not slow"

check: .venv/dev.stamp  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: .venv/bench.stamp  ## every benchmark, each beside its peers in one run
	for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:
	rm -rf .venv actilaw-demo.html

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/%.stamp: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[$*]'
	touch $@
