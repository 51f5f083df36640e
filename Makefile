# The ritual: make demo shows it, make test proves it. See README.md.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Nothing is written outside the checkout, caches included.
export XDG_CACHE_HOME := $(CURDIR)/.run/cache
export XDG_RUNTIME_DIR := $(CURDIR)/.run/runtime
export PYTHONDONTWRITEBYTECODE :=

# Processes that tests run in. Most tests wait for a server, so more than there are cores.
PROCESSES ?= 4

.PHONY: help demo test check format unit kafka bench faults schemas metrics boards figures pictures lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.PHONY: install
install: $(STAMP)

$(STAMP): requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --cache-dir .run/cache/pip --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: $(STAMP) ## watch the whole pipeline work, then see it checked
	$(BIN)/icam demo

# make test runs these folders in full: deployment files, documents and test harnesses.
NOT_UNIT := $(addprefix --ignore=tests/,bench dates deploy docs faults)

unit: $(STAMP) ## run the tests of the code that need no server: seconds
	$(BIN)/pytest -q -n 2 -m "not server and not slow" $(NOT_UNIT)

test: $(STAMP) kafka-if-possible check ## run every check and test: minutes
	$(BIN)/pytest -n $(PROCESSES)

check: $(STAMP) ## lint, types, formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

kafka: $(STAMP) ## fetch Apache Kafka from its Maven artifacts into .kafka
	$(BIN)/python -m streams.embedded.kafka fetch

.PHONY: kafka-if-possible
kafka-if-possible: $(STAMP)
	@if command -v java >/dev/null && command -v mvn >/dev/null; then $(BIN)/python -m streams.embedded.kafka fetch; fi

bench: $(STAMP) kafka ## the worker, its rivals and, with BASE=commit, an earlier one on real Kafka; takes hours
	$(BIN)/python -m tests.bench $(if $(BASE),--base $(BASE))

faults: $(STAMP) kafka ## faults on real Kafka and PostgreSQL, audited, simulated and fuzzed too; takes two hours
	$(BIN)/python -m tests.faults

format: $(STAMP) ## format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(STAMP) ## write the exported JSON Schemas again
	$(BIN)/icam schemas export schemas/json

pictures: $(STAMP) kafka ## take the pictures of the live page again, in Chromium over a real run
	$(BIN)/python -m tests.pipeline.pictures

metrics: $(STAMP) ## write the tables of docs/metrics.md again
	$(BIN)/python -m tests.docs.metrics

boards: $(STAMP) ## write the boards of Grafana again
	$(BIN)/python -m deploy.grafana

figures: $(STAMP) ## write the tables of figures again, and when the code that they are of changed
	$(BIN)/python -m tests.bench figures

.PHONY: containers cluster
containers: $(STAMP) ## docker compose for real: start, kill, alert, audit; root, minutes
	$(BIN)/python -m tests.deploy.containers

cluster: $(STAMP) ## the manifests on a real cluster: apply, kill, drain, roll, audit; root, minutes
	$(BIN)/python -m tests.deploy.containers cluster

.PHONY: sbom licences advisories
ENVIRONMENTS := .run/environments
TOOLS := $(BIN)/python -c 'import sys; from pathlib import Path; from tests.environments import installed; installed(*map(Path, sys.argv[1:]))'

sbom: $(STAMP) ## write what the image is made of, as CycloneDX: .run/sbom.cdx.json
	$(TOOLS) requirements.txt $(ENVIRONMENTS)/image
	$(TOOLS) deploy/supply/sbom.txt $(ENVIRONMENTS)/sbom
	$(ENVIRONMENTS)/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-file .run/sbom.cdx.json $(ENVIRONMENTS)/image/bin/python

licences: $(STAMP) ## check the licences of what we pin
	$(BIN)/python -m deploy.supply licences

advisories: $(STAMP) ## ask the index for advisories about what we pin; says when it gives none
	$(TOOLS) deploy/supply/advisories.txt $(ENVIRONMENTS)/advisories
	-$(ENVIRONMENTS)/advisories/bin/pip-audit --requirement requirements.txt --require-hashes --disable-pip \
	  --progress-spinner off --timeout 10 --cache-dir .run/cache/pip-audit --format json > .run/advisories.json
	$(BIN)/python -m deploy.supply advisories < .run/advisories.json

PEERS := confluent-psycopg quix bytewax
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --cache-dir .run/cache/uv

lock: $(STAMP) ## pin every dependency again, with hashes and without index addresses
	$(LOCK) -o requirements.txt pyproject.toml
	$(LOCK) --extra embedded --extra dev -c requirements.txt -o requirements-dev.txt requirements-build.in pyproject.toml
	$(LOCK) -c requirements-dev.txt -o deploy/requirements-build.txt requirements-build.in
	$(LOCK) -o tests/deploy/checkov.txt tests/deploy/checkov.in
	for tool in sbom advisories; do $(LOCK) -o deploy/supply/$$tool.txt deploy/supply/$$tool.in || exit 1; done
	for peer in $(PEERS); do $(LOCK) -o tests/bench/peers/$$peer.txt tests/bench/peers/$$peer.in || exit 1; done

clean: ## remove everything that was made here
	rm -rf $(VENV) .run .kafka

.PHONY: dates
dates: $(STAMP) kafka-if-possible ## the tests that know the date under eleven dates and five zones; takes 20 minutes
	$(BIN)/python -m tests.dates
