"""Immediate settlements against a plain-Python model, with random events. Protocol §5, §10."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass

import httpx2
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.settlements.test_model import ALLOCATED, CURRENCIES, NAMES, QUANTITIES, isolated_testbed
from tests.support.databases import TestCluster
from tests.support.networks import ConnectionHandle, Json, ok
from tests.support.settlements import STEPS_PER_PROOF, fields_at_once, fields_of, post

Key = tuple[str, str]
"""A connection and our currency name. The partner's own account is the connection ""."""

PATHS = st.sampled_from(["/partners/settlements", "/partners/settlements/nonReconciled"])
AMOUNTS = st.dictionaries(
    st.integers(0, 2),
    st.dictionaries(st.sampled_from(sorted(CURRENCIES)), QUANTITIES, min_size=1),
    min_size=1,
)


@dataclass
class Recorded:
    """A recorded settlement as the model has it."""

    id: str
    body: Json
    change: dict[Key, int]
    state: str
    answer: httpx2.Response


class ImmediateMachine(RuleBasedStateMachine):
    """Random immediate settlements, repeats, retries, rejections, allocations, deposits and staged settlements."""

    environment: tuple[TestCluster, FastAPI, str]
    steps = 0

    @initialize()
    def build(self) -> None:
        self.stack = ExitStack()
        self.testbed, _ = self.stack.enter_context(isolated_testbed(*self.environment))
        self.partner = self.testbed.network.partner(currencies=CURRENCIES, dispute_window=None, top_up_window=None)
        self.available: defaultdict[Key, int] = defaultdict(int)
        self.held: defaultdict[Key, int] = defaultdict(int)
        self.asked: list[Recorded] = []
        self.connections: list[ConnectionHandle] = []
        for name in ("ann", "bob", "cid"):
            client = self.testbed.network.client(name, deposits=dict.fromkeys(NAMES, 10 * ALLOCATED))
            self.connections.append(self.testbed.network.connect(client, self.partner))
            for currency in NAMES:
                self._allocate(self.connections[-1], currency, ALLOCATED)

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            with self.stack:
                self.testbed.assert_proven()
                self.testbed.assert_signed()

    def _allocate(self, connection: ConnectionHandle, currency: str, quantity: int) -> None:
        ok(connection.allocate(currency, quantity))
        self.available[connection.id, currency] += quantity

    @rule(who=st.integers(0, 2), currency=st.sampled_from(sorted(NAMES)), quantity=st.integers(1, 60))
    def allocate(self, who: int, currency: str, quantity: int) -> None:
        self._allocate(self.connections[who], currency, quantity)

    @rule(who=st.integers(0, 2), currency=st.sampled_from(sorted(NAMES)), quantity=st.integers(1, 120))
    def deallocate(self, who: int, currency: str, quantity: int) -> None:
        key = (self.connections[who].id, currency)
        status = self.connections[who].deallocate(currency, quantity).status_code
        assert status == (200 if quantity <= self.available[key] else 422)
        if status == 200:
            self.available[key] -= quantity

    @rule(currency=st.sampled_from(sorted(NAMES)), quantity=st.integers(1, 80))
    def fund_partner(self, currency: str, quantity: int) -> None:
        self.testbed.operator.deposit(self.partner.enterprise.account.id, currency, quantity)
        self.available["", currency] += quantity
        assert self.testbed.run_due() == 0, "no deposit wakes what executes at once"

    @rule(who=st.integers(0, 2), quantity=st.integers(1, 40))
    def stage_without_executing(self, who: int, quantity: int) -> None:
        """Stages a settlement that never executes: its holds reduce what is available."""
        path, key = f"/partners/{self.partner.id}", (self.connections[who].id, "ofcbtc")
        ok(self.testbed.operator.patch(path, {"clientDisputeWindowMinutes": 500_000}))
        body = self.partner.enterprise.sign(fields_of({self.connections[who].id: {"BTC": str(-quantity)}}))
        status = post(self.partner, body).status_code
        assert status == (200 if quantity <= self.available[key] else 422)
        if status == 200:
            self.available[key] -= quantity
            self.held[key] += quantity
        ok(self.testbed.operator.patch(path, {"clientDisputeWindowMinutes": None}))

    @rule(amounts=AMOUNTS, path=PATHS)
    def settle(self, amounts: dict[int, dict[str, int]], path: str) -> None:
        change: defaultdict[Key, int] = defaultdict(int)
        wire: dict[str, dict[str, str]] = {}
        for who, given in amounts.items():
            connection_id = self.connections[who].id
            wire[connection_id] = {name: str(quantity) for name, quantity in given.items()}
            for name, quantity in given.items():
                change[connection_id, CURRENCIES[name]] += quantity
                change["", CURRENCIES[name]] -= quantity
        body = self.partner.enterprise.sign(fields_at_once(wire))
        answer = self.partner.api.post(path, body)
        asked = Recorded(answer.json()["settlement"]["id"], body, dict(change), "failed", answer)
        self.asked.append(asked)
        self._tried(asked, answer)

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), path=PATHS)
    def send_again(self, data: st.DataObject, path: str) -> None:
        asked = data.draw(st.sampled_from(self.asked))
        answer = self.partner.api.post(path, asked.body)
        assert answer.json()["settlement"]["id"] == asked.id
        if asked.state == "failed":
            self._tried(asked, answer)
            return
        assert answer.headers["Idempotent-Replayed"] == "true"
        assert answer.json()["settlement"]["status"] == asked.state
        if asked.state == "completed":
            assert answer.json()["settlement"] == asked.answer.json()["settlement"]

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        asked = data.draw(st.sampled_from(self.asked))
        answer = self.testbed.operator.post(f"/settlements/{asked.id}/retry")
        if asked.state != "failed":
            assert answer.status_code == 409
            return
        asked.state = self._execute(asked.change)
        assert ok(answer)["settlement"]["status"] == asked.state
        asked.answer = self.partner.api.get(f"/partners/settlements/{asked.id}")

    @precondition(lambda self: any(asked.state == "failed" for asked in self.asked))
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        asked = data.draw(st.sampled_from([one for one in self.asked if one.state == "failed"]))
        ok(self.testbed.operator.post(f"/settlements/{asked.id}/reject"))
        asked.state = "rejected"

    @rule()
    def pass_time(self) -> None:
        assert self.testbed.pass_minutes(60) == 0

    @invariant()
    def balances_and_states_agree(self) -> None:
        if not hasattr(self, "asked"):
            return
        self.steps += 1
        if self.steps % STEPS_PER_PROOF == 0:
            self.testbed.assert_proven()
        for connection in self.connections:
            actual = connection.balances()
            for currency in NAMES:
                key = (connection.id, currency)
                assert actual.get(currency, (0, 0)) == (self.available[key], self.held[key]), key
        balances = self.testbed.operator.balances(self.partner.enterprise.account.id)
        for currency in NAMES:
            assert balances.get(currency, (0, 0)) == (self.available["", currency], 0)
        page = ok(self.testbed.operator.get("/settlements", pageSize=500))
        states = {one["id"]: one["status"] for one in page["settlements"] if one["stage"] != "dispute_window"}
        assert states == {asked.id: asked.state for asked in self.asked}

    def _tried(self, asked: Recorded, answer: httpx2.Response) -> None:
        missing = {key: -(self.available[key] + by) for key, by in asked.change.items()}
        missing = {key: gap for key, gap in missing.items() if gap > 0}
        asked.state, asked.answer = self._execute(asked.change), answer
        assert answer.json()["settlement"]["status"] == asked.state
        assert answer.status_code == (401 if missing else 200)
        if missing:
            details = answer.json()["details"]
            named = {
                (entry.get("connectionId", ""), entry["currency"]): int(entry["shortfall"])
                for entry in (*details["shortfalls"], *details["partnerShortfalls"])
            }
            assert named == missing

    def _execute(self, change: dict[Key, int]) -> str:
        if any(self.available[key] + by < 0 for key, by in change.items()):
            return "failed"
        for key, by in change.items():
            self.available[key] += by
        return "completed"


def test_immediate_settlements_agree_with_the_model(cluster: TestCluster, served_app: tuple[FastAPI, str]) -> None:
    class Machine(ImmediateMachine):
        environment = (cluster, *served_app)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=3,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            print_blob=True,
        ),
    )
