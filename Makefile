# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo

.PHONY: demo test test-all test-lowest coverage mutants mutants-map check dist format bench gpu docs clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hdrq needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/installed
	$(BIN)/hdrq demo $(DEMO)
	$(BIN)/hdrq score $(DEMO)/ref.exr $(DEMO)/dist.exr -m pu-psnr -m pu-ssim -m pq-ms-ssim --map $(DEMO) --format table
	@echo "error maps: $(DEMO)/*.png"

test: $(VENV)/installed
	$(BIN)/pytest -n auto

# With whole products of cases that a push does not need, such as every metric on every file of one image.
test-all: $(VENV)/installed
	$(BIN)/pytest -n auto -m ""

coverage: $(VENV)/installed
	$(BIN)/pytest -n auto --cov=hdrq --cov-report=term

# The lowest stated versions of all dependencies, in an environment of its own.
test-lowest:
	$(PYTHON) tests/lowest.py runs/lowest.txt
	$(PYTHON) -m venv runs/lowest
	runs/lowest/bin/python -m pip install --quiet --disable-pip-version-check -c runs/lowest.txt -e '.[dev]'
	runs/lowest/bin/pytest -n auto

# Changes single lines of the arithmetic at random and lists those changes that no test notices.
# Faster and surer where `make mutants-map` (Python 3.12 or newer) has recorded once which tests execute which line.
mutants: $(VENV)/installed
	$(BIN)/python tests/mutants.py --count 50 --seed 0

mutants-map: $(VENV)/installed
	$(BIN)/python tests/mutants.py --record

# Wheel and sdist, checked, and the wheel tried in a fresh environment.
dist: $(VENV)/installed
	rm -rf dist runs/dist
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build twine
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(PYTHON) -m venv runs/dist
	runs/dist/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	runs/dist/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
	runs/dist/bin/hdrq demo runs/dist/demo
	runs/dist/bin/hdrq score runs/dist/demo/ref.exr runs/dist/demo/dist.exr -m pu-ssim -m pu-vtamiq

check: $(VENV)/installed
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff check --fix src tests bench
	$(BIN)/ruff format src tests bench

bench: $(VENV)/installed
	$(BIN)/python bench/bench.py --size 1920x1080 --threads 2 --json runs/bench.json

# Every shelf on CUDA against the CPU, then measured there; the table of docs/performance.md is replaced.
gpu: $(VENV)/installed
	$(BIN)/python bench/gpu.py --json runs/gpu.json --page docs/performance.md

docs: $(VENV)/installed
	$(BIN)/python docs/build.py
	$(BIN)/python docs/build_tonemapping.py

clean:
	rm -rf $(VENV) runs .pytest_cache .ruff_cache .mypy_cache
