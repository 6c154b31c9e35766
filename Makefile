# Every target makes .venv and installs what it needs by itself, and hands ARGS on: make test ARGS="tests/core -x"
.DEFAULT_GOAL := help
.PHONY: help demo test check bench

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.runtime ## Play with Vectorbea in a Slack of its own on this machine (ARGS=--once: watch one run, then exit)
	@.venv/bin/vb demo $(ARGS)

test: .venv/.dev ## Run the tests, two at a time (ARGS=what pytest takes)
	@.venv/bin/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: .venv/.dev ## Check format, lint, types and the direction of imports
	.venv/bin/ruff format --check $(ARGS)
	.venv/bin/ruff check $(ARGS)
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 .venv/bin/pyright $(ARGS)
	.venv/bin/lint-imports

bench: .venv/.dev ## Measure the engine, one JSON line per figure (ARGS=what to measure)
	@.venv/bin/python -m tests.bench $(ARGS)

.venv/.runtime: pyproject.toml scripts/install
	@scripts/install runtime

.venv/.dev: pyproject.toml scripts/install
	@scripts/install dev
