# Everything a person does here. `make` alone prints this list.
#
# Needs Python 3.11 or newer with its venv module; everything else is fetched once, from the
# lock files in requirements/, into .venv. What is installed is remembered by a stamp that
# names the lock's checksum, so a repeated call starts at once and a changed lock installs.

PYTHON ?= python3
ROUNDS ?= 200
SEEDS ?= 1000
SEED ?= 1

BIN := .venv/bin
sum = $(shell cat $(1) pyproject.toml | cksum | cut -d ' ' -f 1)
RUN := .venv/.run-$(call sum,requirements/run.txt)
DEV := .venv/.dev-$(call sum,requirements/run.txt requirements/dev.txt)

# Many tests wait for processes of their own, so there is one runner more than there are cores.
SIDE_BY_SIDE = -n $$(( $$(nproc 2>/dev/null || echo 2) + 1 )) --dist loadfile --no-loadscope-reorder

.NOTPARALLEL:
.PHONY: help demo serve test check fuzz matcher contracts storms anvil mutants proofs crash sim overshoot bench views lock clean

help: ## print this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | awk -F '\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

demo: $(RUN) ## walk one AI token through its whole life, with a real model
	@$(BIN)/allmende demo

serve: $(RUN) ## run a market and say how to connect
	@$(BIN)/allmende serve

test: $(DEV) ## install what the tests need and run them
	@$(BIN)/pytest $(SIDE_BY_SIDE)

check: $(DEV) ## ruff, mypy strict, import rules and the tests
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest $(SIDE_BY_SIDE)

fuzz: $(DEV) ## the property tests with a hundred times the examples
	@HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest

matcher: $(DEV) ## the matcher against a slow and obvious one, 100,000 sequences, SEED=1
	@echo "seed $(SEED)"
	@HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest --hypothesis-seed=$(SEED) tests/test_exchange_matcher.py

contracts: $(DEV) ## the contracts' random runs, a million calls and more, SEED=1
	@echo "seed $(SEED)"
	@HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest -n auto --hypothesis-seed=$(SEED) \
	  -o faulthandler_timeout=0 --durations=0 tests/contracts/test_ledgers.py tests/contracts/test_vault_machine.py \
	  tests/contracts/test_sale_machine.py tests/contracts/test_airdrop_machine.py \
	  tests/contracts/test_emission_machine.py tests/contracts/test_titles_machine.py \
	  tests/contracts/test_bridge_machine.py tests/contracts/test_assembly_machine.py

storms: $(DEV) ## a million calls of stake, votes, emission and bridge in any order, SEED=1
	@echo "seed $(SEED)"
	@HYPOTHESIS_PROFILE=fuzz SEED=$(SEED) $(BIN)/pytest -n auto -o faulthandler_timeout=0 \
	  --durations=0 tests/contracts/test_storms.py

anvil: $(DEV) ## the contracts' tests on anvil (npm install @foundry-rs/anvil, and its bin on the PATH)
	@$(BIN)/pytest -rs tests/contracts tests/demo_on_anvil.py --node anvil

mutants: $(DEV) ## break the contracts on purpose, one defect at a time: which test sees it?
	@$(BIN)/python tests/contracts/mutants.py

proofs: $(DEV) ## what halmos proves of the contracts, where it is on the PATH
	@$(BIN)/python tests/contracts/prove.py

crash: $(RUN) ## kill -9 under load, ROUNDS=200 times, and audit each restart
	@$(BIN)/allmende crash --rounds $(ROUNDS)

sim: $(RUN) ## whole markets under a virtual clock with faults, SEEDS=1000
	@$(BIN)/allmende sim --seeds $(SEEDS)

overshoot: $(RUN) ## 1,000 concurrent requests against a budget that affords 137
	@$(BIN)/allmende overshoot

bench: $(DEV) ## rerun the benchmark table, others beside us
	@$(BIN)/python -m bench

views: $(RUN) ## fold the read models again from the journal
	@$(BIN)/allmende views rebuild

lock: ## resolve pyproject.toml afresh and rewrite requirements/
	@$(PYTHON) requirements/lock.py

clean: ## remove .venv and every cache; markets and journals stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up -------------------------------------------------------------------------------

# The lock is complete, so pip resolves nothing (--no-deps). Of its output only the
# downloads are shown; on failure pip's own last lines are, and no stamp is written.
define install
	@echo "Installing $(1) into .venv (once; $(2)):"
	@{ $(BIN)/python -m pip install --no-deps --progress-bar off --disable-pip-version-check \
	    --no-compile -r $(1) 2>.venv/error || echo failed; } \
	  | awk '/^ *(Downloading|Using cached)/ { print "  " $$2, $$3, $$4; fflush() } /^failed/ { exit 1 }' \
	  || { cat .venv/error; echo "The same command goes on from here once that is mended."; exit 1; } >&2
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --disable-pip-version-check -e .
	@rm -f .venv/error $(3)
	@touch $@
endef

$(RUN): | .venv/bin/pip
	$(call install,requirements/run.txt,about 275 MB to fetch,.venv/.run-*)

$(DEV): | .venv/bin/pip
	$(call install,requirements/dev.txt,about 370 MB to fetch,.venv/.dev-*)

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Allmende needs Python 3.11 or newer, and '$(PYTHON)' is not."; \
	  echo "Where another one is installed: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; } >&2
	@$(PYTHON) -m venv .venv >/dev/null || { rm -rf .venv; \
	  echo "'$(PYTHON)' cannot make a virtual environment. On Debian and Ubuntu:"; \
	  echo "  sudo apt install python3-venv"; exit 1; } >&2
