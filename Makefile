# `make` alone prints the commands. Everything is installed into .venv; a path with a blank is fine.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test install install-dev migrate run worker sync bench lint format check

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: $(VENV)/.runtime ## see it work: imports and syncs real shows from a stand-in for TMDb, then serves them
	@$(PY) -m demo.run

test: $(VENV)/.dev ## the whole suite, on SQLite unless DATABASE_URL says otherwise
	@$(PY) -m pytest -n auto --dist worksteal -q -rs

install: $(VENV)/.runtime ## create .venv with what a server needs
install-dev: $(VENV)/.dev ## ... and what tests and checks need

migrate: $(VENV)/.runtime ## bring the database up to date
	@$(PY) manage.py migrate

run: $(VENV)/.runtime ## serve on http://127.0.0.1:8000
	@$(PY) manage.py check && $(PY) -m daphne -b 127.0.0.1 -p 8000 trr_site.asgi:application

worker: $(VENV)/.runtime ## work on queued tasks, and start what is scheduled
	@$(PY) manage.py check && exec $(PY) manage.py run_worker

sync: $(VENV)/.runtime ## bring everything that is due from TMDb
	@$(PY) manage.py sync_shows

bench: $(VENV)/.dev ## measure; on PostgreSQL when DATABASE_URL names one or one answers on 127.0.0.1:5432
	@$(PY) -m bench.sync && $(PY) -m bench.desk && $(PY) -m bench.api && $(PY) -m bench.ws && $(PY) -m bench.jobs && $(PY) -m bench.export

lint: $(VENV)/.dev ## ruff and mypy
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy .

format: $(VENV)/.dev ## let ruff format the code
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format .

check: lint ## lint, migrations, configuration, tests: what CI runs
	@ENV_FILE= SECRET_KEY=check TMDB_API_KEY=check $(PY) manage.py makemigrations --check --dry-run
	@ENV_FILE= SECRET_KEY=check TMDB_API_KEY=check $(PY) manage.py check --fail-level WARNING
	@$(MAKE) --no-print-directory test

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "TRR needs Python 3.11 or later; name one: make PYTHON=python3.12 ...")'
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# The stamps make `install` quick when nothing changed.
$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	@echo "installing requirements.txt (about a minute the first time)"
	@$(PY) -m pip install -q -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	@echo "installing requirements-dev.txt (about a minute the first time)"
	@$(PY) -m pip install -q -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime
