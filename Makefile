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

%/node_modules/.installed: %/package.json %/package-lock.json $(BIN)/foedus-installed
	$(BIN)/python tools/npm_install.py $*
	touch $@

# brownie pins its own versions, so it lives apart; its compiled wheels crash, so it is built from source, uncompiled.
$(BROWNIE)/brownie-installed: pyproject.toml constraints-brownie.txt tools/brownie_env.py contracts/node_modules/.installed
	test -x $(BROWNIE)/bin/python || $(PYTHON) -m venv $(BROWNIE)
	BROWNIE_NOCOMPILE=1 $(BROWNIE)/bin/python -m pip install --quiet --constraint constraints-brownie.txt \
		--no-binary eth-brownie --editable ".[brownie]"
	$(BIN)/python tools/brownie_env.py $(BROWNIE)
	mkdir -p $(BROWNIE)/home
	touch $@

# What bench-secagg and bench-network are measured against. fedml pins numpy below 2, which flwr and tenseal do not want: it comes without
# its dependencies, for one module that imports numpy and torch.
$(PEERS)/peers-installed: constraints-peers.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --constraint constraints-peers.txt flwr tenseal torch
	$(PEERS)/bin/python -m pip install --quiet --constraint constraints-peers.txt --no-deps fedml
	touch $@

.PHONY: setup setup-dev demo test test-long lint contracts brownie bench-gas bench-network bench-secagg chaos invariants peers slither clean

setup: $(BIN)/foedus-installed

setup-dev: setup contracts/node_modules/.installed tests/peers/node_modules/.installed

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

# Daemons as processes keep time, so their tests run one after another; all others share the cores.
test: setup-dev lint
	$(BIN)/python -m foedus.contracts.compile --check
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile -m "not processes and not long" tests
	$(BIN)/python -m pytest -m "processes and not long" tests

# Longer stories of daemons: those that cheat, lie and withhold, budgets, offers, lost holders.
test-long: setup-dev
	$(BIN)/python -m pytest -m long tests

brownie: $(BROWNIE)/brownie-installed
	. $(BROWNIE)/bin/activate && export HOME="$(CURDIR)/$(BROWNIE)/home" && brownie compile && \
		brownie test tests/contracts && brownie run deploy --network development

bench-network: setup $(PEERS)/peers-installed
	$(BIN)/python -m benchmarks.bench_network --peers $(PEERS)/bin/python

bench-gas: setup-dev
	$(BIN)/python -m benchmarks.bench_gas

bench-secagg: setup $(PEERS)/peers-installed
	$(BIN)/python -m benchmarks.bench_secagg --peers $(PEERS)/bin/python

# An hour and a half. For another size or one seed: python -m tests.chaos.run --help
chaos: setup-dev
	mkdir -p runs
	$(BIN)/python -m tests.chaos.run --nodes 8 --rounds 5 --faults 12 --runs 50 --aborts --json runs/chaos.json

# A js-ipfs daemon for tests/peers: 308 MB and minutes, so `make test` does without unless it is there.
peers: setup-dev tests/peers/ipfs/node_modules/.installed
	$(BIN)/python -m pytest tests/peers

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
	rm -rf $(VENV) $(BROWNIE) $(PEERS) $(SLITHER) .brownie dist runs \
		contracts/node_modules tests/peers/node_modules tests/peers/ipfs/node_modules
