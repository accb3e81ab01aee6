# Needs only Python (3.12 or later somewhere on the machine), git and make.
# From a fresh clone, each of these works on its own:
#
#   make backtest    forecast past years as they were known then, and score the forecasts
#   make test        run every test
#
# Other targets: make help

# Options of `make backtest`; empty means the command's own default.
MODELS    ?=
LOCATIONS ?=
START     ?=
END       ?=
OUT       ?=
ARGS      ?=
# e.g. make backtest MODELS=drift,auto-ets LOCATIONS=US,WV START=2021-01 OUT=results
PYTEST    ?= -n auto --maxprocesses 8 --dist worksteal

# Settings of the caller's shell that would reach into another environment.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX PYTHONDONTWRITEBYTECODE
# Matplotlib draws without a screen.
export MPLBACKEND = Agg

BIN  := .venv/bin
ENV  := .venv/.ready
SRC  := src tests docs tools
SRC  += $(wildcard benchmarks)

.DEFAULT_GOAL := help
.PHONY: help install backtest leaderboard test golden fuzz lint format types layers audit wheel licences docs figures bench constants donors record confirm pins clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*  ## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z]+):.*  ## (.*)/  make \1 \t\2/' | expand -t 22

install: $(ENV)  ## make .venv with the package and the developers' tools

$(ENV): pyproject.toml constraints.txt tools/make-env.sh
	@sh tools/make-env.sh
	@touch $@

backtest: $(ENV)  ## forecast past years as they were known then, and score them
	@$(BIN)/odforecast backtest \
	  $(if $(MODELS),--models $(MODELS)) $(if $(LOCATIONS),--locations $(LOCATIONS)) \
	  $(if $(START),--start $(START)) $(if $(END),--end $(END)) $(if $(OUT),--out $(OUT)) $(ARGS)

leaderboard: $(ENV)  ## run everybody on the benchmark's tasks, into docs/leaderboard and build/ (QUICK=1, TIMINGS=1, JOBS=2, RELEASES=DIR)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python tools/make_leaderboard.py --jobs $(or $(JOBS),2) \
	  $(if $(QUICK),--quick) $(if $(TIMINGS),--timings) $(if $(RELEASES),--releases $(RELEASES))

test: $(ENV)  ## run the tests, and the examples in docstrings and docs (SLOW=1: the slow group too, as CI does)
	@$(if $(SLOW),ODFORECAST_SLOW=1 )OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest $(PYTEST)

golden: $(ENV)  ## compare what the code does with tests/golden (WRITE=1 rewrites it; ONLY=part,...; JOBS=2; SLOW=1)
	@$(if $(SLOW),SLOW=1 )$(BIN)/python tools/golden.py --jobs $(or $(JOBS),2) \
	  $(if $(WRITE),--write) $(if $(ONLY),--only $(ONLY))

fuzz: $(ENV)  ## mutate data files: N cases of each data set (N=5000), from SEED on (SEED=0)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 ODFORECAST_FUZZ=$(or $(N),5000) \
	  ODFORECAST_FUZZ_SEED=$(or $(SEED),0) nice -n 5 $(BIN)/pytest -q tests/fuzz

lint: $(ENV)  ## ruff: likely mistakes and unused code
	@$(BIN)/ruff check $(SRC)

format: $(ENV)  ## ruff: lay out the code (CHECK=1 only looks)
	@$(BIN)/ruff format $(if $(CHECK),--check) $(SRC)

types: $(ENV)  ## mypy, strict
	@$(BIN)/mypy

layers: $(ENV)  ## import-linter: imports go one way only
	@$(BIN)/lint-imports

audit: $(ENV)  ## look the dependencies up in the database of known vulnerabilities
	@$(BIN)/python tools/audit.py

wheel: $(ENV)  ## build dist/, install the wheel in an environment of its own, and use it there (CHECK=1 only looks inside)
	@$(BIN)/python tools/check_wheel.py $(if $(CHECK),--build-only)

licences: $(ENV)  ## list the licences of what is installed with odforecast, into docs/licences.md (CHECK=1 only compares)
	@$(BIN)/python tools/licences.py $(if $(CHECK),--check)

docs: $(ENV)  ## build docs/_build/html; a warning is an error
	@rm -rf docs/reference/api/generated  # pages of names that left would be warnings
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

figures: $(ENV)  ## draw the figures and write the outputs of README and docs again
	@$(BIN)/python docs/figures.py
	@$(BIN)/python docs/revision_figure.py
	@$(BIN)/python docs/article_figures.py
	@$(BIN)/python docs/evidence_page.py
	@$(BIN)/python docs/outputs.py

bench: $(ENV)  ## run every script in benchmarks/
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

constants: $(ENV)  ## estimate the models' constants, into constants.csv, shares.csv, delay.csv, seen.csv.gz (CHECK=1 only compares; ONLY=dlm|delay|share)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python tools/constants.py $(if $(CHECK),--check) \
	  $(if $(ONLY),--only $(ONLY))

donors: $(ENV)  ## make the table of donors from real releases (CHECK=1 only compares; RELEASES=DIR)
	@$(BIN)/python tools/donors.py $(if $(CHECK),--check) $(if $(RELEASES),--releases $(RELEASES))

record: $(ENV)  ## score the default by place, into forecasts/record.csv, which texts and pages show (CHECK=1 only compares)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python tools/record.py $(if $(CHECK),--check)

confirm: $(ENV)  ## score the frozen default, once, on releases nobody has read (RELEASES=DIR, ARCHIVE=DIR; FREEZE=1)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python tools/confirm.py \
	  $(if $(RELEASES),--releases "$(RELEASES)") $(if $(ARCHIVE),--archive "$(ARCHIVE)") \
	  $(if $(FREEZE),--freeze) $(if $(TAG),--tag "$(TAG)")

pins: $(ENV)  ## resolve the newest versions of packages that fit, into constraints.txt
	@.tools/bin/uv pip compile pyproject.toml --upgrade --universal --all-extras \
	  --python-version 3.12 --no-header --no-annotate --quiet -o constraints.txt
	@git diff --stat -- constraints.txt

clean:  ## remove the environment, the tools and everything built
	rm -rf .venv .tools docs/_build docs/reference/api/generated dist build .pytest_cache .mypy_cache \
	  .ruff_cache .hypothesis .import_linter_cache
	find src tests docs -name __pycache__ -type d -prune -exec rm -rf {} +
