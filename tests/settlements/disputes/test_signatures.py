"""A signed text is valid only for the path that it was sent to first."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.networks import new_nonce, ok, sign_body
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed, dispute, stage

NOBODY = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"


def test_signed_dispute_is_refused_for_another_settlement(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    one, other = (stage(partner, {connection.id: {"BTC": "-1"}})["id"] for _ in range(2))
    api, enterprise = connection.client.api, connection.client.enterprise
    body = enterprise.sign({"connectionId": connection.id, "expectedTransfers": {}})
    raised = ok(api.post(f"/clients/settlements/{one}/disputes", body))

    with nothing_written(testbed.runtime):
        refused = api.post(f"/clients/settlements/{other}/disputes", body)
        assert (refused.status_code, refused.json()["name"]) == (409, "text_already_used")
        again = api.post(f"/clients/settlements/{one}/disputes", body)
    assert (ok(again), again.headers["Idempotent-Replayed"]) == (raised, "true")


def test_signed_closing_is_refused_for_another_dispute(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    settlements = [stage(partner, {connection.id: {"BTC": "-1"}})["id"] for _ in range(2)]
    one, other = (ok(dispute(connection, settlement))["dispute"]["id"] for settlement in settlements)
    testbed.pass_minutes(10)
    api, body = connection.client.api, connection.client.enterprise.sign({"notes": "we were wrong"})
    closed = ok(api.post(f"/clients/settlements/disputes/{one}/close", body))

    with nothing_written(testbed.runtime):
        refused = api.post(f"/clients/settlements/disputes/{other}/close", body)
        assert (refused.status_code, refused.json()["name"]) == (409, "text_already_used")
        again = api.post(f"/clients/settlements/disputes/{one}/close", body)
    assert (ok(again), again.headers["Idempotent-Replayed"]) == (closed, "true")


def test_signed_retraction_is_refused_for_another_dispute(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    settlements = [stage(partner, {connection.id: {"BTC": "-1"}})["id"] for _ in range(2)]
    one, other = (ok(dispute(connection, settlement))["dispute"]["id"] for settlement in settlements)
    api = connection.client.api
    body = connection.client.enterprise.sign({"connectionId": connection.id, "retracted": True})
    ok(api.put(f"/clients/settlements/disputes/{one}", body))

    with nothing_written(testbed.runtime):
        refused = api.put(f"/clients/settlements/disputes/{other}", body)
        assert (refused.status_code, refused.json()["name"]) == (409, "text_already_used")
    testbed.assert_proven()


def test_signed_allocation_is_refused_for_another_connection_and_as_deallocation(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    second = testbed.network.connect(connection.client, partner, "second")
    testbed.operator.deposit(connection.client.enterprise.account.id, "ofcbtc", 100)
    api = connection.client.api
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 5))
    ok(api.post(f"{connection.path}/allocations", body))

    with nothing_written(testbed.runtime):
        for path in (f"{second.path}/allocations", f"{connection.path}/deallocations"):
            refused = api.post(path, body)
            assert (refused.status_code, refused.json()["name"]) == (400, "text_already_used"), path


def test_payload_of_an_update_and_of_a_closure_may_name_the_dispute_and_its_settlement(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "-1"}})["id"]
    dispute_id = ok(dispute(connection, settlement))["dispute"]["id"]
    api, enterprise = connection.client.api, connection.client.enterprise
    ids = {"enterpriseId": enterprise.id, "disputeId": dispute_id, "settlementId": settlement}

    def signed(fields: Mapping[str, object], **named: object) -> dict[str, object]:
        """Signs the fields with further ids, which the body does not repeat."""
        body = {"nonce": new_nonce(), **fields}
        whole = sign_body({**body, **named}, enterprise.account.key)
        return {**body, "payload": whole["payload"], "signature": whole["signature"]}

    path = f"/clients/settlements/disputes/{dispute_id}"
    change = {"connectionId": connection.id, "retracted": True, "reason": "found them"}
    with nothing_written(testbed.runtime):
        for name in ids:
            wrong = api.put(path, signed(change, **ids | {name: NOBODY}))
            assert (wrong.status_code, wrong.json()["name"]) == (400, "payload_differs")
            assert name in wrong.json()["error"]
    retracted = ok(api.put(path, signed(change, **ids)))["dispute"]
    assert (retracted["retracted"], retracted["retractedReason"], "reason" in retracted) == (
        True,
        "found them",
        False,
    )
    again = {"connectionId": connection.id, "retracted": False, "reason": "still missing", **ids}
    stands = ok(api.put(path, enterprise.sign(again)))["dispute"]
    assert (stands["retracted"], stands["reason"]) == (False, "still missing")
    assert "retractedReason" not in stands

    testbed.pass_minutes(10)
    closing = signed({"notes": "we were wrong"}, **ids | {"settlementId": NOBODY})
    assert api.post(f"{path}/close", closing).json()["name"] == "payload_differs"
    assert ok(api.post(f"{path}/close", signed({"notes": "we were wrong"}, **ids)))["disputeClosure"]
    testbed.assert_proven()
