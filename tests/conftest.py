"""Fixtures: every test of the network has its own database, a clock it moves itself, and a real server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import hypothesis
import pytest
import structlog
from fastapi import FastAPI

from clearwindow import bootstrap
from clearwindow.access import rules
from clearwindow.access.service import ensure_bootstrap_operator
from clearwindow.clock import ManualClock
from clearwindow.database.pool import Database
from clearwindow.http.app import create_app
from clearwindow.ids import RandomIds
from clearwindow.outgoing.client import Outgoing
from clearwindow.routers import MIDDLEWARES
from clearwindow.runtime import CallTerms, Limits, Runtime
from clearwindow.vault import KEY_BYTES, Vault
from tests.operations import shown_in
from tests.support.databases import TestCluster, running_cluster
from tests.support.events import assert_events_documented
from tests.support.exchanges import judged
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.partners import FakePartner, fake_partner
from tests.support.server import serving
from tests.support.settling import Floor
from tests.support.summary import (  # noqa: F401 - hooks of pytest
    pytest_addoption,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)

# Logging to the standard output that pytest captures would outlive the capture.
structlog.configure(logger_factory=structlog.ReturnLoggerFactory())

# In CI every run tries the same examples, so that a change is judged by what it changed; everywhere else new ones.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

OPERATOR_TOKEN = "the-token-in-the-settings-of-the-tests"
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _judged(request: pytest.FixtureRequest) -> Iterator[None]:
    with judged(shown_in(request.node.nodeid)):
        yield


@pytest.fixture(scope="session", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where Python is told to keep no bytecode, a process spends most of its start on compiling."""
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
def runtime(dsn: str, clock: ManualClock) -> Iterator[Runtime]:
    database = Database(dsn, clock)
    database.open()
    # Whoever answers must be heard on the slowest machine; tests of those who do not wait for less.
    outgoing = Outgoing(allow_private=True, timeout_seconds=20)
    runtime = Runtime(
        database,
        clock,
        RandomIds(),
        Limits(),
        Vault(bytes(KEY_BYTES)),
        rules.token_sha256(OPERATOR_TOKEN),
        outgoing,
        CallTerms(inline_attempts=2),
    )
    ensure_bootstrap_operator(runtime)
    yield runtime
    assert_events_documented(dsn)
    outgoing.close()
    database.close()


@pytest.fixture(scope="session")
def served_app() -> Iterator[tuple[FastAPI, str]]:
    """One server for the whole run; each test gives it its own runtime."""
    app = create_app(None, bootstrap.all_routers(60), middlewares=MIDDLEWARES)  # type: ignore[arg-type]  # set by ``base_url`` before the first request
    with serving(app) as url:
        yield app, url


@pytest.fixture
def base_url(served_app: tuple[FastAPI, str], runtime: Runtime) -> str:
    app, url = served_app
    app.state.runtime = runtime
    return url


@pytest.fixture
def operator(base_url: str) -> Iterator[OperatorClient]:
    """The operator whose token stands in the settings."""
    with OperatorClient(base_url, OPERATOR_TOKEN) as client:
        yield client


@pytest.fixture
def network(operator: OperatorClient) -> Iterator[Network]:
    with Network(operator) as network:
        yield network


@pytest.fixture
def floor(network: Network, clock: ManualClock, runtime: Runtime) -> Floor:
    """A network with its clock and its worker in the test's hand."""
    return Floor(network, clock, runtime)


@pytest.fixture
def their_side(base_url: str) -> Iterator[FakePartner]:
    """The endpoint of a partner, at ``their_side.url``."""
    with fake_partner(base_url) as partner:
        yield partner
