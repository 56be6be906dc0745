# Two commands matter to a new user: `make demo` and `make test`. Both make their own environment in .venv.
#   PYTHON=...    the interpreter to make .venv with (3.11 or newer; found on PATH when not given)
#   PIP_ARGS=...  extra arguments for pip, for example another package index
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIP_ARGS ?=
PYTHON ?=
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt $(PIP_ARGS)
DEMO := demo

.PHONY: help demo test smoke lint format build clean

help:
	@echo "make demo    install tsprout into .venv and make 1000 synthetic series from a few real ones"
	@echo "make test    install the development tools, then lint, type check, tests and coverage gate"
	@echo "make smoke   the smallest benchmark, from specification to tables"
	@echo "make lint    ruff and mypy only"
	@echo "make format  let ruff format and fix what it can"
	@echo "make build   wheel and sdist into dist/"
	@echo "make clean   remove everything the other targets made, .venv included"

$(BIN)/python:
	@found=""; \
	for candidate in $(PYTHON) python3.11 python3.12 python3.13 python3.14 python3 python; do \
		if command -v "$$candidate" >/dev/null 2>&1 && "$$candidate" -c \
			'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			found="$$candidate"; break; \
		fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "tsprout needs Python 3.11 or newer with its venv module, and found none on PATH." >&2; \
		echo "Install one, or name it: make $(or $(MAKECMDGOALS),demo) PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi; \
	echo "making $(VENV) with $$found"; \
	"$$found" -m venv $(VENV)

$(VENV)/.tsprout-run: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing tsprout (once; torch is large, this can take some minutes)"
	@$(PIP) -e .
	@touch $@

$(VENV)/.tsprout-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing tsprout with its development tools (once; this can take some minutes)"
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.tsprout-run

demo: $(VENV)/.tsprout-run
	@$(BIN)/python -m tsprout.demo $(DEMO)

lint: $(VENV)/.tsprout-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.tsprout-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# One thread for every process: two test workers with two threads each would fight over the same cores.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term --cov-report=json --cov-fail-under=90
	@$(BIN)/python -c 'import json; t = json.load(open("coverage.json"))["totals"]; \
		share = 100 * t["covered_branches"] / t["num_branches"]; print(f"branch coverage {share:.1f} %"); \
		raise SystemExit(share < 90 and "branch coverage is below the gate of 90 %")'

smoke: $(VENV)/.tsprout-dev
	rm -rf smoke
	OMP_NUM_THREADS=1 $(BIN)/tsprout bench run smoke -o smoke
	$(BIN)/tsprout bench table smoke -o smoke/tables.html

build: $(VENV)/.tsprout-dev
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) $(DEMO) smoke build dist coverage.json .coverage .coverage.* htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
