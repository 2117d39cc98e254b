# `make demo` and `make test` do all set-up by themselves. Needs Python 3.11+ and a C compiler; Node.js is optional.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# torch has CPU wheels under the plain version in some indexes; the pin in constraints.txt names the version tested.
$(BIN)/foedus-installed: pyproject.toml constraints.txt
	$(PYTHON) tools/check_python.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[all,dev]"
	touch $@

contracts/node_modules/.installed: contracts/package.json contracts/package-lock.json $(BIN)/foedus-installed
	$(BIN)/python tools/npm_install.py contracts
	touch $@

.PHONY: setup setup-dev demo test lint contracts bench-blocks clean

setup: $(BIN)/foedus-installed

setup-dev: setup contracts/node_modules/.installed

demo: setup
	$(BIN)/foedus devnet demo examples/digits/task.toml

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/diagram.py --check

contracts: setup-dev
	$(BIN)/python -m foedus.contracts.compile

test: setup-dev lint
	$(BIN)/python -m foedus.contracts.compile --check
	$(BIN)/python -m pytest

bench-blocks: setup
	$(BIN)/python benchmarks/bench_blocks.py

clean:
	rm -rf $(VENV) contracts/node_modules dist runs
