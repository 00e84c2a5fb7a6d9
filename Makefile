# Every target works from a fresh clone: it first builds the environment in .venv.
PYTHON ?= $(firstword $(foreach v,python3.11 python3.12 python3.13 python3.14 python3,$(shell command -v $(v) 2>/dev/null)))
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
UV_VERSION := 0.13.9
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never

.PHONY: install lock lint format test serve demo bench crash clean

install: .venv/.installed

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.installed: requirements.lock pyproject.toml | $(filter .uv/bin/uv,$(UV))
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

lock: | $(filter .uv/bin/uv,$(UV))
	$(UV) pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --group dev \
	    --custom-compile-command "make lock" pyproject.toml --output-file requirements.lock

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest -n auto

serve: install
	$(BIN)/clearwindow serve --host 127.0.0.1 --port 8080 --data ./data

crash: install
	$(BIN)/python -m tests.crash

demo: install
	$(BIN)/clearwindow demo

clean:
	rm -rf .venv .uv
