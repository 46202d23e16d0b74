# One command each. Everything is installed into .venv from hashed lock files;
# a bare python3 (3.11 or newer) and make are all that has to be there.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
CLUSTER ?= local
# Not from the environment, where others use such names.
API     := V1
PROFILE := classic
PARTS  := cluster machine second crashes chaos company
PYTEST  = PYTHONUNBUFFERED=1 $(BIN)/python -m pytest --cluster $(CLUSTER)
LOCK   := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --custom-compile-command "make lock"

SHELL := bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test $(PARTS:%=test-%) test-argocd check model bench chaos chaos-crashes chaos-boundaries chaos-mutations crd docs chart lock clean

help:  ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP): operator/locks/dev.txt pyproject.toml
	@echo "==> Setting up $(VENV) from operator/locks/dev.txt (about a minute, once)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; this is %s. Set PYTHON=…" % sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r operator/locks/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP)  ## Create .venv with everything locked

demo: $(STAMP)  ## The whole life of an endpoint, live, on this machine; API=v2, PROFILE=retired
	@$(BIN)/together-operator demo --api $(API) --profile $(PROFILE)

# Most tests wait for something most of the time, so five groups run side by side, and the sixth
# when the first of them has ended.
test: $(STAMP)  ## Every test (CLUSTER=kind runs the cluster tests on kind)
	@$(MAKE) --no-print-directory --jobs=5 $(PARTS:%=test-%)

CRASHES := $(wildcard $(patsubst %,tests/cluster/test_%.py,ambiguous changes connection copies \
	crash drift idle_cost key_copies keys metrics namespaces requests rival shutdown unresolved_deletion))

COMPANY := $(wildcard $(patsubst %,tests/cluster/test_%.py,backup fuzz isolation orphans release \
	replicas rights two_clusters uprooted))

SECOND := tests/cluster/v2

test-cluster: $(STAMP)  ## Of these: the operator in a cluster, and the chart
	@$(PYTEST) tests/cluster tests/chart $(patsubst %,--ignore=%,$(CRASHES) $(COMPANY) $(SECOND)) 2>&1 \
	  | sed -u 's/^/[cluster] /'

test-second: $(STAMP)  ## Of these: the operator in a cluster, with API v2
	@$(PYTEST) $(SECOND) 2>&1 | sed -u 's/^/[second] /'

test-crashes: $(STAMP)  ## Of these: the operator under crashes, lost answers and changed keys
	@$(PYTEST) $(CRASHES) 2>&1 | sed -u 's/^/[crashes] /'

test-company: $(STAMP)  ## Of these: several operators, clusters and people, and what outlives what
	@$(PYTEST) $(COMPANY) 2>&1 | sed -u 's/^/[company] /'

test-chaos: $(STAMP)  ## Of these: forty runs of the campaign, the same each time
	@$(PYTEST) tests/chaos 2>&1 | sed -u 's/^/[chaos] /'

test-machine: $(STAMP)  ## Of these: everything else
	@$(PYTEST) tests $(patsubst %,--ignore=tests/%,cluster chart chaos) 2>&1 | sed -u 's/^/[machine] /'

test-argocd: $(STAMP)  ## A real Argo CD syncs the quickstart
	@$(BIN)/python -m pytest tests/argocd --argocd

check: $(STAMP)  ## Lint, types, architecture, generated files, known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/together-operator crd --check crds
	$(BIN)/python deploy/helm/document.py --check
	@$(BIN)/python -m tests.audit

model: $(STAMP)  ## Explore the decision; STATES=n JOBS=n MIX=name, or MUTATIONS=1
	@$(BIN)/python -m tests.model $(if $(STATES),--states $(STATES)) $(if $(JOBS),--jobs $(JOBS)) \
	  $(if $(MIX),--mix '$(MIX)') $(if $(MUTATIONS),--mutations)

bench: $(STAMP)  ## Measure; prints a table and JSON
	@$(BIN)/python -m tests.bench

RUNS ?= 200
SEED ?= 1
JOBS ?= 0
ONE  ?=

chaos: $(STAMP)  ## RUNS=200 crashes and faults, drawn from SEED=1, JOBS at a time; ONE=1:23 again
	@$(BIN)/python -m tests.chaos $(if $(ONE),--one $(ONE),--runs $(RUNS) --seed $(SEED)) \
		--jobs $(JOBS) --json chaos.json

chaos-crashes: $(STAMP)  ## Kill at every request there is, at each point; SINCE=n UNTIL=n a part of them
	@$(BIN)/python -m tests.chaos --every-crash $(if $(SINCE),--since $(SINCE)) \
	  $(if $(UNTIL),--until $(UNTIL)) --seed $(SEED) --jobs $(JOBS) --json chaos-crashes.json

chaos-mutations: $(STAMP)  ## Take rules out of copies of the operator: the campaign has to notice
	@$(BIN)/python -m tests.chaos --mutation all

chaos-boundaries: $(STAMP)  ## Renew the list of the requests at which it kills
	@$(BIN)/python -m tests.chaos --boundaries --jobs $(JOBS)

crd: $(STAMP)  ## Generate crds/ and the chart's copy from the models
	$(BIN)/together-operator crd --output crds
	cp crds/together-operator.io_togetherendpoints.yaml deploy/helm/together-operator/files/crd.yaml

docs: $(STAMP)  ## Renew the parts of README.md that are made from the code
	$(BIN)/python -m tests.docs.reference

chart: $(STAMP)  ## Renew the table of values in the chart's README
	$(BIN)/python deploy/helm/document.py

lock: $(STAMP)  ## Renew the lock files
	$(BIN)/$(LOCK) operator/locks/build.in -o operator/locks/build.txt
	$(BIN)/$(LOCK) pyproject.toml -o operator/locks/run.txt
	$(BIN)/$(LOCK) --extra local --group dev pyproject.toml -o operator/locks/dev.txt
	$(BIN)/$(LOCK) tests/locks/together-v1.in -o tests/locks/together-v1.txt
	$(BIN)/$(LOCK) tests/locks/together-v2.in -o tests/locks/together-v2.txt
	$(BIN)/$(LOCK) tests/locks/together-legacy.in -o tests/locks/together-legacy.txt
	$(BIN)/$(LOCK) tests/locks/pip-audit.in -o tests/locks/pip-audit.txt
	$(BIN)/$(LOCK) tests/locks/checkov.in -o tests/locks/checkov.txt

clean:  ## Remove what was built here (the shared cache of binaries stays)
	-@[ -x $(BIN)/together-operator ] && $(BIN)/together-operator local down
	rm -rf chaos.json chaos-crashes.json $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name '*.egg-info' -prune -exec rm -rf {} +
