# lambdad: `make` lists what there is.
#
# Tools run from .venv, which `make setup` makes with uv or with plain pip. ARGS is handed to
# pytest: make unit ARGS="-k alias".

SHELL := /bin/sh
BIN   := .venv/bin
ARGS  ?=
BASE  ?=
# So many tests at once; they wait as long as they work. 0: one after the other, in one process.
WORKERS ?= 3
# A test that takes minutes hangs not: looking into its busy threads has crashed the interpreter.
LONG  := -o faulthandler_timeout=0
.DEFAULT_GOAL := help
.PHONY: help setup demo fmt check unit test acceptance crash chaos backends docs lock changelog bench performance clean venv

help:      ## Show this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  \1\t/' | expand -t 14

setup:     ## Make .venv with everything to run and develop (uv, or venv and pip)
	@scripts/setup
	@echo "Next: make demo, make test, or $(BIN)/lambdad serve"

venv:
	@scripts/setup

demo: venv ## Start lambdad, deploy a function, invoke it cold and warm, stop
	@scripts/demo

fmt: venv  ## Fix formatting and everything else that can be fixed
	-$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

check: venv ## Lint, format, types, architecture: no tests
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

unit: venv ## Tests that touch memory only: seconds
	$(BIN)/pytest tests/unit $(ARGS)

test:      ## Every test this host can run; says what it skipped and why
	@scripts/setup test
	$(BIN)/pytest -rs -n $(WORKERS) $(ARGS)

crash: venv ## Kill the daemon 200 times per backend, 50 times with all services, cut its power 30 times
	TEST_KILLS=$${TEST_KILLS:-200} TEST_CUTS=$${TEST_CUTS:-30} \
	TEST_SERVICE_KILLS=$${TEST_SERVICE_KILLS:-50} $(BIN)/pytest -rs -s $(LONG) \
		tests/e2e/test_crash.py tests/e2e/test_services_crash.py tests/e2e/test_power_loss.py $(ARGS)

chaos: venv ## Invoke TEST_INVOCATIONS times (10,000) with failures at random: no leak, no wrong answer
	TEST_INVOCATIONS=$${TEST_INVOCATIONS:-10000} $(BIN)/pytest -rs -s $(LONG) \
		tests/e2e/test_random_failures.py $(ARGS)

backends: venv ## Run the suites of runtimes, extensions, invocation and failures on processes
	TEST_BACKEND=process $(BIN)/pytest -rs tests/conformance/runtimes tests/conformance/failures \
		tests/conformance/logs tests/conformance/lambda_/test_invoke.py \
		tests/conformance/lambda_/test_response_stream.py tests/conformance/lambda_/test_logging.py \
		tests/conformance/lambda_/test_concurrency.py tests/conformance/triggers $(ARGS)

acceptance: venv ## Install the deploy tools (Serverless, SAM, CDK, ...) and deploy with each
	@scripts/prerequisites tools
	@scripts/install_tools
	TEST_EVERY_TOOL=1 $(BIN)/pytest -rs $(LONG) tests/e2e/tools $(ARGS)

docs: venv ## Regenerate the pages that are made from code
	@$(BIN)/python scripts/generate_docs.py

lock:      ## Resolve dependencies anew: uv.lock and constraints.txt
	uv lock --upgrade
	uv export --quiet --frozen --no-hashes --no-emit-project --output-file constraints.txt

changelog: venv ## Gather changelog.d/ into CHANGELOG.md for VERSION=x.y.z
	@$(BIN)/python scripts/gather_changelog.py $(VERSION)

.PHONY: test-runtimes
test-runtimes: venv ## Install every language, ask all promises of each, and write docs/runtimes.md
	@scripts/install_runtimes
	TEST_EVERY_RUNTIME=1 $(BIN)/pytest -rs --junitxml=.runtimes.xml $(ARGS) \
		tests/conformance/runtimes/test_promises.py tests/conformance/runtimes/test_handler_forms.py
	@$(BIN)/python scripts/runtimes_page.py .runtimes.xml && rm .runtimes.xml

bench: venv ## Measure the figures in SPECIFICATION.md; BASE=<revision> compares with it instead
	@$(BIN)/python -m benchmarks $(if $(BASE),--against $(BASE)) $(ARGS)

performance: venv ## Measure everything, floors and others beside it: docs/performance.md and plots
	@$(BIN)/python -m benchmarks --page $(ARGS)

clean:     ## Remove .venv, caches and build products; the data directory stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
