# pfamformer. On a fresh machine: `make demo` and `make test`. Each target sets up .venv by itself.
#
#   make demo        the whole workflow on real proteins -> results/demo/report.html
#   make test        every test        make test-unit   the fast ones
#   make test-slurm  on a real SLURM   make lint        style, workflow lint, schema drift
#   make bench       ours against the peers -> benchmarks/results/ (needs the finished demo)

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: demo test test-unit test-slurm bench lint format setup

CORES ?= $(shell nproc)
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)
# No byte code beside the sources: the tree stays as git has it.
export PYTHONDONTWRITEBYTECODE := 1

demo: setup
	snakemake --cores $(CORES) --rerun-incomplete --show-failed-logs --quiet host
	@echo "The report: $(abspath results/demo/report.html)"

test: setup
	bash tests/system_packages.sh
	pytest

test-unit: setup
	pytest tests/unit

test-slurm: setup
	bash tests/system_packages.sh
	pytest tests/slurm

# One program after the other: each times two ways in turn and wants the machine for itself.
bench: demo
	for program in $(filter-out benchmarks/common.py,$(wildcard benchmarks/*.py)); do \
	    echo "== $$program"; python $$program $(QUICK); done

lint: setup
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	snakemake --lint
	python workflow/scripts/write_schema.py --check config/schema.json

format: setup
	ruff check --fix .
	ruff format .
	snakefmt Snakefile rules
	python workflow/scripts/write_schema.py config/schema.json

setup: $(VENV)/.complete

# Stale when pyproject.toml is newer. A half-made environment has no .complete and is made again.
$(VENV)/.complete: pyproject.toml
	bash workflow/setup_venv.sh $(VENV)
	touch $@
