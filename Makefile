# `make help` lists what there is. Everything works twice in a row; what is made stays below .state and .venv.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# PYTHON=... names a Python 3.11 or newer; without it, the first found (.ci/python)
export PYTHON
# What Python has compiled is kept, also where the environment says otherwise: hundreds of processes start in a test run
export PYTHONDONTWRITEBYTECODE :=
STATE := .state
STAMPS := $(STATE)/stamps
BIN := .venv/bin
ASSETS := $(shell find contactcentre/web/assets contactcentre/web/translations -type f -not -name "*.mo" 2>/dev/null)
NAME ?=
T ?=
# processes that share the tests out; most of a test's time is waiting. What T= names runs in one, unless J= is given
J ?= $(if $(T),0,4)

# seconds until `make demo` ends by itself (0: at Ctrl-C), and calls that arrive each second
DEMO_SECONDS ?= 0
DEMO_RATE ?= 2.5
# of `make demo` and `make up`: asterisk, or freeswitch (FREESWITCH_BIN, or the one on PATH)
PBX ?= asterisk

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+)[a-z -]*:.*## /\1\t/' | expand -t 12

.PHONY: demo
demo: run ## Set everything up and watch calls being served: DEMO_RATE=2.5 calls/s, DEMO_SECONDS=60 ends by itself, PBX=freeswitch
	@$(BIN)/contactcentre demo --pbx $(PBX) --rate $(DEMO_RATE) --seconds $(DEMO_SECONDS)

.PHONY: up
up: run ## Run the contact centre on the lab's Asterisk until Ctrl-C, or PBX=freeswitch
	@CONTACTCENTRE_PBX=$(PBX) $(BIN)/contactcentre up --lab

.PHONY: test
test: develop assets ## Run all tests in J=4 processes, or T=path in one; AGAIN=10 runs up to ten that fail once more
	@.ci/tests $(BIN)/python -n $(J) --dist loadfile --no-loadscope-reorder $(T)

.PHONY: lint
lint: develop ## Check style with ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: types
types: develop ## Check types with mypy --strict
	@$(BIN)/mypy

.PHONY: conformance
conformance: develop ## Run the drivers' suite on Asterisk and FreeSWITCH and write docs/conformance.rst
	@$(BIN)/python -m tests.pbx.conformance

.PHONY: screenshots
screenshots: develop assets ## Take the pictures of docs/screenshots anew, of the real stack: ONLY=live,desk takes some
	@$(BIN)/python -m tests.web.screenshots

.PHONY: bench
bench: develop ## Run a benchmark: NAME=name (without: list them)
	@if [ -n "$(NAME)" ]; then $(BIN)/python -m bench.$(NAME); \
	else echo "make bench NAME=one of:"; grep -l __main__ bench/*.py | sed 's,bench/\(.*\).py,  \1,'; fi

.PHONY: lab-start lab-stop lab-status lab-logs
lab-start: ## Start the lab, a private Asterisk; also lab-status, lab-logs, lab-stop
lab-start lab-stop lab-status lab-logs: lab-%: run
	@$(BIN)/contactcentre lab $*

.PHONY: run develop assets packages
run: .venv/installed assets ## Prepare what running needs: packages, virtualenv, pages
develop: .venv/tools-installed ## Prepare what developing needs: the same, and the tools
assets: $(STAMPS)/assets ## Build the pages' scripts and styles
packages: $(STAMPS)/packages ## Install the system packages that are missing

BABEL := $(BIN)/pybabel -q
.PHONY: words
words: develop ## Find the texts of pages and e-mails, for the translations in contactcentre/web/translations
	@$(BABEL) extract -F babel.cfg -k phrase -k phrase_of:1,2 --add-location=file --sort-output --no-wrap -o $(STATE)/messages.pot .
	@$(BABEL) update -i $(STATE)/messages.pot -d contactcentre/web/translations --no-fuzzy-matching --ignore-obsolete --no-wrap --ignore-pot-creation-date

.PHONY: clean
clean: ## Remove what was made here: .state (with its databases), .venv, node_modules, built pages
	@if [ -x $(BIN)/contactcentre ]; then $(BIN)/contactcentre lab stop >/dev/null 2>&1 || true; fi
	@# root's embedded databases may live outside, see docs/decisions/embedded-keeper.rst
	@for link in $(STATE)/embedded/home $(STATE)/*/embedded/home; do home=$$(readlink $$link || true); \
	case "$$home" in /var/lib/contactcentre-embedded/?*) rm -rf "$$home" ;; esac; done
	@rm -rf $(STATE) .venv node_modules contactcentre/web/static/build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(STAMPS)/packages: .ci/packages
	@mkdir -p $(@D)
	@.ci/packages
	@touch $@

$(STAMPS)/packages-test: .ci/packages | $(STAMPS)/packages
	@.ci/packages test
	@touch $@

$(BIN)/python: | $(STAMPS)/packages
	@python=$$(.ci/python); echo "Making the virtualenv .venv with $$($$python --version)"; $$python -m venv .venv

.venv/installed: setup.cfg pyproject.toml | $(BIN)/python $(STAMPS)/packages
	@echo "Installing contactcentre and its libraries into .venv"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable .
	@touch $@

.venv/tools-installed: .venv/installed | $(STAMPS)/packages-test
	@echo "Installing the tools for tests and checks into .venv"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[test,lint]'
	@touch $@

$(STAMPS)/node: package.json $(wildcard package-lock.json .npmrc) | $(STAMPS)/packages
	@echo "Installing the pages' libraries into node_modules"
	@if [ -f package-lock.json ]; then npm ci --silent; else npm install --silent --no-package-lock; fi
	@touch $@

$(STAMPS)/assets: $(STAMPS)/node $(ASSETS)
	@echo "Building the pages' scripts and styles"
	@npm run --silent build
	@touch $@
