"""Kills at one step of a settlement, and checks what must hold afterwards. Protocol §10.7."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import httpx2
import psycopg
from psycopg import sql

from tests.crash import holds
from tests.crash.networks import (
    CURRENCIES,
    PATH,
    Amounts,
    Balances,
    LargeNetwork,
    build_large_network,
)
from tests.crash.servers import (
    OPERATOR_TOKEN,
    SERVER_SURVIVES,
    Server,
    Target,
    connected,
    running_server,
    stopped,
    wait_until,
)
from tests.crash.steps import Phase, Step
from tests.support.events import events_of_settlement
from tests.support.networks import Json, Network, ok
from tests.support.operators import OperatorClient

TIMEOUT_SECONDS: Final = 60
EVENT_TYPES: Final = ("settlement.initiated", "settlement.finalizing", "settlement.completed", "balance.changed")


class Sending:
    """Sends a request in a thread of its own. It may never be answered."""

    def __init__(self, large_network: LargeNetwork, content: bytes) -> None:
        self.response: httpx2.Response | None = None
        self._large_network, self._content = large_network, content
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def outcome(self) -> httpx2.Response | None:
        """Returns the answer, or None if the connection broke before it came."""
        self._thread.join(TIMEOUT_SECONDS)
        assert not self._thread.is_alive(), "the request was not answered, and its connection is still open"
        return self.response

    def _send(self) -> None:
        try:
            self.response = self._large_network.partner.api.post_raw(PATH, self._content, version=2)
        except httpx2.HTTPError:
            self.response = None


@dataclass
class CrashRun:
    """A server with a large network, which is killed any number of times.

    Attributes:
        rng: draws the amounts.
        thorough: whether the command line checks the ledger after every kill. That takes longer than the same
            check by the server.
        adjusted: the adjusted transfers of the disputer, by currency, which the next settlement takes up.
    """

    server: Server
    operator: OperatorClient
    large_network: LargeNetwork
    rng: random.Random
    thorough: bool
    adjusted: dict[str, int] = field(default_factory=dict)

    def settle_with_dispute(self) -> None:
        """Settles once without a kill, with a dispute, whose closure the next settlement takes up."""
        self._settle(None, Target.SERVER)

    def crash(self, step: Step, target: Target) -> None:
        """Settles once, and kills the target at the step."""
        self._settle(step, target)

    def check(self) -> None:
        """Checks everything that must always hold. Protocol §10."""
        if self.thorough:
            self.server.check()
        assert self.operator.check() == []

    def settle_without_dispute(self) -> None:
        """Settles a last time and takes up the last closure: nothing at all may be held afterwards."""
        amounts = self.large_network.amounts(self.rng)
        external_id, content = self.large_network.request(amounts)
        ok(self.large_network.partner.api.post_raw(PATH, content, version=2))
        with connected(self.server.dsn) as connection:
            settlement_id = _only_settlement(connection, external_id)
            end_window(connection, settlement_id, "dispute")
            end_window(connection, settlement_id, "top_up")
            _wait_for_state(connection, settlement_id, "completed")
            assert connection.execute("SELECT count(*) FROM hold").fetchone() == (0,)
        self.adjusted = {}
        self.server.check()

    def _settle(self, step: Step | None, target: Target) -> None:
        settlement = _Settlement(self, step, target)
        settlement.run()
        self.adjusted = dict(settlement.amounts[self.large_network.disputer.id])


@contextmanager
def open_crash_run(seed: int, *, thorough: bool) -> Iterator[CrashRun]:
    """Starts a server with a large network, on which every step can be held."""
    with (
        running_server() as server,
        OperatorClient(server.url, OPERATOR_TOKEN) as operator,
        Network(operator) as network,
    ):
        large_network = build_large_network(network, server.dsn)
        holds.install(server, large_network)
        run = CrashRun(server, operator, large_network, random.Random(seed), thorough)  # noqa: S311 - amounts are no secrets
        run.settle_with_dispute()
        yield run


class _Settlement:
    """One settlement from staging to completion, with a dispute, and with a kill if there is a step."""

    def __init__(self, crash_run: CrashRun, step: Step | None, target: Target) -> None:
        self.crash_run, self.server, self.large_network = crash_run, crash_run.server, crash_run.large_network
        self.kill_at, self.target = step, target
        self.amounts: Amounts = self.large_network.amounts(crash_run.rng)
        self.external_id, self.content = self.large_network.request(self.amounts)
        self.answer: Json = {}
        self.settlement_id = UUID(int=0)

    @property
    def step(self) -> Step:
        assert self.kill_at is not None, "this settlement has no kill"
        return self.kill_at

    def run(self) -> None:
        killed_in = self.kill_at.phase if self.kill_at else None
        with connected(self.server.dsn) as connection:
            before = self.large_network.balances(connection)
        if killed_in is Phase.STAGING:
            self._kill_staging()
        else:
            self._stage()
        self._raise_dispute()
        for phase, window in ((Phase.FINALISATION, "dispute"), (Phase.EXECUTION, "top_up")):
            if killed_in is phase:
                self._kill_worker(window)
            else:
                self._end_window(window)
        with connected(self.server.dsn) as connection:
            _wait_for_state(connection, self.settlement_id, "completed")
            assert self.large_network.balances(connection) == self._expected(before)
            self._assert_nothing_doubled(connection)
        self.crash_run.check()
        self._close_dispute()

    def _stage(self) -> None:
        self.answer = ok(self.large_network.partner.api.post_raw(PATH, self.content, version=2))
        with connected(self.server.dsn) as connection:
            self.settlement_id = _only_settlement(connection, self.external_id)

    def _kill_staging(self) -> None:
        with holds.step_held(self.server, self.step, self.large_network) as holder:
            sending = Sending(self.large_network, self.content)
            self._kill_when_held(holder)
        answered = sending.outcome()
        self._recover()
        with connected(self.server.dsn) as connection:
            made = _settlements(connection, self.external_id)
        assert len(made) == int(self.step.committed)
        if answered is not None:
            # When everything is killed the database ends first, and the server may still answer with an error.
            assert self.target is not Target.SERVER
            assert answered.status_code == 500
            assert not (made and "nothing was written" in answered.text), answered.text
        again = self.large_network.partner.api.post_raw(PATH, self.content, version=2)
        self.answer = ok(again)
        assert (again.headers.get("Idempotent-Replayed") == "true") is self.step.committed
        with connected(self.server.dsn) as connection:
            self.settlement_id = _only_settlement(connection, self.external_id)

    def _kill_worker(self, window: str) -> None:
        with connected(self.server.dsn) as connection:
            _move_deadline(connection, self.settlement_id, window)
        with holds.step_held(self.server, self.step, self.large_network) as holder:
            with connected(self.server.dsn) as connection:
                _make_due(connection, self.settlement_id)
            self._kill_when_held(holder)
        self._recover()
        again = self.large_network.partner.api.post_raw(PATH, self.content, version=2)
        assert ok(again) == self.answer
        with connected(self.server.dsn) as connection:
            assert _only_settlement(connection, self.external_id) == self.settlement_id
            state = "top_up_window" if window == "dispute" else "completed"
            _wait_for_state(connection, self.settlement_id, state)

    def _kill_when_held(self, holder: int) -> None:
        backend = holds.wait_until_held(self.server, self.step)
        with stopped(holder):
            self.server.kill(self.target, backend)

    def _recover(self) -> None:
        if self.target in SERVER_SURVIVES:
            holds.release(self.server, self.step)
        self.server.recover(self.target)
        self.crash_run.check()

    def _end_window(self, window: str) -> None:
        with connected(self.server.dsn) as connection:
            end_window(connection, self.settlement_id, window)
            _wait_for_state(connection, self.settlement_id, "top_up_window" if window == "dispute" else "completed")

    def _raise_dispute(self) -> None:
        disputer = self.large_network.disputer
        body = disputer.client.enterprise.sign({"connectionId": disputer.id, "expectedTransfers": {}})
        raised = ok(disputer.client.api.post(f"/clients/settlements/{self.settlement_id}/disputes", body))
        self.dispute_id = UUID(raised["dispute"]["id"])

    def _close_dispute(self) -> None:
        disputer = self.large_network.disputer
        body = disputer.client.enterprise.sign({"notes": "we were wrong"})
        path = f"/clients/settlements/disputes/{self.dispute_id}/close"
        closed = ok(disputer.client.api.post(path, body))["disputeClosure"]
        assert closed["status"] == "approved"

    def _expected(self, before: Balances) -> Balances:
        """Returns the balances at the end, added up amount by amount."""
        after = dict(before)
        disputer = self.large_network.disputer.id
        for connection, given in self.amounts.items():
            moved = self.crash_run.adjusted if connection == disputer else given
            for name, amount in moved.items():
                _add(after, (self.large_network.accounts[connection], CURRENCIES[name]), available=amount)
                _add(after, (self.large_network.partner_account, CURRENCIES[name]), available=-amount)
        for name, currency in CURRENCIES.items():
            account = (self.large_network.accounts[disputer], currency)
            # The hold of the former dispute has been paid; the hold of the new dispute takes its place.
            available, held = after[account]
            disputed = -self.amounts[disputer][name]
            after[account] = (available + held - disputed, disputed)
        return after

    def _assert_nothing_doubled(self, connection: psycopg.Connection) -> None:
        holds = connection.execute("SELECT DISTINCT cause_id FROM hold").fetchall()
        assert holds == [(self.dispute_id,)], "a hold remains"
        expected = {(enterprise, kind, 1) for enterprise in self.large_network.enterprises for kind in EVENT_TYPES}
        assert events_of_settlement(connection, self.settlement_id) == expected
        entries = connection.execute(
            "SELECT kind, count(*) FROM ledger_entry WHERE cause_id = %s GROUP BY kind", [self.settlement_id]
        ).fetchall()
        assert sorted(entries) == [("settlement_executed", 1), ("settlement_held", 1)]
        transfers = connection.execute(
            "SELECT connection_id, currency, quantity FROM settlement_transfer"
            " WHERE settlement_id = %s AND dispute_closure_id IS NULL",
            [self.settlement_id],
        ).fetchall()
        assert sorted((str(of), currency, int(quantity)) for of, currency, quantity in transfers) == sorted(
            (of, CURRENCIES[name], amount) for of, given in self.amounts.items() for name, amount in given.items()
        )


def end_window(connection: psycopg.Connection, settlement_id: UUID, window: str) -> None:
    """Moves the deadline of the window to now; the worker does the rest."""
    with connection.transaction():
        _move_deadline(connection, settlement_id, window)
        _make_due(connection, settlement_id)


def _move_deadline(connection: psycopg.Connection, settlement_id: UUID, window: str) -> None:
    """Moves the deadline of the window to now, for the settlement and its parties. The worker does not look yet."""
    now = "date_trunc('milliseconds', clock_timestamp())"
    moved = sql.SQL("UPDATE settlement SET {} = {} WHERE id = %s")
    with connection.transaction():
        # Deadlines never change: the triggers that say so are off for this transaction.
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(moved.format(sql.Identifier(f"{window}_deadline_at"), sql.SQL(now)), [settlement_id])
        connection.execute(
            "UPDATE settlement_party SET dispute_deadline_at = settlement.dispute_deadline_at"
            " FROM settlement WHERE settlement.id = settlement_id AND settlement_id = %s",
            [settlement_id],
        )
        connection.execute("SET LOCAL session_replication_role = origin")


def _make_due(connection: psycopg.Connection, settlement_id: UUID) -> None:
    due = "UPDATE settlement SET due_at = date_trunc('milliseconds', clock_timestamp()) WHERE id = %s"
    connection.execute(due, [settlement_id])


def _add(balances: Balances, key: tuple[UUID, str], *, available: int) -> None:
    had, held = balances.get(key, (0, 0))
    balances[key] = (had + available, held)


def _settlements(connection: psycopg.Connection, external_id: str) -> list[UUID]:
    rows = connection.execute("SELECT id FROM settlement WHERE external_id = %s", [external_id]).fetchall()
    return [row[0] for row in rows]


def _only_settlement(connection: psycopg.Connection, external_id: str) -> UUID:
    (settlement_id,) = _settlements(connection, external_id)
    return settlement_id


def _wait_for_state(connection: psycopg.Connection, settlement_id: UUID, state: str) -> None:
    def reached() -> bool:
        row = connection.execute("SELECT state FROM settlement WHERE id = %s", [settlement_id]).fetchone()
        return row == (state,)

    wait_until(reached, TIMEOUT_SECONDS, f"the settlement did not become {state}")
