"""The network against a plain-Python model, with random events. Protocol §5, §6, §10."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from clearwindow.core.clock import ManualClock
from clearwindow.core.ids import NIL
from clearwindow.identity.operators import ensure_bootstrap_operator
from tests.conftest import OPERATOR_TOKEN, START
from tests.settlements.standing_rules import StandingRules
from tests.support.databases import TestCluster
from tests.support.model import Model, ModelDispute, ModelSettlement, Move
from tests.support.networks import ConnectionHandle, Json, Network, ok
from tests.support.operators import OperatorClient
from tests.support.runtimes import open_runtime
from tests.support.settlements import (
    STEPS_PER_PROOF,
    Amounts,
    Testbed,
    change_dispute,
    close_dispute,
    dispute,
    fields_of,
    post,
    withdraw,
)

CURRENCIES = {"BTC": "ofcbtc", "USD": "ofcusd"}
STEPS = ("settlement.initiated", "settlement.finalizing", "settlement.completed")
NAMES = {ours: theirs for theirs, ours in CURRENCIES.items()}
QUANTITIES = st.integers(-60, 60).filter(lambda quantity: quantity != 0)
ALLOCATED = 100


@contextmanager
def isolated_testbed(cluster: TestCluster, app: FastAPI, base_url: str) -> Iterator[tuple[Testbed, OperatorClient]]:
    """Yields a testbed with its own database, and a second operator who reviews closures."""
    with ExitStack() as stack:
        clock = ManualClock(START)
        dsn = stack.enter_context(cluster.fresh_database())
        runtime = stack.enter_context(open_runtime(dsn, clock, operator_token=OPERATOR_TOKEN))
        ensure_bootstrap_operator(runtime)
        app.state.runtime = runtime
        operator = stack.enter_context(OperatorClient(base_url, OPERATOR_TOKEN))
        second = stack.enter_context(operator.another())
        yield Testbed(stack.enter_context(Network(operator)), clock, runtime), second


class NetworkMachine(StandingRules):
    """Random allocations, settlements, disputes, closures, deposits, standing top-ups and times."""

    environment: tuple[TestCluster, FastAPI, str]
    steps = 0
    broker = False

    @initialize()
    def build(self) -> None:
        self.stack = ExitStack()
        self.testbed, self.second = self.stack.enter_context(isolated_testbed(*self.environment))
        self.model = Model()
        self.partner = self.testbed.network.partner(currencies=CURRENCIES, broker=self.broker)
        self.open_spare()
        self.connections: list[ConnectionHandle] = []
        for name in ("ann", "bob", "cid"):
            client = self.testbed.network.client(name, deposits=dict.fromkeys(NAMES, 10 * ALLOCATED))
            self.connections.append(self.testbed.network.connect(client, self.partner))
        for connection in self.connections:
            for currency in NAMES:
                self._allocate(connection, currency, ALLOCATED)
        self.last_body: Json | None = None
        self.last_answer: Json | None = None

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            with self.stack:
                self.testbed.assert_proven()
                self.testbed.assert_signed()

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
        self.testbed.operator.deposit(self.partner.enterprise.account.id, currency, quantity)
        self.model.fund(currency, quantity)
        self.run_now()

    # A broker settles between its connections, and its own account gives nothing.
    @precondition(lambda self: not self.broker)
    @rule(
        who=st.integers(0, 2),
        name=st.sampled_from(sorted(CURRENCIES)),
        missing=st.integers(1, 60),
        spare=st.integers(1, 60),
        per_settlement=st.integers(1, 60),
    )
    def settle_more_than_there_is(self, who: int, name: str, missing: int, spare: int, per_settlement: int) -> None:
        """A client gains more than the partner has: a standing top-up covers it, or the settlement fails."""
        currency = CURRENCIES[name]
        self.instruct_anew(currency, per_settlement)
        self.fund_spare(currency, spare)
        connection, quantity = self.connections[who].id, self.model.partner[currency] + missing
        self._stage([Move(connection, None, currency, quantity)], {connection: {name: str(quantity)}})
        self._pass(21.0)

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
    def retry_failed(self) -> None:
        answer = ok(post(self.partner, self.last_body))
        assert answer["settlement"]["status"] == "pending"
        self.model.retry(self.model.settlements[-1])
        self._pass(0)

    @precondition(lambda self: self.model.settlements)
    @rule(data=st.data(), who=st.integers(0, 2))
    def raise_dispute(self, data: st.DataObject, who: int) -> None:
        self._dispute(data.draw(st.sampled_from(self.model.settlements[-3:])), who)

    @precondition(lambda self: self.model.settlements)
    @rule(order=st.permutations(range(3)), count=st.integers(2, 3), minutes=st.sampled_from([10.0, 21.0]))
    def dispute_in_order(self, order: list[int], count: int, minutes: float) -> None:
        """Several clients dispute one settlement in some order, and its window ends."""
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
            # The same values, signed anew, are the same request.
            assert response.headers["Idempotent-Replayed"] == "true", response.text
            assert ok(response)["dispute"]["id"] == settlement.disputes[connection.id].id
        elif self.model.now >= settlement.dispute_deadline or settlement.without_new:
            assert response.status_code == 422, response.text
        else:
            self.model.raise_dispute(settlement, connection.id, ok(response)["dispute"]["id"])
            # Disputes are ordered by their time, which has milliseconds.
            self._pass(0.001)

    @precondition(lambda self: self.model.disputes)
    @rule(data=st.data(), retracted=st.booleans())
    def change_dispute(self, data: st.DataObject, retracted: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        chosen = data.draw(st.sampled_from(self.model.disputes))
        response = change_dispute(self._connection(chosen), chosen.id, retracted=retracted)
        if self.model.now >= chosen.settlement.dispute_deadline or chosen.settlement.without_new:
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
        elif chosen.closed_by == "client" and chosen.closure_status in {"pending_review", "approved"}:
            # The same values, signed anew, are the same request.
            assert ok(response)["disputeClosure"]["id"] == chosen.closure_id
        else:
            rejected = chosen.settlement.without_new
            assert response.status_code == (422 if rejected else 409), response.text

    def _custody(self) -> dict[str, int]:
        """Returns what all accounts have, by currency: what the outside world has less."""
        with self.testbed.runtime.transaction() as tx:
            rows = tx.records(
                "SELECT currency, -available AS quantity FROM balance WHERE account_id = %(id)s", id=NIL
            )
        return {str(row["currency"]): int(str(row["quantity"])) for row in rows}

    @precondition(lambda self: self.model.disputes)
    @rule(data=st.data(), adjusted=st.dictionaries(st.sampled_from(sorted(NAMES)), QUANTITIES))
    def close_by_operator(self, data: st.DataObject, adjusted: dict[str, int]) -> None:
        chosen = data.draw(st.sampled_from(self.model.disputes))
        texts = {currency: str(quantity) for currency, quantity in adjusted.items()}
        body = {"adjustedTransfers": texts, "notes": f"as of {self.model.now} {len(self.model.disputes)}"}
        response = self.testbed.operator.post(f"/disputes/{chosen.id}/close", body)
        if self._closable(chosen) and self.model.out_of_reach(chosen, adjusted, self._custody()):
            assert response.json()["name"] == "adjustment_out_of_reach", response.text
        elif self._closable(chosen):
            self._closed(chosen, ok(response)["disputeClosure"], "admin", adjusted)
        elif response.status_code != 200:
            rejected = chosen.settlement.without_new
            assert response.status_code == (422 if rejected else 409), response.text
        else:
            assert response.headers["Idempotent-Replayed"] == "true"

    @precondition(lambda self: any(one.closure_status == "pending_review" for one in self.model.disputes))
    @rule(data=st.data(), decision=st.sampled_from(["approved", "rejected"]))
    def review(self, data: st.DataObject, decision: str) -> None:
        pending = [one for one in self.model.disputes if one.closure_status == "pending_review"]
        chosen = data.draw(st.sampled_from(pending))
        path = f"/dispute-closures/{chosen.closure_id}/review"
        if chosen.closed_by == "admin":
            own = self.testbed.operator.post(path, {"decision": decision})
            assert own.status_code == 403, own.text
        response = self.second.post(path, {"decision": decision, "notes": "seen"})
        if decision == "rejected":
            ok(response)
            chosen.closure_id = chosen.closure_status = None
        elif chosen.settlement.without_new:
            assert response.json()["name"] == "settlement_rejected", response.text
        elif chosen.closed_by == "admin" and self.model.out_of_reach(chosen, chosen.adjusted, self._custody()):
            assert response.json()["name"] == "adjustment_out_of_reach", response.text
        elif self.model.approve(chosen):
            assert response.status_code == 422, response.text
        else:
            assert ok(response)["disputeClosure"]["status"] == "approved"

    @precondition(lambda self: self.model.settlements)
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.model.settlements[-3:]))
        path = f"/settlements/{chosen.id}/reject"
        response = self.testbed.operator.post(path)
        if chosen.state == "completed":
            assert response.status_code == 409, response.text
            return
        if chosen.state != "rejected":
            if self.model.needs_two(chosen):
                assert response.status_code == 202, response.text
                response = self.second.post(path)
            self.model.reject(chosen)
        assert ok(response)["settlement"]["status"] == "rejected"
        self._pass(0)

    @precondition(lambda self: self.model.settlements)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.model.settlements[-3:]))
        response = withdraw(self.partner, chosen.id)
        if chosen.withdrawn:
            # The same values, signed anew, are the same request.
            assert response.headers["Idempotent-Replayed"] == "true", response.text
        elif chosen.state == "rejected":
            assert response.status_code == 409, response.text
        elif self.model.now >= chosen.dispute_deadline:
            assert response.status_code == 422, response.text
        else:
            self.model.withdraw(chosen)
            ended = "pending" if chosen.pulled else "rejected"
            assert ok(response)["settlement"]["status"] == ended
        self._pass(0)

    @precondition(lambda self: any(one.settled_in for one in self.model.disputes))
    @rule(data=st.data())
    def cancel_closure(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from([one for one in self.model.disputes if one.settled_in]))
        path = f"/dispute-closures/{chosen.closure_id}/cancel"
        response = self.testbed.operator.post(path)
        if chosen.cancelled:
            assert ok(response)["disputeClosure"]["id"] == chosen.closure_id
            return
        if chosen.settled_in is None or not chosen.settled_in.is_open:
            assert response.status_code == 409, response.text
            return
        assert response.status_code == 202, response.text
        response = self.second.post(path)
        if self.model.cancel(chosen):
            assert response.json()["name"] == "cancellation_not_covered", response.text
        else:
            assert "cancelledAt" in ok(response)["disputeClosure"]
        self._pass(0)

    @rule(minutes=st.sampled_from([1.0, 5.0, 10.0, 21.0]))
    def pass_time(self, minutes: float) -> None:
        self._pass(minutes)

    @invariant()
    def balances_and_states_agree(self) -> None:
        if not hasattr(self, "model"):
            return
        self.steps += 1
        if self.steps % STEPS_PER_PROOF == 0:
            self.testbed.assert_proven()
        for connection in self.connections:
            actual = connection.balances()
            for currency in NAMES:
                account = self.model.accounts[connection.id, currency]
                assert actual.get(currency, (0, 0)) == (account.available, account.held), (connection.id, currency)
        balances = ok(self.partner.api.get("/partners/balances"))["balances"]
        for name, currency in CURRENCIES.items():
            assert int(balances.get(name, {"available": "0"})["available"]) == self.model.partner[currency]
        page = ok(self.testbed.operator.get("/settlements", pageSize=500))
        states = {settlement["id"]: settlement["stage"] for settlement in page["settlements"]}
        assert states == {settlement.id: settlement.state for settlement in self.model.settlements}

    @invariant()
    def each_owner_sees_each_step_once(self) -> None:
        if not hasattr(self, "model"):
            return
        page = self.testbed.operator.get("/events", types=",".join(STEPS), pageSize=500)
        events = ok(page)["events"]
        assert len({event["id"] for event in events}) == len(events)
        seen = Counter((event["subjectId"], event["type"], event["enterpriseId"]) for event in events)
        assert set(seen.values()) <= {1}
        for settlement in self.model.settlements:
            owners = {of for subject, kind, of in seen if (subject, kind) == (settlement.id, STEPS[0])}
            assert owners >= {self.partner.enterprise.id} | {
                connection.client.enterprise.id
                for connection in self.connections
                if settlement.takes_part(connection.id)
            }
            ended = {of for subject, kind, of in seen if (subject, kind) == (settlement.id, STEPS[-1])}
            assert ended == (owners if settlement.state == "completed" else set())

    def _pass(self, minutes: float) -> None:
        self.testbed.pass_minutes(minutes)
        self.model.advance(minutes)

    def _connection(self, chosen: ModelDispute) -> ConnectionHandle:
        return next(connection for connection in self.connections if connection.id == chosen.connection)

    def _closable(self, chosen: ModelDispute) -> bool:
        over = chosen.settlement.state != "dispute_window" and not chosen.settlement.without_new
        return over and not chosen.retracted and chosen.closure_status is None

    def _closed(self, chosen: ModelDispute, closure: Json, closed_by: str, adjusted: dict[str, int]) -> None:
        assert closure["status"] == "pending_review"
        chosen.closure_id, chosen.closure_status = closure["id"], "pending_review"
        chosen.closed_by, chosen.adjusted = closed_by, dict(adjusted)


class BrokerMachine(NetworkMachine):
    """The same events with a broker that settles between its connections."""

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
def test_network_agrees_with_the_model(
    cluster: TestCluster, served_app: tuple[FastAPI, str], machine: type[NetworkMachine]
) -> None:
    class Machine(machine):  # type: ignore[misc, valid-type]  # one of two classes
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
