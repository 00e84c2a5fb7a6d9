"""Deposits, further keys and partners' terms that wait for another operator. Protocol §12."""

from __future__ import annotations

import pytest

from clearwindow.custody import signatures
from clearwindow.runtime import Runtime
from tests.proposals.conftest import Desk
from tests.support.networks import PartnerHandle, ok
from tests.support.operators import make_key
from tests.support.staff import proposed

TERMS = {"currencies": {"BTC": "ofcbtc"}, "amountUnit": "base"}


def test_deposit_waits_and_is_made_once(desk: Desk) -> None:
    proposal = proposed(desk.ada.move("deposits", desk.account, "BTC", 25, "payment-1"))
    assert proposal["summary"].startswith("deposit 25 ofcbtc into the Go Account ")
    assert desk.balance() == (1000, 0)
    ok(desk.ben.decide(proposal["id"], "approve"))
    assert desk.balance() == (1025, 0)
    replay = desk.ada.move("deposits", desk.account, "ofcbtc", 25, "payment-1")
    assert (replay.status_code, replay.headers["Idempotent-Replayed"]) == (200, "true")
    desk.assert_proven()


def test_reference_used_meanwhile_is_refused_at_the_approval(desk: Desk) -> None:
    deposit = proposed(desk.ada.move("deposits", desk.account, "ofcbtc", 25, "payment-1"))
    withdrawal = proposed(desk.ada.move("withdrawals", desk.account, "ofcbtc", 25, "payment-1"))
    ok(desk.ben.decide(deposit["id"], "approve"))
    refused = desk.ben.decide(withdrawal["id"], "approve")
    assert (refused.status_code, refused.json()["details"]["error"]) == (409, "reference_used")
    assert desk.balance() == (1000, 25)
    ok(desk.ben.decide(withdrawal["id"], "reject"))
    assert desk.balance() == (1025, 0)


def test_key_added_meanwhile_changes_the_target(desk: Desk) -> None:
    path = f"/go-accounts/{desk.account}/keys"
    first = proposed(desk.ada.post(path, {"pub": make_key(77).xpub}))
    second = proposed(desk.ada.post(path, {"pub": make_key(78).xpub}))
    ok(desk.ben.decide(first["id"], "approve"))
    refused = desk.ben.decide(second["id"], "approve")
    assert (refused.status_code, refused.json()["name"]) == (409, "proposal_target_changed")
    assert list(refused.json()["details"]["changed"]) == ["activeKeys"]


def test_further_key_signs_after_its_cool_off(desk: Desk, runtime: Runtime) -> None:
    key = make_key(77)
    proposal = proposed(desk.ada.post(f"/go-accounts/{desk.account}/keys", {"pub": key.xpub}))
    made = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]["result"]["key"]
    assert made["verifiesFrom"] == "2026-01-06T12:00:00.000Z"
    (told,) = desk.events("go_account_key.added")
    assert (told["pub"], told["verifiesFrom"], told["custodian"]) == (key.xpub, made["verifiesFrom"], False)
    partner = desk.testbed.network
    assert partner is not None
    again = ok(desk.ada.post(f"/go-accounts/{desk.account}/keys", {"pub": key.xpub}))["key"]
    assert again == made
    assert signatures is not None
    assert runtime is not None


@pytest.fixture
def partner(desk: Desk) -> PartnerHandle:
    raise NotImplementedError
