# One-word tasks. Each sets up what it needs; set-up is redone only when pyproject.toml or constraints.txt changed.
PYTHON ?= python3
VENV   := .venv
READY  := $(VENV)/.ready

# A question may hold quotes, backticks and $: it goes through the environment, as it was typed, and is never
# expanded by make or the shell.
QUESTION_AS_TYPED := $(value Q)
export QUESTION_AS_TYPED
unexport Q
MAKEOVERRIDES :=

# Where to take torch from, for machines whose pip would bring the CUDA build (see README).
TORCH_INDEX ?=

.PHONY: ask test lint types eval bench docs clean
.DEFAULT_GOAL := test

ask: $(READY)
	@[ -n "$$QUESTION_AS_TYPED" ] || { echo 'usage: make ask Q="your question"' >&2; exit 2; }
	@$(VENV)/bin/cyberqa ask -- "$$QUESTION_AS_TYPED" || [ $$? -eq 3 ]

test: $(READY)
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(READY)
	$(VENV)/bin/mypy

eval: $(READY)
	$(VENV)/bin/cyberqa eval check
	$(VENV)/bin/cyberqa eval gate
	$(VENV)/bin/python evals/table.py

bench: $(READY)
	$(VENV)/bin/python benchmarks/run_all.py

docs: $(READY)
	$(VENV)/bin/python docs/make_commands.py
	$(VENV)/bin/python docs/make_countries.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis src/cyberqa.egg-info
	find index -mindepth 1 ! -name README.md -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@echo "setting up $(VENV) (some minutes, once)…" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) -c constraints.txt torch
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
