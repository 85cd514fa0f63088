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
# paint out of nothing. Networks of half the width and small batches make the most of two minutes without a GPU; so small
# that a second thread gains little, and costs much where another program keeps it waiting.
DEMO_SETTINGS := batch=8 schedule.decay_from=0.5 generator.width=32 discriminator.width=32

demo: setup
	rm -rf demo
	$(BIN)/impasto paint sample:photos --style monet --compare --out demo/photos
	$(BIN)/impasto explore sample:paintings --photos sample:photos --out demo/pictures
	OMP_NUM_THREADS=1 $(BIN)/impasto train dcgan-64 --paintings sample:paintings --out demo/run --budget 2m $(addprefix --set ,$(DEMO_SETTINGS))
	$(BIN)/impasto generate demo/run --count 64 --out demo/paintings
	@echo
	@echo "Five photos and their paintings are in demo/photos, 64 paintings out of nothing in demo/paintings."
	@echo "Open demo/pictures/exploration.html: it tells what they were learned from, and demo/run/report.html: how."

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses auto

clean:
	rm -rf $(VENV) demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
