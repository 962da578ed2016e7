# The bank's own commands. Every one does its own set-up in .venv; `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
INFRASTRUCTURE := $(VENV)-infrastructure
POLICIES := $(VENV)-policies
READY_FOR_BENCH := $(VENV)/.ready-for-bench
PIN = $(BIN)/uv pip compile -q --universal --generate-hashes --no-annotate --no-header
PAGES := bank_graphql/playground
WEB := examples/web
# npm, and a Node that Vite runs on: 20.19 or newer.
HAS_NPM = command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a * 100 + +b < 2019 ? 1 : 0)'
BUILT := $(PAGES)/dist/index.html
BUILT_WEB := $(PAGES)/app/index.html
DOCS_PORT ?= 8002
# A file of tests stays with one worker, which then starts its servers once; the slow ones come first.
PYTEST = $(if $(DATABASE_URL),TEST_DATABASE_URL="$(DATABASE_URL)" )$(BIN)/$(if $(COVERAGE),coverage run,python) -m pytest \
	-n 2 --dist loadfile --no-loadscope-reorder --durations=15
TOOLS := $(patsubst %,tests/%/node_modules/.package-lock.json,schema e2e/clients infrastructure/kql oauth/client)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup playground web tools screenshots serve docs site test test-deep coverage smoke faults bench bench-quick check image lint types layers container workflows infrastructure azure-schema sync format lock schema clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1	/' | expand -t 20

setup: $(READY) ## Make .venv with everything in it, at the pinned versions

$(READY): constraints-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.13 …")'
	@echo 'Setting up $(VENV): about a minute, once.'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --require-hashes -r constraints-dev.txt
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

playground: ## Build GraphiQL and the landing page (needs npm)
	@if $(HAS_NPM); then $(MAKE) -s $(BUILT); fi

$(BUILT): $(wildcard $(PAGES)/src/* $(PAGES)/*.html $(PAGES)/*.json $(PAGES)/*.ts)
	@echo 'Building GraphiQL: a few seconds.'
	@cd $(PAGES) && npm ci --silent --no-audit --no-fund && npm run --silent build -- --logLevel warn
	@touch $@

web: ## Build the online bank of examples/web, which the bank serves at /app (needs npm)
	@if $(HAS_NPM); then $(MAKE) -s $(BUILT_WEB); fi

$(BUILT_WEB): schema.graphql $(wildcard $(WEB)/src/*.* $(WEB)/src/bank/* $(WEB)/src/i18n/* $(WEB)/src/pages/* $(WEB)/src/staff/* $(WEB)/src/ui/* $(WEB)/*.html $(WEB)/*.json $(WEB)/*.ts)
	@echo 'Building the online bank: a few seconds.'
	@cd $(WEB) && npm ci --silent --no-audit --no-fund && npm run --silent build -- --logLevel warn
	@touch $@

tools: ## Get npm's tools for the schema: linter, audits, code generators (needs npm)
	@if $(HAS_NPM); then $(MAKE) -s $(TOOLS); fi

$(TOOLS): %/node_modules/.package-lock.json: %/package-lock.json
	@cd $* && npm ci --silent --no-audit --no-fund
	@touch $@

screenshots: $(READY) playground web ## Take the README's pictures anew (needs Chromium)
	@$(BIN)/python -m tests.e2e.screenshots

serve: $(READY) playground web ## Run the bank: http://127.0.0.1:8000/graphql (BANK_PORT=… for another port)
	@exec $(BIN)/bank-graphql serve $(ARGS)

docs: $(READY) ## Build the documentation's site from docs/, and serve it: http://127.0.0.1:8002 (DOCS_PORT=… for another port)
	@exec $(BIN)/zensical serve -a 127.0.0.1:$(DOCS_PORT)

site: $(READY)
	$(BIN)/zensical build --clean --strict

test: $(READY) playground web tools ## Run the tests (DATABASE_URL=… on another PostgreSQL, ARGS=… for pytest)
	$(PYTEST) $(ARGS)

test-deep: $(READY) playground web tools ## Run the tests that take long by nature: faults, races and comparisons in large numbers
	$(PYTEST) -m deep $(ARGS)

coverage: $(READY) playground web tools ## Run all tests, and print which code they do not reach
	@rm -rf .coverage
	@$(MAKE) -s test test-deep COVERAGE=1
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report > .coverage/report.txt; status=$$?; head -20 .coverage/report.txt; echo '…'; tail -3 .coverage/report.txt; exit $$status

smoke: $(READY) ## Start the bank, sign in, pay and stop
	$(BIN)/python -m tests.e2e.smoke

faults: $(READY) ## Run the bank while faults are injected (SECONDS=600 SEED=1 VARIANT=lost_update)
	$(BIN)/python -m tests.faults $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(VARIANT),--variant $(VARIANT))

$(READY_FOR_BENCH): $(READY) constraints-bench.txt
	@$(BIN)/python -m pip install -q --require-hashes -r constraints-bench.txt
	@touch $@

bench: $(READY_FOR_BENCH) ## Measure against the best of its kind (needs wrk, npm and pgbench; ARGS=--help)
	$(BIN)/python -m bench --results bench/results $(ARGS)

bench-quick: $(READY_FOR_BENCH) ## The same in fewer and shorter rounds
	$(BIN)/python -m bench --quick $(ARGS)

check: $(READY) lint types layers container workflows infrastructure sync conformance site ## Everything that is strict: lint, types, layers, container files, workflows, schema, migrations, conformance, links

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

container: $(READY)
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema -q --builtin-schema vendor.compose-spec docker-compose.yml

workflows: $(READY)
	PATH="$(BIN):$$PATH" $(BIN)/actionlint
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema -q --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/shellcheck --severity=warning .ci/run .ci/sbom infrastructure/scripts/*.sh

# Terraform as a library, in an environment of its own: it is large, and nothing else needs it.
$(INFRASTRUCTURE)/.ready: constraints-infrastructure.txt
	@$(PYTHON) -m venv $(INFRASTRUCTURE)
	@$(INFRASTRUCTURE)/bin/python -m pip install -q --require-hashes -r constraints-infrastructure.txt
	@touch $@

# Checkov, which pins what others need in other versions.
$(POLICIES)/.ready: constraints-policies.txt
	@$(PYTHON) -m venv $(POLICIES)
	@$(POLICIES)/bin/python -m pip install -q --require-hashes -r constraints-policies.txt
	@touch $@

infrastructure: $(READY) $(INFRASTRUCTURE)/.ready $(POLICIES)/.ready tools ## Check what is in infrastructure/, as far as it can be without a cloud
	$(INFRASTRUCTURE)/bin/python -m tests.infrastructure.formatting
	$(INFRASTRUCTURE)/bin/python -m tests.infrastructure.kubernetes
	$(POLICIES)/bin/python -m tests.infrastructure.policies
	$(BIN)/python -m pytest -q tests/infrastructure/test_terraform.py tests/infrastructure/test_kubernetes.py tests/infrastructure/test_queries.py

azure-schema: $(INFRASTRUCTURE)/.ready ## Take what Terraform's files need from the schema of azurerm
	$(INFRASTRUCTURE)/bin/python -m tests.infrastructure.azurerm

sync: $(READY)
	$(BIN)/python -m pytest -q tests/test_sync.py

conformance: $(READY) playground tools
	$(BIN)/python -m pytest -q -m "deep or not deep" tests/schema

image: ## Build the server's image and run it, where no container engine is (as root, on Debian; minutes)
	@infrastructure/scripts/container.sh

format: $(READY) ## Format the code, and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	@[ ! -e $(INFRASTRUCTURE)/.ready ] || $(INFRASTRUCTURE)/bin/python -m tests.infrastructure.formatting --write

schema: $(READY) ## Write schema.graphql, migrations/schema.sql and the reference in docs/ anew
	$(BIN)/python -m tests.sync
	$(BIN)/python -m tests.docs.reference

lock: $(READY) ## Write the constraints anew, at the newest versions that pyproject.toml allows
	$(PIN) -U pyproject.toml --extra mcp --extra traces -o constraints.txt
	$(PIN) -U pyproject.toml --extra mcp --extra traces --group dev -c constraints.txt -o constraints-dev.txt
	$(PIN) -U pyproject.toml --extra mcp --extra traces --group bench -c constraints-dev.txt -o constraints-bench.txt
	$(PIN) -U --group security -o constraints-security.txt
	$(PIN) -U --group infrastructure -o constraints-infrastructure.txt
	$(PIN) -U --group policies -o constraints-policies.txt
	echo "hatchling" | $(PIN) - -c constraints-dev.txt -o constraints-build.txt

clean: ## Remove what the commands made, but not the bank's data
	rm -rf bench/peer/node_modules $(PAGES)/node_modules $(PAGES)/dist $(PAGES)/app $(WEB)/node_modules $(WEB)/src/gql $(TOOLS:/.package-lock.json=) $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage dist build site
