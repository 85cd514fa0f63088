# `make demo` and `make test` set up their environment themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Python compiles what is imported, at the first import: a third of the time. It has to keep that, or `import torch` takes
# three times as long in every process.
PIP := $(BIN)/pip install --quiet --no-compile --constraint constraints.txt
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test check docs campaign fuzz wheelhouse clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable '.[dev]'
	$(PIP) --no-deps --target $(VENV)/reference torch-fidelity
	$(PIP) --no-deps einops spandrel  # asks for torchvision, which two of its architectures import
	$(PIP) brotli gradio-client httpx orjson python-multipart starlette uvicorn
	$(PIP) --no-deps trackio  # asks for pillow<13 and runs with 13
	$(BIN)/python -c "import impasto; [getattr(impasto, name) for name in impasto.__all__]"
	touch $@

# The main verbs on the bundled sample: stylise photos, inspect a data set, fine-tune a generator for two minutes and
# generate from noise. Two minutes without a GPU suffice because training starts from a bundled style. One thread, as a
# second one gains little with small batches and costs much if another program holds its core.

demo: setup
	@test ! -e demo || test -f demo/.made-by-make || { echo "demo exists and is not of an earlier make demo: move it."; exit 1; }
	rm -rf demo
	mkdir demo
	touch demo/.made-by-make
	$(BIN)/impasto paint sample:photos --style monet --compare --out demo/photos
	$(BIN)/impasto explore sample:paintings --photos sample:photos --out demo/pictures
	OMP_NUM_THREADS=1 $(BIN)/impasto train --from chinese-landscape-64 --paintings sample:paintings --out demo/run --budget 2m --set batch=16
	$(BIN)/impasto generate demo/run --count 64 --out demo/paintings
	@echo
	@echo "demo/photos: five photos beside their stylised versions. demo/paintings: 64 images generated from noise."
	@echo "Open demo/pictures/exploration.html for the data set and demo/run/report.html for the training."

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

# The documentation as a site in site/. Any warning fails it: a dead link, a missing image, a reference to nothing.
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --fresh-env --write-all --fail-on-warning --keep-going --quiet --doctree-dir $(VENV)/doctrees docs site
	@echo "Open site/index.html."

$(VENV)/.docs: $(VENV)/.installed
	$(PIP) --editable '.[docs]'
	touch $@

# An hour: commands are killed, starved and disturbed at random moments, run again and compared with undisturbed ones.
campaign: $(VENV)/.docs
	$(BIN)/python -m pytest -m long
	cd tests && PYTHONPATH=../src OMP_NUM_THREADS=1 ../$(BIN)/python -m campaign --kills 100 --log ../campaign.log

# A minute for each reader of files and text of other people, guided by coverage where there is Atheris.
fuzz: setup
	-$(PIP) atheris
	cd tests && PYTHONPATH=../src OMP_NUM_THREADS=1 ../$(BIN)/python -m fuzz --seconds 60

# impasto and what `impasto[train]` needs as wheels for Kaggle's Python, to install from without internet. Kaggle has torch:
# it is left out unless WITH_TORCH=1.
KAGGLE_PYTHON ?= 3.12
FOR_KAGGLE := --quiet --only-binary :all: --python-version $(KAGGLE_PYTHON) --find-links wheelhouse --dest wheelhouse \
	$(foreach glibc,5 12 17 24 27 28,--platform manylinux_2_$(glibc)_x86_64) --platform manylinux2014_x86_64
wheelhouse: setup
	rm -rf wheelhouse
	$(BIN)/pip wheel --quiet --no-deps --constraint constraints.txt --wheel-dir wheelhouse . tfrecord  # which has no wheel
	$(BIN)/python notebooks/wheels.py > wheelhouse/requirements.txt
	$(BIN)/pip download $(FOR_KAGGLE) --no-deps --requirement wheelhouse/requirements.txt
	$(if $(WITH_TORCH),$(BIN)/pip download $(FOR_KAGGLE) --constraint constraints.txt torch)

clean:
	test ! -f demo/.made-by-make || rm -rf demo
	rm -rf $(VENV) site jupyter_execute dist wheelhouse .mypy_cache .ruff_cache .pytest_cache .hypothesis
