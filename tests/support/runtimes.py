"""A runtime over a database, for tests and benchmarks that call the product in their own process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from clearwindow.bootstrap import ACTS
from clearwindow.core.clock import Clock, SystemClock
from clearwindow.core.ids import RandomIds
from clearwindow.core.vault import KEY_BYTES, Vault
from clearwindow.identity.rules import token_sha256
from clearwindow.outbound.client import Outgoing
from clearwindow.outbound.waits import WaitTerms
from clearwindow.postgres.budget import Budget, LockWaits
from clearwindow.postgres.pool import Database
from clearwindow.proposals.service import Proposals
from clearwindow.runtime import CallTerms, Limits, Oversight, Runtime
from clearwindow.settlements import funding
from tests.support.databases import as_application
from tests.support.recycling import kept_pool

SECRET_KEY = bytes(KEY_BYTES)
DEFAULT_CALLS = CallTerms()
PATIENT_LOCK_WAITS = LockWaits(request_seconds=100, background_seconds=100)
PATIENT_WAITS = WaitTerms(at_once=64, share=1, silent_share=1)


ALONE = Oversight(approvals_needed=0, key_cool_off=timedelta(0))


@contextmanager
def open_runtime(
    dsn: str,
    clock: Clock | None = None,
    *,
    operator_token: str | None = None,
    answer_seconds: float = 10,
    calls: CallTerms = DEFAULT_CALLS,
    connection_wait_seconds: float = 30,
    budget: Budget | None = None,
    lock_waits: LockWaits = PATIENT_LOCK_WAITS,
    waits: WaitTerms = PATIENT_WAITS,
    oversight: Oversight = ALONE,
) -> Iterator[Runtime]:
    """Opens a runtime until the block ends.

    Args:
        dsn: of a migrated database. In an embedded one, the runtime has the application's role.
        clock: the system's clock if there is none.
        operator_token: of the operator ``bootstrap``.
        answer_seconds: how long calls to other servers wait for an answer.
        calls: how partners are called.
        connection_wait_seconds: how long a transaction waits for a connection. A busy machine must not fail a test
            of something else, so it is longer than the product's default, like the waits for locks and partners.
        budget: how the connections are divided. They are not, without it.
        lock_waits: how long a lock is waited for.
        waits: how many calls may wait for partners.
        oversight: how operators watch over one another. Without it, one operator acts alone.
    """
    clock = clock or SystemClock()
    kept = kept_pool(dsn, clock, connection_wait_seconds, lock_waits) if budget is None else None
    database = kept or Database(
        as_application(dsn), clock, wait_seconds=connection_wait_seconds, lock_waits=lock_waits, budget=budget
    )
    if kept is None:
        database.open()
    outgoing = Outgoing(allow_private=True, timeout_seconds=answer_seconds, waits=waits)
    proposing = Proposals(ACTS)
    token = None if operator_token is None else token_sha256(operator_token)
    try:
        yield Runtime(
            database,
            clock,
            RandomIds(),
            Limits(),
            Vault(SECRET_KEY),
            funding,
            proposing,
            token,
            outgoing,
            calls,
            oversight,
        )
    finally:
        outgoing.close()
        if kept is None:
            database.close()
