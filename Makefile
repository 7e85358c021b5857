# make demo   sets up .venv, trains the quickstart on this machine's CPU, evaluates, writes the report
# make test   sets up .venv, runs the ordinary test suite
# Needs Python >= 3.11 with venv and pip; choose another interpreter with `make demo PYTHON=python3.12`.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt
# All cores compile at once, which takes half of pip's time; packages may hold templates that are not Python.
COMPILE := $(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true

.PHONY: demo test lint clean

demo: .venv/installed
	$(BIN)/mars2 train quickstart --fresh

test: .venv/installed-test
	$(BIN)/python -m pytest

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mars2 needs Python 3.11 or newer; run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing mars2 into .venv (once) …"
	$(PIP) --editable .
	@$(COMPILE)
	@touch $@

.venv/installed-test: .venv/installed
	@echo "installing the test tools into .venv (once) …"
	$(PIP) --editable '.[test]'
	@$(COMPILE)
	@touch $@

clean:
	rm -rf .venv .venv-vllm .pytest_cache .ruff_cache .hypothesis
