"""Random histories with accepting, refusing, silent and faulty partners agree with a small model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.support.networks import new_nonce, ok, sign_body
from tests.support.partners import Behaviour, FakePartner, Reaction, agreeing, refusing, silent
from tests.support.settlements import Testbed

BEHAVIOURS: dict[str, Behaviour] = {
    "yes": agreeing,
    "no": refusing(),
    "hard no": refusing("never", 403),
    "silent": silent,
    "nonsense": lambda _: Reaction(body=b"<html>"),
    "another": lambda seen: Reaction(body={**seen.body, "connectionId": "another", "partnersAllocationId": "x"}),
}
BEHAVIOUR_NAMES = st.sampled_from(sorted(BEHAVIOURS))
WHAT = st.sampled_from(["allocation", "deallocation"])


@dataclass
class Open:
    """A reserved record and its request."""

    what: str
    record: dict[str, Any]
    body: dict[str, Any]
    quantity: int


class PartnerMachine(RuleBasedStateMachine):
    """One connection. ``go`` and ``there`` are the expected available balances, ``open`` has the held records."""

    testbed: Testbed
    partner_server: FakePartner
    histories = 0

    @initialize()
    def begin(self) -> None:
        PartnerMachine.histories += 1
        number = PartnerMachine.histories
        self.partner_server.behave = agreeing
        partner = self.testbed.network.partner(f"exchange-{number}", callbackUrl=self.partner_server.url)
        client = self.testbed.network.client(f"trader-{number}", deposits={"ofcbtc": 100})
        self.connection = self.testbed.network.connect(client, partner)
        self.go, self.there = 100, 0
        self.open: list[Open] = []

    @rule(what=WHAT, quantity=st.integers(1, 60), behaviour=BEHAVIOUR_NAMES)
    def submit(self, what: str, quantity: int, behaviour: str) -> None:
        self._close_the_circuit()
        self.partner_server.behave = BEHAVIOURS[behaviour]
        connection = self.connection
        body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", quantity))
        answer = connection.client.api.post(f"{connection.path}/{what}s", body)
        covered = quantity <= (self.go if what == "allocation" else self.there)
        if not covered:
            assert (answer.status_code, answer.json()["name"]) == (422, "insufficient_funds")
            return
        self._take(what, quantity)
        self._end_or_keep(Open(what, answer.json()[what], body, quantity), behaviour, answer.status_code)

    @rule(data=st.data(), behaviour=BEHAVIOUR_NAMES)
    def repeat(self, data: st.DataObject, behaviour: str) -> None:
        if self.open:
            self._close_the_circuit()
            self.partner_server.behave = BEHAVIOURS[behaviour]
            one = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
            path = f"{self.connection.path}/{one.what}s"
            answer = self.connection.client.api.post(path, one.body)
            self._end_or_keep(one, behaviour, answer.status_code)

    @rule(behaviour=BEHAVIOUR_NAMES)
    def run_the_worker(self, behaviour: str) -> None:
        self._close_the_circuit()
        self.partner_server.behave = BEHAVIOURS[behaviour]
        self.testbed.pass_minutes(10)
        for one in [*self.open]:
            found = self.connection.client.api.get(f"/clients/allocations/{one.record['id']}")
            status = ok(found)["allocation"]["status"]
            assert status == {"yes": "cleared", "no": "released", "hard no": "released"}.get(behaviour, "reserved")
            if status != "reserved":
                self.open.remove(one)
                self._return_or_move(one, cleared=status == "cleared")

    @rule(data=st.data(), cleared=st.booleans())
    def decide(self, data: st.DataObject, *, cleared: bool) -> None:
        if self.open:
            one = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
            ok(self._put(one, "cleared" if cleared else "released"))
            assert self._put(one, "released" if cleared else "cleared").status_code == 409
            self._return_or_move(one, cleared=cleared)

    @invariant()
    def balances_equal_the_model_and_the_ledger_is_correct(self) -> None:
        held = {
            what: sum(one.quantity for one in self.open if one.what == what)
            for what in ("allocation", "deallocation")
        }
        assert self.connection.go_balances()["ofcbtc"] == (self.go, held["allocation"])
        assert self.connection.balances().get("ofcbtc", (0, 0)) == (self.there, held["deallocation"])
        self.testbed.assert_proven()

    def _take(self, what: str, quantity: int) -> None:
        if what == "allocation":
            self.go -= quantity
        else:
            self.there -= quantity

    def _return_or_move(self, one: Open, *, cleared: bool) -> None:
        """Adds the quantity to the destination if it cleared, else to the source."""
        if cleared == (one.what == "allocation"):
            self.there += one.quantity
        else:
            self.go += one.quantity

    def _end_or_keep(self, one: Open, behaviour: str, status: int) -> None:
        assert status == {"yes": 200, "no": 422, "hard no": 422}.get(behaviour, 502)
        if status == 502:
            self.open.append(one)
        else:
            self._return_or_move(one, cleared=status == 200)

    def _put(self, one: Open, status: str) -> Any:  # noqa: ANN401 - a response
        what = one.what
        fields = {
            f"{what}Id": one.record["id"],
            "amount": {"currency": "BTC", "quantity": str(one.quantity)},
            "clientId": self.connection.client.id,
            "connectionId": self.connection.id,
            "partnersClientId": "their-client",
            "partnersConnectionId": f"theirs-{self.connection.id}",
            f"partners{what.capitalize()}Id": "x",
            "status": status,
            "nonce": new_nonce(),
        }
        partner = self.connection.partner
        return partner.api.put(f"/partners/{what}s", sign_body(fields, partner.enterprise.account.key))

    def _close_the_circuit(self) -> None:
        with self.testbed.runtime.transaction() as tx:
            tx.connection.execute("UPDATE partner_circuit SET failures = 0, open_until = NULL")


@pytest.mark.parametrize("histories", [6])
def test_random_partners_agree_with_the_model(
    testbed: Testbed, partner_server: FakePartner, histories: int
) -> None:
    PartnerMachine.testbed = testbed
    PartnerMachine.partner_server = partner_server
    run_state_machine_as_test(
        PartnerMachine,
        settings=settings(
            max_examples=histories,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
