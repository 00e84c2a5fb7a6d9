"""Random histories agree with a small model in their answers and balances."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.support.networks import ConnectionHandle, Network, ok

CURRENCIES = ("ofcbtc", "ofceth")
AMOUNTS = st.one_of(st.integers(1, 20), st.sampled_from([10**30, 10**77]))
PLACES = st.integers(0, 1)


class FundsMachine(RuleBasedStateMachine):
    """One client with two partners. ``go`` and ``allocated`` are its expected balances."""

    network: Network
    histories = 0

    @initialize()
    def begin(self) -> None:
        FundsMachine.histories += 1
        number = FundsMachine.histories
        client = self.network.client(f"trader-{number}")
        partners = [self.network.partner(f"exchange-{number}-{place}") for place in range(2)]
        self.connections = [self.network.connect(client, partner) for partner in partners]
        self.account_id = client.enterprise.account.id
        self.go = dict.fromkeys(CURRENCIES, 0)
        self.allocated = [dict.fromkeys(CURRENCIES, 0) for _ in range(2)]
        self.sent: list[tuple[ConnectionHandle, str, dict[str, Any], int]] = []

    @rule(currency=st.sampled_from(CURRENCIES), quantity=st.integers(1, 50))
    def deposit(self, currency: str, quantity: int) -> None:
        self.network.operator.deposit(self.account_id, currency, quantity)
        self.go[currency] += quantity

    @rule(place=PLACES, currency=st.sampled_from(CURRENCIES), quantity=AMOUNTS)
    def allocate(self, place: int, currency: str, quantity: int) -> None:
        covered = quantity <= self.go[currency]
        self._send(place, "allocations", currency, quantity, covered=covered)
        if covered:
            self.go[currency] -= quantity
            self.allocated[place][currency] += quantity

    @rule(place=PLACES, currency=st.sampled_from(CURRENCIES), quantity=AMOUNTS)
    def deallocate(self, place: int, currency: str, quantity: int) -> None:
        covered = quantity <= self.allocated[place][currency]
        self._send(place, "deallocations", currency, quantity, covered=covered)
        if covered:
            self.allocated[place][currency] -= quantity
            self.go[currency] += quantity

    @rule(data=st.data())
    def repeat_a_request(self, data: st.DataObject) -> None:
        if self.sent:
            connection, what, body, status = data.draw(st.sampled_from(self.sent))
            again = connection.client.api.post(f"{connection.path}/{what}", body)
            assert (again.status_code, again.headers["Idempotent-Replayed"]) == (status, "true")

    @invariant()
    def balances_equal_the_model(self) -> None:
        view = ok(self.connections[0].client.api.get("/clients/balances"))
        assert _held_by(view["balances"]) == self.go
        for place, connection in enumerate(self.connections):
            assert _held_by(view["networkBalances"][connection.id]["balances"]) == self.allocated[place]

    def teardown(self) -> None:
        assert self.network.operator.check() == []

    def _send(self, place: int, what: str, currency: str, quantity: int, *, covered: bool) -> None:
        connection = self.connections[place]
        body = connection.client.enterprise.sign(connection.allocation_fields(currency, quantity))
        answer = connection.client.api.post(f"{connection.path}/{what}", body)
        assert answer.status_code == (200 if covered else 422), answer.text
        self.sent.append((connection, what, body, answer.status_code))


def _held_by(balances: dict[str, dict[str, str]]) -> dict[str, int]:
    assert all(amounts["held"] == "0" for amounts in balances.values())
    return {name: int(balances.get(name, {"available": "0"})["available"]) for name in CURRENCIES}


@pytest.mark.parametrize("histories", [8])
def test_random_histories_agree_with_the_model(network: Network, histories: int) -> None:
    FundsMachine.network = network
    run_state_machine_as_test(
        FundsMachine,
        settings=settings(
            max_examples=histories,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
