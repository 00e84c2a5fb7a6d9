"""Random histories agree with a small model of allocations, thresholds and approvals."""

from __future__ import annotations

from dataclasses import dataclass

import httpx2
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.support.approvals import decide, set_thresholds, thresholds_of, user, waiting
from tests.support.networks import ConnectionHandle, Json, Network, NetworkClient, ok
from tests.support.settlements import Testbed

USERS = st.integers(0, 2)
QUANTITIES = st.integers(1, 60)
THRESHOLDS = st.one_of(st.none(), st.integers(0, 50))


@dataclass
class Asked:
    """A pending approval in the model: of an allocation, or of a threshold if ``allocates`` is False."""

    user: int
    allocates: bool
    quantity: int | None
    threshold: int
    status: str = "pending"


class ApprovalMachine(RuleBasedStateMachine):
    """One client with three users, each with its own token. The Go Account's key signs for all."""

    testbed: Testbed
    histories = 0

    @initialize()
    def begin(self) -> None:
        ApprovalMachine.histories += 1
        number, network = ApprovalMachine.histories, self.testbed.network
        partner = network.partner(f"exchange-{number}", allocation_policies=True)
        self.connection = network.connect(network.client(f"trader-{number}", deposits={"ofcbtc": 200}), partner)
        self.users = [user(network, f"trader-{number}", f"user-{number}-{which}") for which in range(3)]
        self.available, self.allocated = 200, 0
        self.threshold: int | None = None
        self.asked: dict[str, Asked] = {}

    @rule(who=USERS, quantity=QUANTITIES)
    def allocate(self, who: int, quantity: int) -> None:
        connection = self.connection
        body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", quantity))
        answer = self.users[who].post(f"{connection.path}/allocations", body)
        if quantity > self.available:
            assert answer.status_code == 422, answer.text
            return
        allocation = ok(answer)["allocation"]
        self.available -= quantity
        if self.threshold is None or quantity <= self.threshold:
            assert (allocation["status"], allocation["policyResult"]) == ("cleared", "approved")
            self.allocated += quantity
        else:
            assert allocation["status"] == "reserved"
            self.asked[allocation["pendingApprovalId"]] = Asked(who, True, quantity, self.threshold)  # noqa: FBT003

    @rule(quantity=QUANTITIES)
    def deallocate(self, quantity: int) -> None:
        covered = quantity <= self.allocated
        assert self.connection.deallocate("ofcbtc", quantity).status_code == (200 if covered else 422)
        if covered:
            self.allocated -= quantity
            self.available += quantity

    @rule(who=USERS, wanted=THRESHOLDS)
    def request_a_threshold(self, who: int, wanted: int | None) -> None:
        answer = set_thresholds(self.users[who], {"ofcbtc": wanted})
        if wanted == self.threshold:
            assert ok(answer)["pendingApprovals"] == []
        elif self.threshold is None or (wanted is not None and wanted < self.threshold):
            assert ok(answer)["pendingApprovals"] == []
            self.threshold = wanted
        else:
            self._request_a_higher_one(who, wanted, answer)

    def _request_a_higher_one(self, who: int, wanted: int | None, answer: httpx2.Response) -> None:
        assert self.threshold is not None
        changes = [one for one in self.asked.values() if not one.allocates and one.status == "pending"]
        if changes and (changes[0].quantity, changes[0].threshold) != (wanted, self.threshold):
            assert answer.status_code == 409
            return
        pending: Json = ok(answer)["pendingApprovals"][0]
        if not changes:
            self.asked[pending["id"]] = Asked(who, False, wanted, self.threshold)  # noqa: FBT003

    @rule(who=USERS, decision=st.sampled_from(["approved", "approved", "rejected"]), data=st.data())
    def decide_an_approval(self, who: int, decision: str, data: st.DataObject) -> None:
        if not self.asked:
            return
        approval_id = data.draw(st.sampled_from(sorted(self.asked)))
        one = self.asked[approval_id]
        answer = decide(self.users[who], approval_id, decision, f"{who} says {decision}")
        assert answer.status_code == self._expected(one, who, decision), answer.text
        if answer.status_code == 200 and one.status == "pending":
            one.status = decision
            self._carry_out(one)
            again = decide(self.users[who], approval_id, decision, f"{who} says {decision}")
            assert (ok(again), again.headers["Idempotent-Replayed"]) == (answer.json(), "true")
            self.asked.pop(approval_id)

    def _expected(self, one: Asked, who: int, decision: str) -> int:
        if decision == "approved" and one.user == who:
            return 403
        if not one.allocates and decision == "approved" and one.threshold != self.threshold:
            return 409
        return 200

    def _carry_out(self, one: Asked) -> None:
        if not one.allocates:
            self.threshold = one.quantity if one.status == "approved" else self.threshold
            return
        assert one.quantity is not None
        if one.status == "approved":
            self.allocated += one.quantity
        else:
            self.available += one.quantity

    @invariant()
    def state_equals_the_model(self) -> None:
        waits = [one for one in self.asked.values() if one.status == "pending"]
        held = sum(one.quantity or 0 for one in waits if one.allocates)
        assert self.connection.go_balances()["ofcbtc"] == (self.available, held)
        assert self.connection.balances().get("ofcbtc", (0, 0)) == (self.allocated, 0)
        assert thresholds_of(self.users[0]).get("ofcbtc") == self.threshold
        assert {one["id"] for one in waiting(self.users[0])} == set(self.asked)
        self.testbed.assert_proven()

    users: list[NetworkClient]
    connection: ConnectionHandle


@pytest.mark.parametrize("histories", [4])
def test_random_histories_agree_with_the_model(network: Network, testbed: Testbed, histories: int) -> None:
    assert testbed.network is network
    ApprovalMachine.testbed = testbed
    run_state_machine_as_test(
        ApprovalMachine,
        settings=settings(
            max_examples=histories,
            stateful_step_count=16,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
