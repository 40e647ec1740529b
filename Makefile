# Sawt: the two commands are `make run` and `make test`; `make help` lists the others.
SHELL := /bin/bash
PYTHON ?= python3
UV := .tools/bin/uv
HOUSE := .venv/bin/python
NLU := nlu/.venv/bin/python
# one BLAS thread: more threads than cores make small matrices a hundred times slower
NLU_ENV := env OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONPATH=$(CURDIR) RASA_TELEMETRY_ENABLED=false TF_CPP_MIN_LOG_LEVEL=3
export UV_COMPILE_BYTECODE := 1
export UV_LINK_MODE := copy

.PHONY: help run test check train parse evaluate bench benchmark-nlu corrections setup chaos browser
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: setup train ## set everything up, train if needed, start house and assistant
	@exec $(HOUSE) -m bot run

test: setup train browser ## the whole suite of both environments; the last line adds both up
	@$(HOUSE) -m tests

check: setup ## formatting, lint, types, imports, unit and contract tests
	@$(HOUSE) -m ruff format --check . && $(HOUSE) -m ruff check . && $(HOUSE) -m mypy && .venv/bin/lint-imports && $(HOUSE) -m pytest tests/unit tests/contract

train: setup ## train the model from data/ into models/, with progress; nothing where it is there already
	@$(NLU_ENV) $(NLU) -m nlu.train

parse: ## messages from standard input, one a line -> one JSON object a line
	@$(MAKE) --no-print-directory train >&2
	@$(NLU_ENV) $(NLU) -m nlu.parse

evaluate: ## FILE=x.jsonl: score the trained model on labelled messages
	@$(MAKE) --no-print-directory train >&2
	@$(NLU_ENV) $(NLU) -m nlu.evaluate $(FILE)

benchmark-nlu: setup train ## the NLU beside its parts and beside stock Rasa, one table
	@$(NLU_ENV) $(NLU) -m bench.understanding

corrections: setup ## clerks' corrections to review; FILE=x.jsonl: learn from the reviewed ones; UNDO=1: the model before
	@if [ -n "$(UNDO)" ]; then $(NLU_ENV) $(NLU) -m nlu.corrections --undo; elif [ -n "$(FILE)" ]; then $(NLU_ENV) $(NLU) -m nlu.corrections $(FILE); else $(HOUSE) -m bot corrections; fi

bench: setup train ## the benchmarks, beside a stock Rasa bot in the same run
	@$(HOUSE) -m bench

chaos: setup train ## the faults: kill -9 at every point, the assistant away, the same message twice
	@CHAOS=whole $(HOUSE) -m pytest tests/chaos -q

setup: .venv/.done nlu/.venv/.done ## both environments

$(UV):
	@echo "setting up: uv"
	@$(PYTHON) -m venv .tools && .tools/bin/pip install --quiet --disable-pip-version-check uv

.venv/.done: uv.lock pyproject.toml | $(UV)
	@echo "setting up: the house"
	@$(UV) sync --frozen --quiet && touch $@

nlu/.venv/.done: nlu/uv.lock nlu/pyproject.toml | $(UV)
	@echo "setting up: the assistant (a few minutes the first time)"
	@cd nlu && ../$(UV) sync --frozen --quiet && touch .venv/.done

browser: ## what the browser tests need, where npm is there
	@if command -v npm >/dev/null && [ -f tests/browser/package.json ] && [ ! -d tests/browser/node_modules ]; then cd tests/browser && npm ci --silent --no-audit --no-fund || true; fi
