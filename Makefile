# pfamformer. On a fresh machine: `make demo` and `make test`; each target sets up .venv by itself.
# `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: help demo test test-unit test-slurm bench bench-gpu lint format rulegraph setup

CORES ?= $(shell nproc)
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)
# Most tests are one process each: they share the cores, with one thread each. Long files come first.
SHARED := OMP_NUM_THREADS=1 pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder
# No byte code beside the sources: the tree stays as git has it.
export PYTHONDONTWRITEBYTECODE := 1

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | column -t -s $$'\t'
	@echo 'CORES=N limits the cores, VENV=folder chooses the environment, PYTHON=… its interpreter.'

demo: setup ## The whole workflow on real proteins: results/demo/report.html (minutes)
	@echo "What a job is doing: logs/demo"
	snakemake --cores $(CORES) --rerun-incomplete --quiet host rules
	@echo "The report: $(abspath results/demo/report.html)"

test: setup ## Every test
	bash tests/system_packages.sh
	$(SHARED) tests/workflow tests/browser tests/unit
	pytest tests/demo tests/slurm

test-unit: setup ## The fast tests
	$(SHARED) tests/unit

test-slurm: setup ## Tests on a real SLURM
	bash tests/system_packages.sh
	pytest tests/slurm

# One program after the other: each times two ways in turn and wants the machine for itself.
bench: demo ## Ours against the peers: benchmarks/results/ (wants the machine for itself)
	for program in $(filter-out benchmarks/common.py,$(wildcard benchmarks/*.py)); do \
	    echo "== $$program"; python $$program $(QUICK); done

bench-gpu: setup ## Training on the GPU against transformers: 8 minutes, unattended
	python benchmarks/train_throughput.py --gpu

lint: setup ## Style, workflow lint, drift of generated files
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	snakemake --lint
	python workflow/scripts/write_schema.py --check config/schema.json

format: setup ## Format the code, write generated files again
	ruff check --fix .
	ruff format .
	snakefmt Snakefile rules
	python workflow/scripts/write_schema.py config/schema.json

rulegraph: setup ## The picture of docs/architecture.md
	python workflow/draw_rulegraph.py docs/rulegraph.svg

setup: $(VENV)/.complete ## The virtual environment alone

# Stale when pyproject.toml is newer. A half-made environment has no .complete and is made again.
$(VENV)/.complete: pyproject.toml
	bash workflow/setup_venv.sh $(VENV)
	touch $@
