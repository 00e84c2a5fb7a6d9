"""A sandbox for tests: a network on a marked database, with a manual clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from clearwindow.core.clock import ManualClock
from clearwindow.identity.operators import ensure_bootstrap_operator
from clearwindow.postgres.sandbox import SharedClock, clock_of
from clearwindow.runtime import CallTerms, Runtime
from tests.conftest import OPERATOR_TOKEN
from tests.support.events import assert_events_documented
from tests.support.runtimes import open_runtime

Join = Callable[[], Runtime]


@pytest.fixture
def join(dsn: str, clock: ManualClock) -> Iterator[Join]:
    """Returns a function that opens one more runtime, as another process would; ``clock`` is the real time."""
    clock_of(dsn, sandbox=True)
    with ExitStack() as stack:

        def joined() -> Runtime:
            opened = open_runtime(
                dsn,
                SharedClock(clock),
                operator_token=OPERATOR_TOKEN,
                answer_seconds=1.5,
                calls=CallTerms(inline_attempts=2),
            )
            return stack.enter_context(opened)

        yield joined
    assert_events_documented(dsn)


@pytest.fixture
def runtime(join: Join) -> Runtime:
    runtime = join()
    ensure_bootstrap_operator(runtime)
    return runtime
