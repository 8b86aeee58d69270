# Run `make` for the list. All that is installed is in this folder: .venv, .local, and node_modules of devstack/node and the tests.
.DEFAULT_GOAL := help
.PHONY: help setup native demo up test test-postgres test-containers pictures bench check chaos fuzz format lock clean
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
# Somebody else's Python settings must not reach this project's. All paths are relative: the folder's may hold spaces.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_TARGET PIP_PREFIX
# Without bytecode, each of the many processes would compile the whole project again.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONNOUSERSITE := 1
PYTHON := .venv/bin/python
# Most tests wait for servers and locks rather than for a processor; each job has servers of its own.
JOBS := 4

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { words = split($$2, word, " "); line = sprintf("make %-16s", $$1); \
		for (i = 1; i <= words; i++) { if (length(line) + length(word[i]) > 78) { print line; line = sprintf("%21s", "") } \
		line = line " " word[i] } print line }' Makefile

setup:  ## install what is missing (the other targets do it themselves)
	@sh scripts/setup.sh

native: setup  ## compile worker/native for all targets by zig; setup compiles it for this machine
	@$(PYTHON) -m worker.native.build --all

demo: setup  ## the whole way of a request, on this machine, in one to three minutes (UI=1: the page shows it until Ctrl-C)
	@$(PYTHON) -m devstack.demo $(if $(UI),--ui)

up: setup  ## run PostgreSQL, blob storage and Service Bus until Ctrl-C (KEEP=1: data and ports are there at the next start)
	@$(PYTHON) -m devstack.up $(if $(KEEP),--lasting)

test: setup  ## all tests, on real servers (ARGS="-k name" for some, JOBS=1 for one at a time)
	@$(PYTHON) -m pytest -n $(JOBS) --dist loadfile $(ARGS)

test-postgres: setup  ## the tests to which PostgreSQL's version matters, on 14 to 17 (VERSION=16 for one)
	@for version in $(or $(VERSION),14 15 16 17); do \
		programs=$$(sh scripts/postgres.sh $$version) && echo "PostgreSQL $$version" && \
		DEVSTACK_POSTGRES=$$programs LD_LIBRARY_PATH=$${programs%/bin}/lib $(PYTHON) -m pytest -n $(JOBS) --dist loadfile \
			$(or $(ARGS),tests/integration/worker tests/integration/grants tests/integration/operations) || exit; \
	done

test-containers:  ## the integration tests on the vendors' container images; needs a Docker engine
	@docker info >/dev/null 2>&1 || { echo "make $@: there is no Docker engine; start one, or run 'make test'" >&2; exit 1; }
	@sh scripts/setup.sh
	@$(PYTHON) -m pytest --stack=containers --ignore=tests/integration/devstack tests/integration tests/acceptance $(ARGS)

pictures: setup  ## take the pictures of the page for the documentation
	@$(PYTHON) -m pytest tests/browser/test_pictures.py --pictures docs/pictures

bench: setup  ## speed and memory beside other tools, half an hour (QUICK=1: 3 minutes; GROWTH=1, ROWS=, ROUNDS=, MINUTES=)
	@sh bench/setup.sh
	@$(PYTHON) -m bench.tick $(if $(QUICK),--jobs 100 --blobs 100000)
	@$(PYTHON) -m bench.coverage $(if $(QUICK),--windows 20000)
	@$(PYTHON) -m bench.day $(if $(QUICK),--windows 1000)
	@$(PYTHON) -m bench.page
	$(if $(QUICK),,@$(PYTHON) -m bench.latency)
	@$(PYTHON) -m bench $(if $(QUICK),--quick) $(if $(GROWTH),--growth) $(if $(ROWS),--rows $(ROWS)) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

check: setup  ## lint, formatting, types, layers, generated files, templates, lock files
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports --no-logo
	@$(PYTHON) -m contracts.generate --check
	@$(PYTHON) -m cli.reference --check
	@$(PYTHON) -m deploy.capacity --check
	@$(PYTHON) -m deploy.template
	@$(PYTHON) scripts/check_locks.py
	@echo "All checks pass: lint, formatting, types, layers, generated files, templates, lock files."

chaos: setup  ## break everything around real workers (N=200 SEED=7 MODE=safety HOST=1 OUT=file; EACH=1, PLANTED=1, BODIES=50000)
	@$(if $(BODIES),CHAOS_EXAMPLES=$(BODIES) $(PYTHON) -m pytest -n 2 tests/chaos/test_bad_messages.py tests/chaos/test_bad_files.py,\
		$(PYTHON) tests/chaos $(if $(N),--requests $(N)) $(if $(FAULTS),--faults $(FAULTS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(MODE),--mode $(MODE)) $(if $(HOST),--host) $(if $(OUT),--out "$(OUT)") \
		$(if $(EACH),--each$(if $(filter-out 1,$(EACH)),="$(EACH)")) \
		$(if $(PLANTED),--planted$(if $(filter-out 1,$(PLANTED)),="$(PLANTED)")))

fuzz: setup  ## run the tests of the C on a library with sanitizers, a minute at most
	@$(PYTHON) scripts/fuzz_native.py

format: setup  ## format the code and fix what the linter can
	@$(PYTHON) -m ruff check --fix --quiet || true
	@$(PYTHON) -m ruff format

lock: setup  ## write the lock files anew from pyproject.toml and devstack/node/package.json
	@sh scripts/lock.sh

clean:  ## remove everything that was installed or generated
	@rm -rf worker/native/lib .venv .local devstack/node/node_modules tests/support/clients/node_modules tests/browser/node_modules .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
