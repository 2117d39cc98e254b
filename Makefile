# `make demo` and `make test` do all set-up by themselves. Needs Python 3.11+ and a C compiler; Node.js is optional.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BROWNIE := .venv-brownie
PEERS := .venv-peers
SLITHER := .venv-slither
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

# brownie pins its own versions, so it lives apart; its compiled wheels crash, so it is built from source, uncompiled.
$(BROWNIE)/brownie-installed: pyproject.toml constraints-brownie.txt tools/brownie_env.py contracts/node_modules/.installed
	test -x $(BROWNIE)/bin/python || $(PYTHON) -m venv $(BROWNIE)
	BROWNIE_NOCOMPILE=1 $(BROWNIE)/bin/python -m pip install --quiet --constraint constraints-brownie.txt \
		--no-binary eth-brownie --editable ".[brownie]"
	$(BIN)/python tools/brownie_env.py $(BROWNIE)
	mkdir -p $(BROWNIE)/home
	touch $@

# What bench-secagg is measured against. fedml pins numpy below 2, which flwr and tenseal do not want: it comes without
# its dependencies, for one module that imports numpy and torch.
$(PEERS)/peers-installed: constraints-peers.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --constraint constraints-peers.txt flwr tenseal torch
	$(PEERS)/bin/python -m pip install --quiet --constraint constraints-peers.txt --no-deps fedml
	touch $@

.PHONY: setup setup-dev demo test lint contracts brownie bench-blocks bench-gas bench-secagg invariants slither clean

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

# Whose tests start processes, listen and keep time: one after another. All others share the cores.
SERIAL := tests/browser tests/network tests/node tests/packaging

test: setup-dev lint
	$(BIN)/python -m foedus.contracts.compile --check
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile tests $(SERIAL:%=--ignore %)
	$(BIN)/python -m pytest $(SERIAL)

brownie: $(BROWNIE)/brownie-installed
	. $(BROWNIE)/bin/activate && export HOME="$(CURDIR)/$(BROWNIE)/home" && brownie compile && \
		brownie test tests/contracts && brownie run deploy --network development

bench-blocks: setup
	$(BIN)/python benchmarks/bench_blocks.py

bench-gas: setup-dev
	$(BIN)/python -m benchmarks.bench_gas

bench-secagg: setup $(PEERS)/peers-installed
	$(BIN)/python -m benchmarks.bench_secagg --peers $(PEERS)/bin/python

# slither pins its own versions, so it lives apart.
$(SLITHER)/slither-installed: constraints-slither.txt
	test -x $(SLITHER)/bin/python || $(PYTHON) -m venv $(SLITHER)
	$(SLITHER)/bin/python -m pip install --quiet --constraint constraints-slither.txt slither-analyzer
	touch $@

slither: setup-dev $(SLITHER)/slither-installed
	$(BIN)/python tools/slither_check.py $(SLITHER)/bin/slither

# A million calls of the invariants in forge: hours.
invariants: setup-dev
	$(BIN)/python tools/forge_test.py --long

clean:
	rm -rf $(VENV) $(BROWNIE) $(PEERS) $(SLITHER) .brownie contracts/node_modules dist runs
