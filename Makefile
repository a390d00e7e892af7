PY ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test check docs viewer clean

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

setup: $(VENV)/.ok  ## install everything into .venv

$(VENV)/.ok: pyproject.toml constraints.txt
	$(PY) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	UV_FIND_LINKS="$${UV_FIND_LINKS-$${PIP_FIND_LINKS-}}" $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e ".[test,check]"
	touch $@

demo: setup  ## make the simulated world, train on it, score, and map it
	$(BIN)/vadose demo

test: setup check  ## every check and every test
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

check: setup  ## style, types and the import law
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -p no:randomly tests/test_99_architecture.py
	$(BIN)/sphinx-build -q -W --keep-going -d build/doctrees docs build/docs

docs: setup  ## build the documentation site in build/docs, and run its code blocks
	$(BIN)/python docs/generate.py
	$(BIN)/sphinx-build -q -W --keep-going -d build/doctrees docs build/docs
	$(BIN)/pytest -q tests/test_95_docs.py tests/test_95_tutorials.py $(wildcard tests/test_86_api_pages.py)

viewer:  ## build the viewer from viewer/ (needs Node.js); its files are committed
	cd viewer && npm ci --no-audit --no-fund && npm run build

clean:  ## remove what was made, but not the environment
	rm -rf demo runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
