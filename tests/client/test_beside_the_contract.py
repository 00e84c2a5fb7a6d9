"""Our own operations, which are not in the contract, through the SDK in both shapes, against our server."""

from __future__ import annotations

from uuid import uuid4

import pytest

from clearwindow.client import ConflictError, Deposit, NotFoundError
from tests.client.networks import BTC, CURRENCIES, OPTIONS, SdkNetwork, build
from tests.client.shapes import Shapes
from tests.conftest import OPERATOR_TOKEN


@pytest.fixture
def sdk_network(shapes: Shapes, base_url: str) -> SdkNetwork:
    return build(shapes, base_url, OPERATOR_TOKEN)


def test_higher_threshold_waits_for_second_user(sdk_network: SdkNetwork, shapes: Shapes) -> None:
    approvals = sdk_network.client.approvals
    assert approvals.change_thresholds({"ofcbtc": BTC}).pending_approvals == ()
    waiting = approvals.change_thresholds({"ofcbtc": None}).pending_approvals
    assert approvals.change_thresholds({"ofcbtc": None}).pending_approvals == waiting
    assert [(each.type, each.quantity, each.threshold) for each in waiting] == [("threshold", None, BTC)]
    assert list(approvals.list(statuses=["pending"])) == [*waiting] == [approvals.get(waiting[0].id)]
    people = sdk_network.operator.enterprises
    second = people.create_user("aster", user_id="second", name="Second")
    token = people.create_token(
        "aster", user_id=second.id, scopes=["settlement_network_read", "settlement_network_write"]
    )
    their_approvals = shapes.client(sdk_network.url, token.value, "aster", options=OPTIONS).approvals
    for _ in range(2):
        decided = their_approvals.decide(waiting[0].id, decision="approved", notes="no limit")
        assert (decided.pending_approval.status, decided.allocation) == ("approved", None)
    with pytest.raises(ConflictError):
        their_approvals.decide(waiting[0].id, decision="rejected")
    assert approvals.thresholds().thresholds == {}


def test_operator_controls_chain_and_lists_partner_calls(sdk_network: SdkNetwork) -> None:
    operator = sdk_network.operator
    operator.configure_partner("meridian", currencies=CURRENCIES, amount_unit="decimal", onchain_enabled=True)
    chain = operator.chain
    sent = chain.send_deposit(partner_id=sdk_network.partner_id, currency="ofcbtc", quantity=5, tx_id="0xabc")
    assert (sent.kind, sent.state, sent.quantity) == ("deposit", "pending", 5)
    assert chain.withhold(sent.id).withheld
    assert chain.confirm(sent.id).state == "confirmed"
    with pytest.raises(ConflictError):
        chain.fail(sent.id, reason="too late")
    assert [each.id for each in chain.transactions(states=["confirmed"])] == [sent.id]
    sdk_network.partner.settlements.record_deposits(
        external_settlement_id="day-1", deposits=[Deposit("BTC", "0xabc")]
    )
    assert [each.tx_id for each in operator.onchain_deposits.list(partner_ids=[sdk_network.partner_id])] == [
        "0xabc"
    ]
    with pytest.raises(NotFoundError):
        operator.onchain_deposits.release(uuid4())
    made = operator.partner_calls.rotate_key(reference="autumn")
    assert operator.partner_calls.rotate_key(reference="autumn") == made
    assert operator.partner_calls.keys()[0] == made
    assert list(operator.partner_calls.list(owed=True)) == []
    assert list(operator.partner_calls.endpoints()) == []
