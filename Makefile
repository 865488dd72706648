# Everything is set up on first use: `make test`, `make lab`. Needs python3 (3.11 or later), pip, make.
#
#   make lab    JupyterLab at notebooks/       LAB_ARGS="--no-browser --port 8890"
#   make test   lint, types, tests             PYTEST_ARGS="-k scheduler"
#   make nightly  property tests on many new examples   SCALE=20
#   make bench  speed on this machine          BENCH_ARGS="--json"
#   make docs   schema and rendered notebooks
#   make lint   ruff and mypy alone
#   make lock   new requirements.lock          LOCK_ARGS=--upgrade
#   make clean  everything that make made

PYTHON ?= python3
BIN := .venv/bin

# The stamp's name tells which Python and which place .venv was made for, since neither can be
# changed afterwards; its age tells whether the lock has moved on.
KEY := $(shell $(PYTHON) -c 'import os, sys, zlib; \
	print("%d.%d.%d-%08x" % (*sys.version_info[:3], zlib.crc32((sys.base_prefix + os.getcwd()).encode())))')
READY := .venv/.ready-$(KEY)

# Where to find Chromium for browser tests and for pictures in decks; empty where there is none.
BROWSER = BROWSER_PATH="$$(scripts/find_chromium.sh)"; export BROWSER_PATH

.PHONY: setup lab test nightly bench docs lint lock clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" scripts/setup_venv.sh $@

# Kernels are compiled before the page opens, so that the first move of a slider is quick.
lab: setup
	@if [ -f capsim/warm.py ]; then $(BIN)/python -m capsim.warm; fi
	@$(BROWSER); exec $(BIN)/jupyter-lab notebooks $(if $(filter 0,$(shell id -u)),--allow-root) \
		--LabApp.app_settings_dir="$(CURDIR)/scripts/jupyterlab" \
		$(LAB_ARGS)

# Notebooks and browser tests start processes of their own, so they run one after the other.
# pytest's exit code 5 says that no test was chosen, as with PYTEST_ARGS="-k ...".
# The kernels are compiled once, while ruff and mypy look, instead of by every test process.
test: setup
	@$(BIN)/python -m capsim.warm & compiling=$$!; $(MAKE) --no-print-directory lint && wait $$compiling
	@$(BROWSER); $(BIN)/python -m pytest -n logical --maxprocesses 8 \
		-m "not notebook and not browser" $(PYTEST_ARGS) || [ $$? -eq 5 ]
	@$(BROWSER); $(BIN)/python -m pytest -m "notebook or browser" $(PYTEST_ARGS) || [ $$? -eq 5 ]

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

nightly: setup
	@CAPSIM_TEST_SCALE=$(or $(SCALE),20) $(BIN)/python -m pytest -n logical --maxprocesses 8 \
		-m "not notebook and not browser" $(PYTEST_ARGS)

bench: setup
	@$(BIN)/capsim bench $(BENCH_ARGS)

docs: setup
	@$(BROWSER); scripts/build_docs.sh

lock:
	@PYTHON="$(PYTHON)" scripts/lock.sh $(LOCK_ARGS)

clean:
	rm -rf .venv build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -prune -exec rm -rf {} +
