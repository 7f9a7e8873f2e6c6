# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo

.PHONY: demo test check format bench docs clean

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

check: $(VENV)/installed
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff check --fix src tests bench
	$(BIN)/ruff format src tests bench

bench: $(VENV)/installed
	$(BIN)/python bench/bench.py --size 1920x1080 --threads 2 --json runs/bench.json

docs: $(VENV)/installed
	$(BIN)/python docs/build.py
	$(BIN)/python docs/build_tonemapping.py

clean:
	rm -rf $(VENV) runs .pytest_cache .ruff_cache .mypy_cache
