# make demo   sets up .venv, trains the quickstart on this machine's CPU, evaluates, writes the report
# make test   sets up .venv, runs the ordinary test suite
# make lint   sets up .venv, checks style, types and import rules
# make help   prints these lines
#
# PYTHON=python3.12    the interpreter, 3.11 or newer; default: python3
# MARS2_TORCH=auto     which build of torch. auto: on Linux without an NVIDIA GPU PyTorch's own CPU build, about 200 MB;
#                      elsewhere pip's own. cpu: the CPU build. default: pip's own, on Linux with CUDA, several GB.

PYTHON ?= python3
MARS2_TORCH ?= auto
CPU_INDEX := https://download.pytorch.org/whl/cpu
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt
# All cores compile at once, which takes half of pip's time; packages may hold templates that are not Python.
COMPILE := $(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true

.PHONY: demo test lint help clean

demo: .venv/installed
	$(BIN)/mars2 train quickstart --fresh

test: .venv/installed-test
	$(BIN)/python -m pytest

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mars2 needs Python 3.11 or newer; run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv

# The CPU index holds only what PyTorch builds: torch alone comes from it. It may be out of reach; then pip decides.
.venv/torch: constraints.txt | .venv/bin/python
	@case "$(MARS2_TORCH)" in \
	  auto) { [ "$$(uname -sm)" = "Linux x86_64" ] && [ ! -e /dev/nvidia0 ] && ! command -v nvidia-smi; } >/dev/null ;; \
	  cpu) ;; \
	  default) false ;; \
	  *) echo "MARS2_TORCH must be auto, cpu or default, got '$(MARS2_TORCH)'"; exit 2 ;; \
	esac && cpu=yes || cpu=no; \
	if [ $$cpu = yes ] && \
	  ! $(BIN)/python -c "import urllib.request as u; u.urlopen('$(CPU_INDEX)/torch/', timeout=3)" 2>/dev/null; then \
	  echo "$(CPU_INDEX) does not answer"; cpu=no; \
	fi; \
	if [ $$cpu = yes ]; then \
	  echo "downloading torch for the CPU, about 200 MB (MARS2_TORCH=default: pip's own) …"; \
	  $(PIP) --no-deps --index-url $(CPU_INDEX) torch && exit 0; \
	fi; \
	echo "torch will be pip's own: about 200 MB without CUDA libraries, several GB with them"
	@touch $@

.venv/installed: pyproject.toml constraints.txt .venv/torch
	@echo "installing mars2 into .venv (once) …"
	$(PIP) --editable '.[train]'
	@$(COMPILE)
	@touch $@

.venv/installed-test: .venv/installed
	@echo "installing the test tools into .venv (once) …"
	$(PIP) --editable '.[test]'
	@$(COMPILE)
	@touch $@

clean:
	rm -rf .venv .venv-vllm .pytest_cache .ruff_cache .hypothesis
