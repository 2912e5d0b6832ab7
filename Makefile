# Everything here needs Python 3.11 or newer and make; each target does its own set-up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lint bench proto docs clean

run: $(VENV)/.run  ## a trial: daemon and gateway in the foreground
	$(BIN)/tocsin up $(ARGS)

test: $(VENV)/.dev lint  ## every check and test
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.run  ## figures of this machine, as a table and as JSON
	$(BIN)/python -m bench $(ARGS)

proto: $(VENV)/.dev  ## stubs, text descriptor and docs/api.md from the .proto files
	$(BIN)/python proto/generate.py
	$(BIN)/python proto/reference.py

docs: proto  ## the generated pages of docs/
	$(BIN)/python docs/write_errors.py > docs/errors.md.new && mv docs/errors.md.new docs/errors.md
	$(BIN)/python docs/write_configuration.py > docs/configuration.md.new && mv docs/configuration.md.new docs/configuration.md
	$(BIN)/python -m tocsin_cli.reference > docs/cli.md.new && mv docs/cli.md.new docs/cli.md

clean:
	rm -rf $(VENV) tocsin-data .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.run: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tocsin needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
