# Everything here needs Python 3.11 or newer and make; each target does its own set-up in .venv.
PYTHON ?= python3
PREFIX ?= /opt/tocsin
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-systemd lint bench proto docs lock install uninstall deb clean

run: $(VENV)/.run  ## a trial: daemon and gateway in the foreground
	$(BIN)/tocsin up $(ARGS)

test: $(VENV)/.dev lint  ## every check and test
	$(BIN)/python -m pytest $(ARGS)

test-systemd:  ## the package in a booted Debian 12, by root: a minute or two, and more the first time
	/usr/bin/python3 tests/systemd/booted.py

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

lock: $(VENV)/.run  ## what install and deb take, by digest; in a minute or two
	$(BIN)/python systemd/lock.py

install:  ## by root: Tocsin under PREFIX (/opt/tocsin), or its upgrade; START=yes starts it, or restarts it
	PYTHON='$(PYTHON)' PREFIX='$(PREFIX)' START='$(START)' systemd/install.sh

uninstall:  ## by root: keeps the data and the configuration
	PREFIX='$(PREFIX)' systemd/uninstall.sh

deb:  ## build/tocsin_*.deb
	systemd/debian/build.sh

clean:
	rm -rf $(VENV) build tocsin-data .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.run: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tocsin needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
