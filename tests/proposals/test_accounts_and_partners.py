"""Deposits, further keys and partners' terms that wait for another operator. Protocol §12."""

from __future__ import annotations

from dataclasses import replace

import httpx2

from clearwindow.identity.models import Scope, TokenTerms
from clearwindow.identity.tokens import issue_token
from tests.proposals.conftest import Desk
from tests.signing.intent.scenes import require_intent
from tests.support.http import loopback_client
from tests.support.networks import CURRENCIES, ok
from tests.support.operators import make_key
from tests.support.staff import proposed


def sign(desk: Desk) -> httpx2.Response:
    """Asks the custodian for a signature."""
    runtime = desk.testbed.runtime
    with runtime.transaction() as tx:
        terms = TokenTerms(scopes=frozenset(Scope))
        token = issue_token(tx, desk.enterprise.id, f"user-of-{desk.enterprise.id}", terms).value
    with loopback_client(base_url=desk.ada.base_url, headers={"Authorization": f"Bearer {token}"}) as http:
        return http.post(f"/api/v2/ofc/wallet/{desk.account}/tx/sign", json={"payload": TEXT})


TEXT = '{"amount": {"currency": "btc", "quantity": "1"}, "clientExternalId": "x", "nonce": "n"}'
TERMS = {"currencies": {"BTC": "ofcbtc"}, "amountUnit": "base"}


def test_deposit_waits_and_is_made_once(desk: Desk) -> None:
    proposal = proposed(desk.ada.move("deposits", desk.account, "ofcbtc", 25, "payment-1"))
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


def test_intent_is_turned_off_by_two(desk: Desk) -> None:
    enterprise = desk.enterprise
    ok(require_intent(enterprise))
    path = f"/go-accounts/{desk.account}/require-intent"
    assert desk.connection.allocate("ofcbtc", 10).json()["name"] == "intent_missing"
    proposal = proposed(desk.ada.delete(path))
    assert desk.connection.allocate("ofcbtc", 10).json()["name"] == "intent_missing"
    done = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]
    assert done["result"]["goAccount"]["requireIntent"] is False
    ok(desk.connection.allocate("ofcbtc", 10))
    assert [told["requireIntent"] for told in desk.events("account.intent_changed")] == [False, True]
    assert ok(desk.ada.delete(path))["goAccount"]["requireIntent"] is False


def test_further_key_signs_after_its_cool_off(desk: Desk) -> None:
    key = make_key(77)
    proposal = proposed(desk.ada.post(f"/go-accounts/{desk.account}/keys", {"pub": key.xpub}))
    made = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]["result"]["key"]
    assert made["verifiesFrom"] == "2026-01-06T12:00:00.000Z"
    (told,) = desk.events("go_account_key.added")
    assert (told["pub"], told["verifiesFrom"], told["custodian"]) == (key.xpub, made["verifiesFrom"], False)
    enterprise = replace(desk.enterprise, account=replace(desk.enterprise.account, key=key))
    with_new_key = replace(desk.connection, client=replace(desk.connection.client, enterprise=enterprise))

    early = with_new_key.allocate("ofcbtc", 10)

    assert (early.status_code, early.json()["name"]) == (401, "signature_invalid")
    assert made["verifiesFrom"] in early.json()["error"]
    ok(desk.connection.allocate("ofcbtc", 10))
    desk.clock.advance(minutes=24 * 60)
    ok(with_new_key.allocate("ofcbtc", 10))


def test_custodian_does_not_sign_with_a_key_in_its_cool_off(desk: Desk) -> None:
    asked = {"custodianKey": True}
    proposal = proposed(desk.ada.post(f"/go-accounts/{desk.account}/keys", asked))
    made = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]["result"]["key"]
    assert ok(desk.ada.post(f"/go-accounts/{desk.account}/keys", asked))["key"] == made
    signed = sign(desk)
    assert (signed.status_code, signed.json()["name"]) == (422, "no_custodian_key")
    desk.clock.advance(minutes=24 * 60)
    ok(sign(desk))


def test_first_configuration_needs_nobody_and_a_change_in_use_does(desk: Desk) -> None:
    network = desk.testbed.network
    newcomer = ok(desk.ada.post("/enterprises", {"id": "new-exchange", "name": "New", "licensed": False}))
    path = f"/enterprises/{newcomer['enterprise']['id']}/partner-configuration"
    ok(desk.ada.put(path, TERMS))
    ok(desk.ada.put(path, TERMS | {"amountUnit": "decimal"}))

    path = f"/enterprises/{desk.partner.enterprise.id}/partner-configuration"
    present = {"currencies": CURRENCIES, "amountUnit": "base"}
    assert ok(desk.ada.put(path, present))["partnerConfiguration"]["amountUnit"] == "base"
    first = desk.ada.put(path, present | {"amountUnit": "decimal", "lossSlaMinutes": 1.5})
    proposal = proposed(first)
    assert "amountUnit" in proposal["summary"]
    assert desk.ada.put(path, present | {"amountUnit": "decimal", "lossSlaMinutes": 1.5}).json() == first.json()
    done = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]
    assert done["result"]["partnerConfiguration"]["amountUnit"] == "decimal"
    assert ok(desk.ada.put(path, present | {"amountUnit": "decimal", "lossSlaMinutes": 1.5}))
    refused = desk.ada.put(path, present | {"callbackUrl": "nowhere"})
    assert (refused.status_code, refused.json()["name"]) == (400, "callback_url_refused")
    assert network.operator.audit_log(action="partner_configuration.replaced")[0]["actorId"] == desk.ada.id
    told = desk.ada.events(enterpriseId=desk.partner.enterprise.id, types="partner.configured")
    assert [each["payload"]["amountUnit"] for each in told] == ["decimal"]


def test_configuration_changed_meanwhile_is_named(desk: Desk) -> None:
    path = f"/enterprises/{desk.partner.enterprise.id}/partner-configuration"
    present = {"currencies": CURRENCIES, "amountUnit": "base"}
    first = proposed(desk.ada.put(path, present | {"callbackUrl": "http://127.0.0.1:9/partner"}))
    waiting = desk.ada.put(path, present | {"amountUnit": "decimal"})
    assert (waiting.status_code, waiting.json()["name"]) == (409, "proposal_differs")
    ok(desk.ada.decide(first["id"], "withdraw"))
    second = proposed(desk.ada.put(path, present | {"amountUnit": "decimal"}))
    with desk.testbed.runtime.transaction() as tx:
        tx.run("UPDATE partner_configuration SET onchain_enabled = true")
    refused = desk.ben.decide(second["id"], "approve")
    assert refused.json()["details"]["changed"] == {"onchainEnabled": {"proposed": "false", "now": "true"}}


def test_windows_are_proposed_and_stopping_is_not(desk: Desk) -> None:
    path = f"/partners/{desk.partner.id}"
    assert ok(desk.ada.patch(path, {"active": False}))["partner"]["active"] is False
    assert ok(desk.ada.patch(path, {"clientDisputeWindowMinutes": 10}))["partner"]["active"] is False
    changes = {"clientDisputeWindowMinutes": 0.5, "topUpWindowMinutes": None}
    proposal = proposed(desk.ada.patch(path, changes))
    assert "clientDisputeWindowMinutes 0.5" in proposal["summary"]
    shown = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]
    assert shown["target"] == {"clientDisputeWindowMinutes": "10", "topUpWindowMinutes": "10"}
    assert shown["result"]["partner"]["clientDisputeWindowMinutes"] == 0.5
    assert shown["result"]["partner"]["topUpWindowMinutes"] is None
    assert proposed(desk.ada.patch(path, {"stablePartner": True}))["act"] == "partner.change"


def test_licence_for_a_partner_is_proposed_and_taken_away_by_one(desk: Desk) -> None:
    path = f"/enterprises/{desk.enterprise.id}/partner-licences/{desk.partner.id}"
    assert ok(desk.ada.patch(path, {"licensed": True}))
    assert ok(desk.ada.patch(path, {"licensed": False}))["partnerLicence"]["licensed"] is False
    proposal = proposed(desk.ada.patch(path, {"licensed": True}))
    done = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]
    assert done["result"]["partnerLicence"]["licensed"] is True
