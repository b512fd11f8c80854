# Set-up happens once, in .venv; every target does it where it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.installed-demo
# One process a core; tests of a file stay together, as they share what the file's fixtures made.
PYTEST := $(BIN)/python -m pytest --numprocesses logical --dist loadfile

.PHONY: demo test test-slow check site setup clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

# The demonstration needs no hardware tools; without them, and without bytecode of modules that
# nobody imports, its environment stays small.
$(DEMO_STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[demo]'
	touch $(DEMO_STAMP)

demo: $(DEMO_STAMP)
	PYTHONDONTWRITEBYTECODE=1 $(BIN)/systopack demo --out demo

check: setup
	$(BIN)/ruff check systopack tests benchmarks examples tools
	$(BIN)/mypy
	$(BIN)/lint-imports

site: setup
	$(BIN)/mkdocs build

test: check
	$(PYTEST) -m 'not slow'

test-slow: setup
	$(PYTEST) -m slow

clean:
	rm -rf $(VENV) build dist demo *.egg-info
