"""A sandbox: the same network over a marked database, in a world whose time stands still unless it is moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from clearwindow.access import rules
from clearwindow.access.service import ensure_bootstrap_operator
from clearwindow.clock import ManualClock
from clearwindow.database.pool import Database
from clearwindow.database.sandbox import SharedClock, clock_of
from clearwindow.ids import RandomIds
from clearwindow.outgoing.client import Outgoing
from clearwindow.runtime import CallTerms, Limits, Runtime
from clearwindow.vault import KEY_BYTES, Vault
from tests.conftest import OPERATOR_TOKEN
from tests.support.events import assert_events_documented

Join = Callable[[], Runtime]


@pytest.fixture
def join(dsn: str, clock: ManualClock) -> Iterator[Join]:
    """Makes one more process of the sandbox, as far as its state goes; ``clock`` is the world's."""
    clock_of(dsn, sandbox=True)
    with ExitStack() as stack:

        def joined() -> Runtime:
            shared = SharedClock(clock)
            database = Database(dsn, shared)
            database.open()
            stack.callback(database.close)
            outgoing = Outgoing(allow_private=True, timeout_seconds=1.5)
            stack.callback(outgoing.close)
            token = rules.token_sha256(OPERATOR_TOKEN)
            calls = CallTerms(inline_attempts=2)
            return Runtime(database, shared, RandomIds(), Limits(), Vault(bytes(KEY_BYTES)), token, outgoing, calls)

        yield joined
    assert_events_documented(dsn)


@pytest.fixture
def runtime(join: Join) -> Runtime:
    runtime = join()
    ensure_bootstrap_operator(runtime)
    return runtime
