# Two commands do all the set-up they need: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test check clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps --target $(VENV)/reference torch-fidelity
	touch $@

# The main jobs on the sample that comes along: paint photos with the style that ships; look, learn for two minutes, and
# paint out of nothing. Two minutes without a GPU are enough for a painter who paints already: of Chinese landscapes. On
# one thread, as a second one gains little in small batches, and costs much where another program keeps it waiting.

demo: setup
	rm -rf demo
	$(BIN)/impasto paint sample:photos --style monet --compare --out demo/photos
	$(BIN)/impasto explore sample:paintings --photos sample:photos --out demo/pictures
	OMP_NUM_THREADS=1 $(BIN)/impasto train --from chinese-landscape-64 --paintings sample:paintings --out demo/run --budget 2m --set batch=16
	$(BIN)/impasto generate demo/run --count 64 --out demo/paintings
	@echo
	@echo "Five photos and their paintings are in demo/photos, 64 paintings out of nothing in demo/paintings."
	@echo "Open demo/pictures/exploration.html: it tells what they were learned from, and demo/run/report.html: how."

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

clean:
	rm -rf $(VENV) demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
