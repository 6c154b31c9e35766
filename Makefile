# Every target makes .venv and installs what it needs by itself, and hands ARGS on: make test ARGS="tests/core -x"
.DEFAULT_GOAL := help
.PHONY: help demo test check bench crash simulate storm

# Pyright does not look for a newer one over the network.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# Hundreds of processes come and go in the tests; without its cache each would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.runtime ## Play with Vectorbea in a Slack of its own on this machine (ARGS=--once: watch one run, then exit)
	@.venv/bin/vb demo $(ARGS)

test: .venv/.dev ## Run the tests, four at a time (ARGS=what pytest takes)
	@.venv/bin/python -m pytest -n 4 --dist loadgroup $(ARGS)

# All four always run, so that one run tells all.
check: .venv/.dev ## Check format, lint, types and the direction of imports
	@status=0; \
	for gate in "ruff format --check" "ruff check" "pyright"; do \
		echo "$$gate"; .venv/bin/$$gate $(ARGS) || status=1; \
	done; \
	.venv/bin/lint-imports --no-logo || status=1; \
	exit $$status

bench: .venv/.dev ## Measure the engine, one JSON line per figure (ARGS=what to measure)
	@.venv/bin/python -m tests.bench $(ARGS)

crash: .venv/.dev ## Crash a fleet of workers for minutes, and judge what is left (ARGS="--minutes 1 --seed 7")
	@.venv/bin/python -m tests.fleet $(ARGS)

simulate: .venv/.dev ## Crash simulated engines at every await, on virtual time (ARGS="--seconds 300 --crashes 100 --seed 7")
	@.venv/bin/python -m tests.simulation $(ARGS)

storm: .venv/.dev ## Click 3,000 times on two bots while all goes wrong in Slack, and judge what is left (ARGS="--seed 7 --runs 20")
	@.venv/bin/python -m tests.storm $(ARGS)

.venv/.runtime: pyproject.toml scripts/install scripts/constraints.txt
	@scripts/install runtime

.venv/.dev: pyproject.toml scripts/install scripts/constraints.txt
	@scripts/install dev
