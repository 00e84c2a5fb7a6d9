"""One kill at one step, and everything that must hold afterwards. Protocol §10.7."""

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

from tests.crash import holding
from tests.crash.servers import LIVES_ON, OPERATOR_TOKEN, Server, Target, connected, running_server, wait_until
from tests.crash.steps import Phase, Step
from tests.crash.towns import CURRENCIES, PATH, Amounts, Balances, Town, build_town
from tests.support.networks import Json, Network, ok
from tests.support.operators import OperatorClient

COURSE_SECONDS: Final = 60
EVENT_TYPES: Final = ("settlement.initiated", "settlement.finalizing", "settlement.completed", "balance.changed")


class Sending:
    """A request under way in a thread of its own, which may never be answered."""

    def __init__(self, town: Town, content: bytes) -> None:
        self.response: httpx2.Response | None = None
        self._town, self._content = town, content
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def outcome(self) -> httpx2.Response | None:
        """The answer, or None where the connection broke before there was one."""
        self._thread.join(COURSE_SECONDS)
        assert not self._thread.is_alive(), "the request was neither answered nor broken off"
        return self.response

    def _send(self) -> None:
        try:
            self.response = self._town.partner.api.post_raw(PATH, self._content, version=2)
        except httpx2.HTTPError:
            self.response = None


@dataclass
class Place:
    """A server and a town on it, through any number of kills.

    ``waiting`` is the adjusted transfer of the disputer that the next settlement takes; ``thorough`` has every
    kill followed by the command line's check, which takes longer than the same check by the server.
    """

    server: Server
    operator: OperatorClient
    town: Town
    dice: random.Random
    thorough: bool
    waiting: dict[str, int] = field(default_factory=dict)

    def leave_a_closure(self) -> None:
        """Drives one settlement through its whole course in peace, so that the next one has a closure to take."""
        course = _Course(self, None, Target.SERVER)
        course.run()
        self.waiting = dict(course.amounts[self.town.disputer.id])

    def crash(self, step: Step, target: Target) -> None:
        """Drives one settlement through its whole course, and kills the target at the step."""
        course = _Course(self, step, target)
        course.run()
        self.waiting = dict(course.amounts[self.town.disputer.id])

    def check(self) -> None:
        """Everything that must always hold does. Protocol §10."""
        if self.thorough:
            self.server.check()
        assert self.operator.check() == []

    def settle_in_peace(self) -> None:
        """A last settlement that takes the last closure; after it nothing at all may be held."""
        amounts = self.town.amounts(self.dice)
        external_id, content = self.town.request(amounts)
        ok(self.town.partner.api.post_raw(PATH, content, version=2))
        with connected(self.server.dsn) as connection:
            settlement_id = _only_settlement(connection, external_id)
            end_window(connection, settlement_id, "dispute")
            end_window(connection, settlement_id, "top_up")
            _wait_for_state(connection, settlement_id, "completed")
            assert connection.execute("SELECT count(*) FROM hold").fetchone() == (0,)
        self.waiting = {}
        self.server.check()


@contextmanager
def open_place(seed: int, *, thorough: bool) -> Iterator[Place]:
    """A new server with a town on it, ready to be held at any step."""
    with (
        running_server() as server,
        OperatorClient(server.url, OPERATOR_TOKEN) as operator,
        Network(operator) as network,
    ):
        town = build_town(network, server.dsn)
        holding.install(server, town)
        place = Place(server, operator, town, random.Random(seed), thorough)  # noqa: S311 - amounts are no secrets
        place.leave_a_closure()
        yield place


class _Course:
    def __init__(self, place: Place, step: Step | None, target: Target) -> None:
        self.place, self.server, self.town = place, place.server, place.town
        self.kill_at, self.target = step, target
        self.amounts: Amounts = self.town.amounts(place.dice)
        self.external_id, self.content = self.town.request(self.amounts)
        self.answer: Json = {}
        self.settlement_id = UUID(int=0)

    @property
    def step(self) -> Step:
        assert self.kill_at is not None, "this settlement is left in peace"
        return self.kill_at

    def run(self) -> None:
        killed_in = self.kill_at.phase if self.kill_at else None
        with connected(self.server.dsn) as connection:
            before = self.town.balances(connection)
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
            assert self.town.balances(connection) == self._expected(before)
            self._assert_nothing_doubled(connection)
        self.place.check()
        self._close_dispute()

    def _stage(self) -> None:
        self.answer = ok(self.town.partner.api.post_raw(PATH, self.content, version=2))
        with connected(self.server.dsn) as connection:
            self.settlement_id = _only_settlement(connection, self.external_id)

    def _kill_staging(self) -> None:
        with holding.holding(self.server, self.step, self.town):
            sending = Sending(self.town, self.content)
            self._kill_when_held()
        answered = sending.outcome()
        self._recover()
        with connected(self.server.dsn) as connection:
            made = _settlements(connection, self.external_id)
        assert len(made) == int(self.step.committed)
        if answered is not None:
            # Of everything the database dies first, and the server may still say so.
            assert self.target is not Target.SERVER
            assert answered.status_code == 500
            assert not (made and "nothing was written" in answered.text), answered.text
        again = self.town.partner.api.post_raw(PATH, self.content, version=2)
        self.answer = ok(again)
        assert (again.headers.get("Idempotent-Replayed") == "true") is self.step.committed
        with connected(self.server.dsn) as connection:
            self.settlement_id = _only_settlement(connection, self.external_id)

    def _kill_worker(self, window: str) -> None:
        with holding.holding(self.server, self.step, self.town):
            with connected(self.server.dsn) as connection:
                end_window(connection, self.settlement_id, window)
            self._kill_when_held()
        self._recover()
        again = self.town.partner.api.post_raw(PATH, self.content, version=2)
        assert ok(again) == self.answer
        with connected(self.server.dsn) as connection:
            assert _only_settlement(connection, self.external_id) == self.settlement_id
            state = "top_up_window" if window == "dispute" else "completed"
            _wait_for_state(connection, self.settlement_id, state)

    def _kill_when_held(self) -> None:
        backend = holding.wait_until_held(self.server, self.step)
        self.server.kill(self.target, backend)

    def _recover(self) -> None:
        if self.target in LIVES_ON:
            holding.let_go(self.server, self.step)
        self.server.recover(self.target)
        self.place.check()

    def _end_window(self, window: str) -> None:
        with connected(self.server.dsn) as connection:
            end_window(connection, self.settlement_id, window)
            _wait_for_state(connection, self.settlement_id, "top_up_window" if window == "dispute" else "completed")

    def _raise_dispute(self) -> None:
        disputer = self.town.disputer
        body = disputer.client.enterprise.sign({"connectionId": disputer.id, "expectedTransfers": {}})
        raised = ok(disputer.client.api.post(f"/clients/settlements/{self.settlement_id}/disputes", body))
        self.dispute_id = UUID(raised["dispute"]["id"])

    def _close_dispute(self) -> None:
        disputer = self.town.disputer
        with connected(self.server.dsn) as connection:
            connection.execute(
                "UPDATE settlement_party SET dispute_deadline_at = now() - interval '1 second'"
                " WHERE settlement_id = %s AND connection_id = %s",
                [self.settlement_id, disputer.id],
            )
        body = disputer.client.enterprise.sign({"notes": "we were wrong"})
        path = f"/clients/settlements/disputes/{self.dispute_id}/close"
        closed = ok(disputer.client.api.post(path, body))["disputeClosure"]
        assert closed["status"] == "approved"

    def _expected(self, before: Balances) -> Balances:
        """The balances when it is all over, counted one amount after another."""
        after = dict(before)
        disputer = self.town.disputer.id
        for connection, given in self.amounts.items():
            moved = self.place.waiting if connection == disputer else given
            for name, amount in moved.items():
                _add(after, (self.town.accounts[connection], CURRENCIES[name]), available=amount)
                _add(after, (self.town.partner_account, CURRENCIES[name]), available=-amount)
        for name, currency in CURRENCIES.items():
            account = (self.town.accounts[disputer], currency)
            # What was held for the former dispute has been paid; what is disputed now takes its place.
            available, held = after[account]
            disputed = -self.amounts[disputer][name]
            after[account] = (available + held - disputed, disputed)
        return after

    def _assert_nothing_doubled(self, connection: psycopg.Connection) -> None:
        holds = connection.execute("SELECT DISTINCT cause_id FROM hold").fetchall()
        assert holds == [(self.dispute_id,)], "a hold is left"
        events = connection.execute(
            "SELECT enterprise_id, type, count(*) FROM event WHERE subject_id = %s GROUP BY 1, 2",
            [self.settlement_id],
        ).fetchall()
        expected = {(enterprise, kind, 1) for enterprise in self.town.enterprises for kind in EVENT_TYPES}
        assert set(events) == expected
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
    """Brings the deadline of the window forward to now; everything else is the worker's."""
    deadline = sql.Identifier(f"{window}_deadline_at")
    now = sql.SQL("date_trunc('milliseconds', clock_timestamp())")
    moved = sql.SQL("UPDATE settlement SET {} = {}, due_at = {} WHERE id = %s").format(deadline, now, now)
    connection.execute(moved, [settlement_id])


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

    wait_until(reached, COURSE_SECONDS, f"the settlement did not become {state} by itself")
