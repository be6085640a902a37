# Every target sets itself up; a second run finds everything in place.

# macOS brings GNU make 3.81, which knows no .SHELLFLAGS: recipes check what can fail, too.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Where a machine forbids Python to keep what it compiles, each of the hundreds of processes that the
# tests start would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON := .venv/bin/python
RUFF := .venv/bin/ruff
UV := .venv/bin/uv --no-config
FAMILIES := scan history build deploy dev uv
MODULES := tests/node/node_modules/.package-lock.json

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: environment tools $(MODULES) ## Make .venv and what the tests need of Node

# The bootstrap knows by hash whether .venv is still right, and wipes it, stamp and all, if not.
.PHONY: environment
environment:
	@scripts/bootstrap.sh --into .venv dev
	@[[ .venv/.airlock-editable -nt pyproject.toml ]] || { \
	  $(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation --editable . && \
	  touch .venv/.airlock-editable; }

$(MODULES): tests/node/package.json tests/node/package-lock.json
	npm ci --prefix tests/node --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

# Where root may install Debian's packages; elsewhere the demo says what is missing, and does without.
.PHONY: tools
tools:
	@missing=(); for tool in buildah skopeo docker-registry; do \
	  command -v "$$tool" >/dev/null || missing+=("$$tool"); done; \
	if ((EUID == 0 && $${#missing[@]})) && command -v apt-get >/dev/null; then \
	  export DEBIAN_FRONTEND=noninteractive; \
	  { apt-get update -qq && apt-get install -qq --yes --no-install-recommends "$${missing[@]}"; } >/dev/null || \
	    echo "Not installed: $${missing[*]}"; fi

.PHONY: demo
demo: environment tools ## Watch gate and release work, end to end, and get the report
	@.venv/bin/airlock demo

.PHONY: test
test: setup lint ## Run every check and every test
	$(PYTHON) -m pytest -n auto --dist worksteal

.PHONY: lint
lint: environment ## Check style and types
	$(RUFF) check
	$(RUFF) format --check
	.venv/bin/mypy

.PHONY: format
format: environment ## Put the source into its style
	$(RUFF) check --fix
	$(RUFF) format

.PHONY: lock
lock: environment ## Renew requirements/*.txt from *.in; UPGRADE=1 takes the newest
	for family in $(FAMILIES); do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    $(if $(UPGRADE),--upgrade) requirements/$$family.in --output-file requirements/$$family.txt || exit; \
	done

.PHONY: docs
docs: environment ## Write the generated parts of README.md, docs/ and schema/
	$(PYTHON) scripts/docs.py

.PHONY: bench
bench: environment ## Measure, one table each
	for benchmark in benchmarks/*.py; do $(PYTHON) "$$benchmark" || exit; done
