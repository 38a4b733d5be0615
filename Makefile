# Needs: make, and Python 3.11 or newer. Everything else is installed into .venv, at the versions in constraints.txt.

.DEFAULT_GOAL := help
.PHONY: help demo test check simulate bench-quality schemas clean

VENV := .venv
BIN := $(VENV)/bin
APPLICATION := $(VENV)/.installed
DEVELOPMENT := $(VENV)/.installed-dev
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# A name on PATH may be a launcher without an interpreter behind it, so each one is asked.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
SEEDS ?= 200
WORKERS ?= auto
# Each of these needs the whole machine, so they come one after the other.
WHOLE_SYSTEMS := tests/integration/services tests/e2e

help: ## these lines
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 20

demo: $(APPLICATION) ## install, then run the whole loop on a stream with real drift
	$(BIN)/driftloop demo

test: $(DEVELOPMENT) ## install, then run every test
	$(BIN)/python -m pytest -n $(WORKERS) $(addprefix --ignore=,$(WHOLE_SYSTEMS))
	$(BIN)/python -m pytest $(WHOLE_SYSTEMS)

check: $(DEVELOPMENT) ## style, types, import contracts, sizes, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m shared.events.schemas --check
	$(BIN)/python -m services.asyncapi --check
	$(BIN)/python -m services.ingestion.door.openapi --check
	$(BIN)/python -m services.prediction.door.openapi --check
	$(BIN)/python -m pytest tests/architecture

simulate: $(DEVELOPMENT) ## crash simulation, SEEDS=200 schedules of it
	$(BIN)/python -m services.embedded.simulation --seeds $(SEEDS)

bench-quality: $(DEVELOPMENT) ## the published protocol, and the false-alarm promise of the drift tests
	$(BIN)/python -m benchmarks.quality
	$(BIN)/python -m benchmarks.quality.promise

schemas: $(DEVELOPMENT) ## write the stored event schemas and the documents made from code anew
	$(BIN)/python -m shared.events.schemas
	$(BIN)/python -m services.asyncapi
	$(BIN)/python -m services.ingestion.door.openapi
	$(BIN)/python -m services.prediction.door.openapi

clean: ## forget the installation and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

$(APPLICATION): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing Driftloop into $(VENV)"
	@$(PIP_INSTALL) -e .
	@touch $@

$(DEVELOPMENT): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing Driftloop and its development tools into $(VENV)"
	@$(PIP_INSTALL) -e '.[dev]'
	@touch $(APPLICATION) $@

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "Driftloop needs Python 3.11 or newer, and none of python3.11, python3.12," \
		"python3.13, python3 on PATH is one. Install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
