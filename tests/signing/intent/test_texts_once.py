"""Whatever is sent where: a text of a key is accepted for one thing. Protocol §11."""

from __future__ import annotations

from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from clearwindow.signing.message import sign_message
from tests.signing.intent.scenes import twin, with_intent
from tests.support.networks import ClientHandle, ConnectionHandle, Json, new_nonce, ok, sign_body
from tests.support.operators import make_key
from tests.support.settlements import Testbed

OTHER_KEY = make_key(71)
_SENT = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=2, max_size=24)


def two_clients_with_one_key(testbed: Testbed) -> list[ConnectionHandle]:
    """Makes two enterprises with the same key, with two connections of the first and one of the second."""
    partners = [testbed.network.partner(name) for name in ("one", "two")]
    handles = []
    for name, used in (("ann", partners), ("bob", partners[:1])):
        enterprise = twin(testbed, name, 70)
        client = ClientHandle(ok(enterprise.api.post("/clients"))["client"]["id"], enterprise)
        testbed.operator.deposit(enterprise.account.id, "ofcbtc", 1_000)
        for number, partner in enumerate(used):
            connection = testbed.network.connect(client, partner, f"connection {number}")
            ok(connection.allocate("ofcbtc", 400 if name == "bob" else 200))
            handles.append(connection)
    return handles


def test_text_accepted_once_is_never_accepted_elsewhere(testbed: Testbed) -> None:
    connections = two_clients_with_one_key(testbed)
    ways = [(each, what) for each in connections for what in ("allocations", "deallocations")]

    @settings(max_examples=12, deadline=None)
    @given(sent=_SENT)
    def send_everything_everywhere(sent: list[tuple[int, int]]) -> None:
        bodies = [
            sign_body(connections[0].allocation_fields("ofcbtc", 1), connections[0].client.enterprise.account.key)
            for _ in range(3)
        ]
        accepted: dict[int, int] = {}
        for text, way in sent:
            connection, what = ways[way]
            answer = connection.client.api.post(f"{connection.path}/{what}", bodies[text])
            if answer.is_success or answer.status_code == 422:
                assert accepted.setdefault(text, way) == way
            else:
                assert (answer.status_code, answer.json()["name"]) == (400, "text_already_used")
                assert accepted[text] != way

    send_everything_everywhere()
    testbed.assert_proven()
    testbed.assert_signed()


def test_same_text_signed_by_another_key_of_the_account_is_the_same_request(testbed: Testbed) -> None:
    connection = testbed.network.funded(testbed.network.partner(), {"ofcbtc": 100})
    owner = connection.client.enterprise
    second = testbed.operator.post(f"/go-accounts/{owner.account.id}/keys", {"pub": OTHER_KEY.xpub})
    assert second.status_code == 200
    fields = connection.allocation_fields("ofcbtc", 5)
    body = sign_body(fields, owner.account.key)
    first = ok(owner.api.post(f"{connection.path}/deallocations", body))
    by_the_other_key = {**body, "signature": sign_message(OTHER_KEY, str(body["payload"]))}
    again = owner.api.post(f"{connection.path}/deallocations", by_the_other_key)
    assert (ok(again), again.headers["Idempotent-Replayed"]) == (first, "true")
    refused = owner.api.post(f"{connection.path}/allocations", by_the_other_key)
    assert refused.json()["name"] == "text_already_used"
    testbed.assert_signed()


def test_refused_request_does_not_use_its_text_up(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 10})
    fields = {
        "externalId": "day-1",
        "settlementAmounts": {connection.id: {"BTC": "-11"}},
        "nonce": new_nonce(),
        "cutoffAt": "2026-01-05T11:59:00.000Z",
    }
    body = with_intent(fields, partner.enterprise, "settlement.stage", {})
    assert partner.api.post("/partners/settlements", body, version=2).status_code == 422
    testbed.operator.deposit(connection.client.enterprise.account.id, "ofcbtc", 5)
    ok(connection.allocate("ofcbtc", 5))
    ok(partner.api.post("/partners/settlements", body, version=2))


def test_expired_text_is_refused_and_its_accepted_repeat_is_not(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})

    def body(expires_at: str) -> Json:
        fields = {
            "externalId": new_nonce(),
            "settlementAmounts": {connection.id: {"BTC": "5"}},
            "nonce": new_nonce(),
            "cutoffAt": "2026-01-05T11:59:00.000Z",
        }
        return with_intent(fields, partner.enterprise, "settlement.stage", {}, expiresAt=expires_at)

    send = partial(partner.api.post, "/partners/settlements", version=2)
    accepted, late = body("2026-01-05T12:01:00Z"), body("2026-01-05T12:01:00Z")
    first = ok(send(accepted))
    # The partner has nothing, so that the settlement fails at the end of its windows.
    testbed.pass_minutes(25)
    refused = send(late)
    assert (refused.status_code, refused.json()["name"]) == (400, "intent_expired")
    assert refused.json()["details"] == {
        "expiresAt": "2026-01-05T12:01:00.000Z",
        "now": "2026-01-05T12:25:00.000Z",
    }
    assert testbed.state(first["settlement"]["id"]) == "failed"
    again = send(accepted)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert testbed.state(first["settlement"]["id"]) == "top_up_window", "a repeat that acts is not late"


def test_unit_of_the_amounts_binds(testbed: Testbed) -> None:
    partner = testbed.network.partner(amountUnit="decimal")
    connection = testbed.network.funded(partner, {"ofcbtc": 10**9})
    fields = {
        "externalId": new_nonce(),
        "settlementAmounts": {connection.id: {"BTC": "-5"}},
        "nonce": new_nonce(),
        "cutoffAt": "2026-01-05T11:59:00.000Z",
    }
    sign = partial(with_intent, fields, partner.enterprise, "settlement.stage", {})
    refused = partner.api.post("/partners/settlements", sign(amountUnit="base"), version=2)
    assert (refused.status_code, refused.json()["name"]) == (400, "intent_wrong")
    assert "decimal" in refused.json()["error"]
    ok(partner.api.post("/partners/settlements", sign(amountUnit="decimal"), version=2))
