"""A partner gives, lists and revokes standing instructions. Protocol §2, §3, §5, §10.8."""

from __future__ import annotations

import pytest

from tests.support.networks import PartnerHandle, new_nonce, ok, sign_body
from tests.support.operators import make_key
from tests.support.races import at_once
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed
from tests.support.top_ups import instruct, instruction, spare_account, standing_top_up

UNKNOWN = "3f0b6c1e-1f7a-4c52-9a35-2f1f0c8e7d11"
LIST = "/partners/standing-top-ups"


@pytest.fixture
def partner(testbed: Testbed) -> PartnerHandle:
    return testbed.network.partner()


def path(account: str) -> str:
    return f"/go-accounts/{account}/standing-top-ups"


def test_owner_is_told_and_sees_what_stands(testbed: Testbed, partner: PartnerHandle) -> None:
    spare = spare_account(testbed, partner)
    made = standing_top_up(partner, spare, currency="btc", perSettlement="25")
    assert made == {
        "id": made["id"],
        "goAccountId": spare,
        "currency": "ofcbtc",
        "perSettlement": "25",
        "createdBy": "user-of-exchange",
        "createdAt": "2026-01-05T12:00:00.000Z",
    }
    assert ok(partner.api.get(LIST))["standingTopUps"] == [made]
    revoke = f"{LIST}/{made['id']}"
    assert [partner.api.delete(revoke).status_code for _ in range(2)] == [204, 204]
    (ended,) = ok(partner.api.get(LIST, active="false"))["standingTopUps"]
    assert (ended["revokedBy"], ended["revokedAt"]) == ("user-of-exchange", "2026-01-05T12:00:00.000Z")
    assert ok(partner.api.get(LIST, active="true"))["standingTopUps"] == []
    types = [one for one in testbed.event_types("exchange") if one.startswith("standing_top_up")]
    assert types == ["standing_top_up.created", "standing_top_up.revoked"]
    actions = [one["action"] for one in testbed.operator.audit_log() if one["subjectId"] == made["id"]]
    assert sorted(actions) == ["standing_top_up.created", "standing_top_up.revoked"]
    testbed.assert_signed()


def test_byte_identical_repeat_gets_the_same_record(testbed: Testbed, partner: PartnerHandle) -> None:
    spare = spare_account(testbed, partner)
    body = instruction(partner, spare)
    first, second = at_once([lambda: partner.api.post(path(spare), body)] * 2)
    assert first.json() == second.json()
    assert sorted(one.headers.get("Idempotent-Replayed", "") for one in (first, second)) == ["", "true"]
    made = ok(first)["standingTopUp"]
    assert partner.api.delete(f"{LIST}/{made['id']}").status_code == 204
    testbed.clock.advance(minutes=10_000_000)
    with nothing_written(testbed.runtime):
        repeated = partner.api.post(path(spare), body)
    assert ok(repeated)["standingTopUp"]["revokedBy"] == "user-of-exchange"
    assert len(ok(partner.api.get(LIST))["standingTopUps"]) == 1


def test_wrong_instructions_are_refused(testbed: Testbed, partner: PartnerHandle) -> None:
    spare, own = spare_account(testbed, partner), partner.enterprise.account.id
    rivals = spare_account(testbed, testbed.network.partner("rival"))
    nonce = new_nonce()
    standing_top_up(partner, spare, nonce=nonce)
    unsigned = {"currency": "ofceth", "perSettlement": "1", "nonce": new_nonce()}
    silent = sign_body(unsigned, partner.enterprise.account.key)
    other = {**instruction(partner, spare, currency="ofceth"), "perSettlement": "2"}
    with nothing_written(testbed.runtime):
        answers = {
            "own": instruct(partner, own, currency="ofceth"),
            "rival's": instruct(partner, rivals, currency="ofceth"),
            "unknown": instruct(partner, UNKNOWN.replace("-", ""), currency="ofceth"),
            "currency": instruct(partner, spare, currency="ofcxyz"),
            "zero": instruct(partner, spare, currency="ofceth", perSettlement="0"),
            "nonce": instruct(partner, spare, currency="ofceth", nonce=nonce),
            "no signature": partner.api.post(path(spare), unsigned),
            "no intent": partner.api.post(path(spare), silent),
            "other amount": partner.api.post(path(spare), other),
        }
    found = {what: (answer.status_code, answer.json()["name"]) for what, answer in answers.items()}
    assert found == {
        "own": (400, "standing_top_up_from_itself"),
        "rival's": (404, "go_account_unknown"),
        "unknown": (404, "go_account_unknown"),
        "currency": (400, "currency_unknown"),
        "zero": (400, "request_invalid"),
        "nonce": (409, "nonce_used"),
        "no signature": (400, "request_invalid"),
        "no intent": (400, "intent_missing"),
        "other amount": (400, "payload_differs"),
    }
    assert answers["rival's"].json()["error"] == answers["unknown"].json()["error"]


def test_only_a_key_of_the_source_signs(testbed: Testbed, partner: PartnerHandle) -> None:
    owner = partner.enterprise
    other = testbed.operator.go_account(owner.id, make_key(77)).id
    refused = instruct(partner, other)
    assert (refused.status_code, refused.json()["name"]) == (401, "signature_invalid")


def test_instructions_of_another_are_as_if_they_did_not_exist(testbed: Testbed, partner: PartnerHandle) -> None:
    standing = standing_top_up(partner, spare_account(testbed, partner))
    rival = testbed.network.partner("rival")
    assert ok(rival.api.get(LIST))["standingTopUps"] == []
    answers = [rival.api.delete(f"{LIST}/{one}") for one in (standing["id"], UNKNOWN, "no-id")]
    assert {(one.status_code, one.json()["error"]) for one in answers} == {
        (404, "the partner has no standing top-up with this id")
    }
    assert ok(partner.api.get(LIST, active="true"))["standingTopUps"] == [standing]
