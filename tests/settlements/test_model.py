"""The network against a plain-Python model of it, over random courses of events. Protocol §5, §6, §10."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
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

from clearwindow.access import rules as access_rules
from clearwindow.access.service import ensure_bootstrap_operator
from clearwindow.clock import ManualClock
from clearwindow.database.pool import Database
from clearwindow.ids import RandomIds
from clearwindow.runtime import Limits, Runtime
from clearwindow.vault import KEY_BYTES, Vault
from tests.conftest import OPERATOR_TOKEN, START
from tests.support.databases import TestCluster
from tests.support.model import Model, ModelDispute, ModelSettlement, Move
from tests.support.networks import ConnectionHandle, Json, Network, ok
from tests.support.operators import OperatorClient
from tests.support.settling import (
    Amounts,
    Floor,
    change_dispute,
    close_dispute,
    dispute,
    fields_of,
    post,
)

CURRENCIES = {"BTC": "ofcbtc", "USD": "ofcusd"}
NAMES = {ours: theirs for theirs, ours in CURRENCIES.items()}
QUANTITIES = st.integers(-60, 60).filter(lambda quantity: quantity != 0)
ALLOCATED = 100


@contextmanager
def fresh_floor(cluster: TestCluster, app: FastAPI, base_url: str) -> Iterator[tuple[Floor, OperatorClient]]:
    """A floor of its own for one example, and a second operator for the four eyes."""
    with ExitStack() as stack:
        clock = ManualClock(START)
        database = Database(stack.enter_context(cluster.fresh_database()), clock)
        database.open()
        stack.callback(database.close)
        token_sha256 = access_rules.token_sha256(OPERATOR_TOKEN)
        runtime = Runtime(database, clock, RandomIds(), Limits(), Vault(bytes(KEY_BYTES)), token_sha256)
        ensure_bootstrap_operator(runtime)
        app.state.runtime = runtime
        operator = stack.enter_context(OperatorClient(base_url, OPERATOR_TOKEN))
        second = stack.enter_context(operator.another())
        yield Floor(stack.enter_context(Network(operator)), clock, runtime), second


class NetworkMachine(RuleBasedStateMachine):
    """Random allocations, settlements, disputes, closures, deposits and passing time."""

    place: tuple[TestCluster, FastAPI, str]
    broker = False

    @initialize()
    def build(self) -> None:
        self.stack = ExitStack()
        self.floor, self.second = self.stack.enter_context(fresh_floor(*self.place))
        self.model = Model()
        self.partner = self.floor.network.partner(currencies=CURRENCIES, broker=self.broker)
        self.connections: list[ConnectionHandle] = []
        for name in ("ann", "bob", "cid"):
            client = self.floor.network.client(name, deposits=dict.fromkeys(NAMES, 10 * ALLOCATED))
            self.connections.append(self.floor.network.connect(client, self.partner))
        for connection in self.connections:
            for currency in NAMES:
                self._allocate(connection, currency, ALLOCATED)
        self.last_body: Json | None = None
        self.last_answer: Json | None = None

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    def _allocate(self, connection: ConnectionHandle, currency: str, quantity: int) -> None:
        ok(connection.allocate(currency, quantity))
        self.model.accounts[connection.id, currency].available += quantity

    @rule(who=st.integers(0, 2), currency=st.sampled_from(sorted(NAMES)), quantity=st.integers(1, 60))
    def allocate(self, who: int, currency: str, quantity: int) -> None:
        self._allocate(self.connections[who], currency, quantity)

    @rule(who=st.integers(0, 2), currency=st.sampled_from(sorted(NAMES)), quantity=st.integers(1, 120))
    def deallocate(self, who: int, currency: str, quantity: int) -> None:
        connection = self.connections[who]
        account = self.model.accounts[connection.id, currency]
        status = connection.deallocate(currency, quantity).status_code
        assert status == (200 if quantity <= account.available else 422)
        if status == 200:
            account.available -= quantity

    @rule(currency=st.sampled_from(sorted(NAMES)), quantity=st.integers(1, 80))
    def fund_partner(self, currency: str, quantity: int) -> None:
        self.floor.operator.deposit(self.partner.enterprise.account.id, currency, quantity)
        self.model.fund(currency, quantity)
        self.floor.run_due()
        self.model.advance(0)

    @rule(
        amounts=st.dictionaries(
            st.integers(0, 2),
            st.dictionaries(st.sampled_from(sorted(CURRENCIES)), QUANTITIES, min_size=1),
            min_size=1,
        )
    )
    def stage(self, amounts: dict[int, dict[str, int]]) -> None:
        new: list[Move] = []
        wire: dict[str, dict[str, str]] = {}
        for who, given in amounts.items():
            connection_id = self.connections[who].id
            wire[connection_id] = {name: str(quantity) for name, quantity in given.items()}
            new += [Move(connection_id, None, CURRENCIES[name], quantity) for name, quantity in given.items()]
        self._stage(new, wire)

    def _stage(self, new: list[Move], wire: Amounts) -> None:
        self._pass(0.01)
        body = self.partner.enterprise.sign(fields_of(wire))
        expected = self.model.shortfalls(new)
        response = post(self.partner, body)
        if expected:
            assert response.status_code == 422, response.text
            named = {
                (short["connectionId"], short["currency"]): int(short["shortfall"])
                for short in response.json()["details"]["shortfalls"]
            }
            assert named == expected
            return
        answer = ok(response)
        settling = {one["id"] for one in answer["settlement"]["settlingDisputes"]}
        assert settling == {waiting.id for waiting in self.model.waiting_disputes()}
        self.model.stage(answer["settlement"]["id"], new)
        self.last_body, self.last_answer = body, answer

    @precondition(lambda self: self.last_body is not None and self.model.settlements[-1].state != "failed")
    @rule()
    def repeat(self) -> None:
        response = post(self.partner, self.last_body)
        assert response.headers["Idempotent-Replayed"] == "true"
        assert ok(response) == self.last_answer

    @precondition(lambda self: self.last_body is not None and self.model.settlements[-1].state == "failed")
    @rule()
    def try_failed_again(self) -> None:
        answer = ok(post(self.partner, self.last_body))
        assert answer["settlement"]["status"] == "pending"
        last = self.model.settlements[-1]
        last.state, last.due_at = "top_up_window", self.model.now
        self._pass(0)

    @precondition(lambda self: self.model.settlements)
    @rule(data=st.data(), who=st.integers(0, 2))
    def raise_dispute(self, data: st.DataObject, who: int) -> None:
        self._dispute(data.draw(st.sampled_from(self.model.settlements[-3:])), who)

    @precondition(lambda self: self.model.settlements)
    @rule(order=st.permutations(range(3)), count=st.integers(2, 3), minutes=st.sampled_from([10.0, 21.0]))
    def dispute_together(self, order: list[int], count: int, minutes: float) -> None:
        """Several clients dispute one settlement, in some order, and its window ends."""
        for who in order[:count]:
            self._dispute(self.model.settlements[-1], who)
        self._pass(minutes)

    def _dispute(self, settlement: ModelSettlement, who: int) -> None:
        connection = self.connections[who]
        response = dispute(connection, settlement.id)
        part = settlement.takes_part(connection.id)
        if not part:
            in_it = any(key[0] == connection.id for key in settlement.touched())
            assert response.status_code == (422 if in_it else 404), response.text
        elif connection.id in settlement.disputes:
            assert response.status_code == 409, response.text
        elif self.model.now >= settlement.dispute_deadline:
            assert response.status_code == 422, response.text
        else:
            self.model.raise_dispute(settlement, connection.id, ok(response)["dispute"]["id"])
            # Which dispute came first is told by the time, to the millisecond.
            self._pass(0.001)

    @precondition(lambda self: self.model.disputes)
    @rule(data=st.data(), retracted=st.booleans())
    def change_dispute(self, data: st.DataObject, retracted: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        chosen = data.draw(st.sampled_from(self.model.disputes))
        response = change_dispute(self._connection(chosen), chosen.id, retracted=retracted)
        if self.model.now >= chosen.settlement.dispute_deadline:
            assert response.status_code == 422, response.text
        elif chosen.retracted == retracted:
            assert response.status_code == 409, response.text
        else:
            assert ok(response)["dispute"]["retracted"] is retracted
            chosen.retracted = retracted

    @precondition(lambda self: self.model.disputes)
    @rule(data=st.data())
    def close_by_client(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.model.disputes))
        response = close_dispute(self._connection(chosen), chosen.id)
        if self._closable(chosen):
            closure = ok(response)["disputeClosure"]
            original = self.model.original(chosen)
            assert {name: int(text) for name, text in closure["adjustedTransfers"].items()} == original
            self._closed(chosen, closure, "client", original)
        else:
            assert response.status_code == 409, response.text

    @precondition(lambda self: self.model.disputes)
    @rule(data=st.data(), adjusted=st.dictionaries(st.sampled_from(sorted(NAMES)), QUANTITIES))
    def close_by_operator(self, data: st.DataObject, adjusted: dict[str, int]) -> None:
        chosen = data.draw(st.sampled_from(self.model.disputes))
        texts = {currency: str(quantity) for currency, quantity in adjusted.items()}
        body = {"adjustedTransfers": texts, "notes": f"as of {self.model.now} {len(self.model.disputes)}"}
        response = self.floor.operator.post(f"/disputes/{chosen.id}/close", body)
        if self._closable(chosen):
            self._closed(chosen, ok(response)["disputeClosure"], "admin", adjusted)
        elif response.status_code != 200:
            assert response.status_code == 409, response.text
        else:
            assert response.headers["Idempotent-Replayed"] == "true"

    @precondition(lambda self: any(one.closure_status == "pending_review" for one in self.model.disputes))
    @rule(data=st.data(), decision=st.sampled_from(["approved", "rejected"]))
    def review(self, data: st.DataObject, decision: str) -> None:
        pending = [one for one in self.model.disputes if one.closure_status == "pending_review"]
        chosen = data.draw(st.sampled_from(pending))
        path = f"/dispute-closures/{chosen.closure_id}/review"
        if chosen.closed_by == "admin":
            own = self.floor.operator.post(path, {"decision": decision})
            assert own.status_code == 403, own.text
        response = self.second.post(path, {"decision": decision, "notes": "seen"})
        if decision == "rejected":
            ok(response)
            chosen.closure_id = chosen.closure_status = None
        elif self.model.approve(chosen):
            assert response.status_code == 422, response.text
        else:
            assert ok(response)["disputeClosure"]["status"] == "approved"

    @rule(minutes=st.sampled_from([1.0, 5.0, 10.0, 21.0]))
    def pass_time(self, minutes: float) -> None:
        self._pass(minutes)

    @invariant()
    def everything_agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        self.floor.assert_proven()
        for connection in self.connections:
            actual = connection.balances()
            for currency in NAMES:
                account = self.model.accounts[connection.id, currency]
                assert actual.get(currency, (0, 0)) == (account.available, account.held), (connection.id, currency)
        balances = ok(self.partner.api.get("/partners/balances"))["balances"]
        for name, currency in CURRENCIES.items():
            assert int(balances.get(name, {"available": "0"})["available"]) == self.model.partner[currency]
        page = ok(self.floor.operator.get("/settlements", pageSize=500))
        states = {settlement["id"]: settlement["stage"] for settlement in page["settlements"]}
        assert states == {settlement.id: settlement.state for settlement in self.model.settlements}

    def _pass(self, minutes: float) -> None:
        self.floor.pass_minutes(minutes)
        self.model.advance(minutes)

    def _connection(self, chosen: ModelDispute) -> ConnectionHandle:
        return next(connection for connection in self.connections if connection.id == chosen.connection)

    def _closable(self, chosen: ModelDispute) -> bool:
        over = chosen.settlement.state != "dispute_window"
        return over and not chosen.retracted and chosen.closure_status is None

    def _closed(self, chosen: ModelDispute, closure: Json, closed_by: str, adjusted: dict[str, int]) -> None:
        assert closure["status"] == "pending_review"
        chosen.closure_id, chosen.closure_status = closure["id"], "pending_review"
        chosen.closed_by, chosen.adjusted = closed_by, dict(adjusted)


class BrokerMachine(NetworkMachine):
    """The same, with a broker that settles between its connections."""

    broker = True

    @rule(
        trades=st.dictionaries(
            st.sampled_from([(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]),
            st.dictionaries(st.sampled_from(sorted(CURRENCIES)), QUANTITIES, min_size=1),
            min_size=1,
        )
    )
    def stage(self, trades: dict[tuple[int, int], dict[str, int]]) -> None:
        new: list[Move] = []
        wire: dict[str, dict[str, dict[str, str]]] = {}
        for pair, given in trades.items():
            source, destination = (self.connections[who].id for who in pair)
            texts = {name: str(quantity) for name, quantity in given.items()}
            wire.setdefault(source, {})[destination] = texts
            new += [Move(destination, source, CURRENCIES[name], quantity) for name, quantity in given.items()]
        self._stage(new, wire)


@pytest.mark.parametrize("machine", [NetworkMachine, BrokerMachine])
def test_the_network_does_what_the_model_does(
    cluster: TestCluster, served_app: tuple[FastAPI, str], machine: type[NetworkMachine]
) -> None:
    class Machine(machine):  # type: ignore[misc, valid-type]  # one of two classes
        place = (cluster, *served_app)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            print_blob=True,
        ),
    )
