# `make` lists the targets. Python 3.11 or later and make are enough: every target sets up what it needs in .venv, without
# root, without Docker, without a running server. What is set up once is not set up again until pyproject.toml changes.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# One more test process than a small machine has cores, for some of them wait.
WORKERS ?= 3
RUNS ?= 50
KILLS ?= 10
SCENARIO ?= dedupe
SEED ?=
REPORT ?=
BROKER ?=
SEEDS ?= 2000
JOBS ?=
mutants: SEEDS = 5000

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.made:
	@.ci/venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.made pyproject.toml constraints.txt
	@echo "installing Nexum into $(VENV)"
	@$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	@echo "installing Nexum and the development tools into $(VENV)"
	@$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.runtime $@

.PHONY: setup
setup: $(VENV)/.dev ## Make .venv with everything development needs

.PHONY: demo
demo: $(VENV)/.runtime ## Watch an agent survive kill -9 with one refund sent
	@$(BIN)/python -m examples.refund_agent.demo

.PHONY: dev
dev: $(VENV)/.runtime ## Dashboard, scheduler and a worker on SQLite, reloading on change
	@$(BIN)/nexum dev

.PHONY: test
test: $(VENV)/.dev ## The fast tests, on real PostgreSQL, SQLite and Redis
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --ignore tests/browser -m "not processes and not hostile" \
		--deselect tests/test_house.py --deselect tests/test_architecture.py

.PHONY: thorough
thorough: $(VENV)/.dev ## Engine and store again in hostile settings, and every law with all its examples
	@NEXUM_THOROUGH=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --ignore tests/browser -m "hostile or law"

.PHONY: processes
processes: $(VENV)/.dev ## The tests that start, kill and wait for whole processes
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal --ignore tests/browser -m processes

.PHONY: check
check: $(VENV)/.dev ## Format, lint, types, layers, house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_house.py tests/test_architecture.py tests/test_packaging.py tests/test_exports.py

.PHONY: browser
browser: $(VENV)/.dev ## The dashboard in a real browser (needs chromium)
	@$(BIN)/python -m pytest -q tests/browser

.PHONY: bench
bench: $(VENV)/.dev ## Measure, against the floor of this machine and against peers
	@$(BIN)/python -m benchmarks

.PHONY: crash
crash: $(VENV)/.dev ## Attack real processes, then judge by the provider's ledger: RUNS=50 KILLS=10 SCENARIO=dedupe SEED= REPORT=
	@$(BIN)/python -m nexum.testing.crash $(RUNS) $(KILLS) --scenario $(SCENARIO) $(if $(SEED),--seed $(SEED)) $(if $(REPORT),--report $(REPORT))

.PHONY: sim
sim: $(VENV)/.dev ## Play whole installations from seeds, everything failing: SEEDS=2000 JOBS=(cores)
	@$(BIN)/python -m nexum.testing.sim --seeds $(SEEDS) $(if $(FIRST),--from $(FIRST)) $(if $(JOBS),--jobs $(JOBS)) $(if $(REPORT),--report $(REPORT))

.PHONY: mutants
mutants: $(VENV)/.dev ## Bring every race back and see that a seed fails: SEEDS=5000 JOBS=(cores)
	@$(BIN)/python -m nexum.testing.sim.mutants --seeds $(SEEDS) $(if $(JOBS),--jobs $(JOBS)) $(if $(REPORT),--report $(REPORT))

.PHONY: api-fuzz
api-fuzz: $(VENV)/.dev ## Fuzz the REST interface from its own OpenAPI document
	@$(BIN)/python -m nexum.testing.api_fuzz

.PHONY: flower
flower: $(VENV)/.runtime ## Watch a worker and a run in Flower: BROKER=redis://... or a Redis of its own
	@BROKER='$(BROKER)' $(BIN)/python -m examples.flower
