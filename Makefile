# Property Visits. `make` alone lists what can be made; the environments are made on first use.

PORT ?= 8000
AWS_PORT ?= 4566
STATE ?= .state
URL ?= http://127.0.0.1:$(PORT)
N ?= 200
PYTHON ?=

BIN := .venv/bin
SOURCES := $(wildcard app.py) chalicelib devstack tests

# chalice packages whatever bytecode lies about, so none is written.
export PYTHONDONTWRITEBYTECODE = 1
export PYTHON

.PHONY: help run test check static format seed setup clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '%-14s %s\n' "$$name" "$$text"; done

run: setup ## start everything on this machine (PORT=8000 AWS_PORT=4566 STATE=.state)
	@exec $(BIN)/python -m devstack.run --port "$(PORT)" --aws-port "$(AWS_PORT)" --state "$(STATE)"

test: setup static ## everything: formatting, lint, types, import rules and all tests
	@$(BIN)/python -m pytest tests -n 2

check: setup static ## what to run before every commit: formatting, lint, types, import rules, unit tests
	@$(BIN)/python -m pytest tests/unit -q

static: setup
	@$(BIN)/ruff format --check -q $(SOURCES)
	@$(BIN)/ruff check -q $(SOURCES)
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports --no-logo

format: setup ## format the code and fix what can be fixed
	@$(BIN)/ruff format -q $(SOURCES)
	@$(BIN)/ruff check -q --fix $(SOURCES)

seed: setup ## load N sample visits into any address (URL=http://... N=200 KEY=<api key>)
	@VISITS_KEY="$(KEY)" $(BIN)/python -m devstack.seed --url "$(URL)" --visits "$(N)"

setup: .venv/.installed .venv-aws/.installed ## install what developing needs (done by the others too)

clean: ## remove what can be made again; the data of make run in .state stays
	@rm -rf .venv .venv-aws .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: requirements.txt requirements-dev.txt devstack/venv.sh
	@sh devstack/venv.sh .venv requirements-dev.txt

.venv-aws/.installed: devstack/requirements.txt devstack/venv.sh
	@sh devstack/venv.sh .venv-aws devstack/requirements.txt
