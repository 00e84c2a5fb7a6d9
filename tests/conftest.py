"""Fixtures: every test of the network has its own database, a clock that it moves, and a server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import hypothesis
import pytest
import structlog
from fastapi import FastAPI

from clearwindow import bootstrap
from clearwindow.core.clock import ManualClock
from clearwindow.identity.operators import ensure_bootstrap_operator
from clearwindow.runtime import CallTerms, Runtime
from clearwindow.web.app import create_app
from tests.support.databases import TestCluster, running_cluster
from tests.support.events import assert_events_documented
from tests.support.exchanges import checked_exchanges
from tests.support.logs import own_logging
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.partners import FakePartner, fake_partner
from tests.support.runtimes import open_runtime
from tests.support.server import serving
from tests.support.settlements import Testbed
from tests.support.summary import (  # noqa: F401 - hooks of pytest
    pytest_addoption,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from tools.operations_page import shown_in

# Loggers would keep the standard output that pytest captures, after the capture has ended.
structlog.configure(logger_factory=structlog.ReturnLoggerFactory())

# A machine that is busy, or counts lines, is slow, which is no defect of a test.
_UNTIMED: dict[str, Any] = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
# In CI every run tries the same examples, so that only a change can make it fail; elsewhere the examples are new.
hypothesis.settings.register_profile("ci", derandomize=True, **_UNTIMED)
hypothesis.settings.register_profile("here", **_UNTIMED)
hypothesis.settings.register_profile("coverage", **_UNTIMED)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")

OPERATOR_TOKEN = "the-token-in-the-settings-of-the-tests"
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _checked(request: pytest.FixtureRequest) -> Iterator[None]:
    with checked_exchanges(shown_in(request.node.nodeid)), own_logging():
        yield


@pytest.fixture(scope="session", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps bytecode during the run: without it a process spends most of its start on compiling."""
    with pytest.MonkeyPatch.context() as patched:
        if sys.dont_write_bytecode:
            patched.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            patched.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("compiled")))
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[TestCluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def dsn(cluster: TestCluster) -> Iterator[str]:
    with cluster.fresh_database() as dsn:
        yield dsn


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def connection_wait_seconds() -> float:
    """How long a transaction waits for a connection. Tests of an unavailable database wait for less."""
    return 30


@pytest.fixture
def runtime(dsn: str, clock: ManualClock, connection_wait_seconds: float) -> Iterator[Runtime]:
    # Long enough for an answer on the slowest machine. Tests of servers that do not answer wait for less.
    with open_runtime(
        dsn,
        clock,
        operator_token=OPERATOR_TOKEN,
        answer_seconds=20,
        calls=CallTerms(inline_attempts=2),
        connection_wait_seconds=connection_wait_seconds,
    ) as runtime:
        ensure_bootstrap_operator(runtime)
        yield runtime
        assert_events_documented(dsn)


@pytest.fixture(scope="session")
def served_app() -> Iterator[tuple[FastAPI, str]]:
    """One server for the whole run; each test gives it its own runtime."""
    app = create_app(None, bootstrap.all_routers(60))  # type: ignore[arg-type]  # set by ``base_url`` before the first request
    with serving(app) as url:
        yield app, url


@pytest.fixture
def base_url(served_app: tuple[FastAPI, str], runtime: Runtime) -> str:
    app, url = served_app
    app.state.runtime = runtime
    return url


@pytest.fixture
def operator(base_url: str) -> Iterator[OperatorClient]:
    """The operator with the token of the settings."""
    with OperatorClient(base_url, OPERATOR_TOKEN) as client:
        yield client


@pytest.fixture
def network(operator: OperatorClient) -> Iterator[Network]:
    with Network(operator) as network:
        yield network


@pytest.fixture
def testbed(network: Network, clock: ManualClock, runtime: Runtime) -> Testbed:
    """A network with a clock and a worker that the test moves."""
    return Testbed(network, clock, runtime)


@pytest.fixture
def partner_server(base_url: str) -> Iterator[FakePartner]:
    """The endpoint of a partner, at ``partner_server.url``."""
    with fake_partner(base_url) as partner:
        yield partner
