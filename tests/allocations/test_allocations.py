"""Allocations and deallocations of funds. Protocol §4."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from clearwindow.core.clock import ManualClock
from clearwindow.runtime import Runtime
from tests.support.networks import ConnectionHandle, Network, new_nonce, ok, sign_body
from tests.support.operators import make_key
from tests.support.snapshots import snapshot

NOBODY = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"
START = "2026-01-05T12:00:00.000Z"


@pytest.fixture
def connection(network: Network) -> ConnectionHandle:
    """A client with 100 ofcbtc in its Go Account, connected to a partner."""
    return network.connect(network.client(deposits={"ofcbtc": 100}), network.partner())


def refusal(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["name"]


def test_funds_are_allocated_and_deallocated(network: Network, connection: ConnectionHandle) -> None:
    sent = connection.allocate("ofcbtc", 70, clientExternalId="a-1", notes="for trading")
    record = ok(sent)["allocation"]
    assert record == {
        "id": record["id"],
        "amount": {"currency": "ofcbtc", "quantity": "70"},
        "connectionId": connection.id,
        "clientExternalId": "a-1",
        "initiatedBy": "user-of-trader",
        "notes": "for trading",
        "createdAt": START,
        "updatedAt": START,
        "retriable": False,
        "status": "cleared",
    }
    assert (connection.go_balances(), connection.balances()) == ({"ofcbtc": (30, 0)}, {"ofcbtc": (70, 0)})

    back = ok(connection.deallocate("ofcbtc", 50, clientExternalId="a-1"))["deallocation"]
    assert (back["status"], back["clientExternalId"]) == ("cleared", "a-1")
    assert (connection.go_balances(), connection.balances()) == ({"ofcbtc": (80, 0)}, {"ofcbtc": (20, 0)})
    assert network.operator.check() == []


def test_journal_has_an_entry_for_each_step(network: Network, connection: ConnectionHandle) -> None:
    allocated = ok(connection.allocate("ofcbtc", 70))["allocation"]
    back = ok(connection.deallocate("ofcbtc", 70))["deallocation"]

    def kinds(cause_id: str) -> list[str]:
        return sorted(entry["kind"] for entry in network.operator.entries(causeId=cause_id))

    assert kinds(allocated["id"]) == ["allocation_cleared", "allocation_reserved"]
    assert kinds(back["id"]) == ["deallocation_cleared", "deallocation_reserved"]


def test_both_sides_get_each_event_in_their_own_names_and_units(network: Network) -> None:
    partner = network.partner(amountUnit="decimal")
    connection = network.funded(partner, {"ofcbtc": 150_000_000})
    ok(connection.deallocate("btc", 1))
    amounts = {
        (event["enterpriseId"], event["type"]): event["payload"]["amount"]
        for event in network.operator.events()
        if "allocation" in event["type"]
    }
    allocated, returned = {"currency": "ofcbtc", "quantity": "150000000"}, {"currency": "ofcbtc", "quantity": "1"}
    theirs = {"currency": "BTC", "quantity": "1.5"}, {"currency": "BTC", "quantity": "0.00000001"}
    assert amounts == {
        ("trader", "allocation.reserved"): allocated,
        ("trader", "allocation.cleared"): allocated,
        ("exchange", "allocation.reserved"): theirs[0],
        ("exchange", "allocation.cleared"): theirs[0],
        ("trader", "deallocation.reserved"): returned,
        ("trader", "deallocation.cleared"): returned,
        ("exchange", "deallocation.reserved"): theirs[1],
        ("exchange", "deallocation.cleared"): theirs[1],
    }


def test_insufficient_funds_release_the_record(network: Network, connection: ConnectionHandle) -> None:
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 101))
    path = f"{connection.path}/allocations"
    refused = connection.client.api.post(path, body)
    assert refusal(refused) == (422, "insufficient_funds")
    assert refused.json()["details"] == {
        "currency": "ofcbtc",
        "quantity": "101",
        "available": "100",
        "shortfall": "1",
    }
    record = refused.json()["allocation"]
    assert (record["status"], record["retriable"]) == ("released", False)
    listed = ok(connection.client.api.get(f"/clients/allocations/{record['id']}"))["allocation"]
    assert listed == {**record, "type": "allocation"}
    # The partner gets the refusal, but not the client's balance.
    seen = ok(connection.partner.api.get(f"/partners/allocations/{record['id']}"))["allocation"]
    assert "100" not in seen["reason"]
    assert {event["type"] for event in network.operator.events(subjectId=record["id"])} == {"allocation.released"}

    # A later deposit does not change the record. Only a new request makes a new record.
    network.operator.deposit(connection.client.enterprise.account.id, "ofcbtc", 1)
    again = connection.client.api.post(path, body)
    assert refusal(again) == (422, "insufficient_funds")
    assert (again.json()["allocation"], again.headers["Idempotent-Replayed"]) == (record, "true")
    ok(connection.allocate("ofcbtc", 101))
    assert network.operator.check() == []


def test_deallocation_above_the_balance_is_refused(network: Network, connection: ConnectionHandle) -> None:
    ok(connection.allocate("ofcbtc", 10))
    refused = connection.deallocate("ofcbtc", 11)
    assert refusal(refused) == (422, "insufficient_funds")
    assert refused.json()["deallocation"]["status"] == "released"
    assert refusal(connection.deallocate("ofceth", 1)) == (422, "insufficient_funds")
    assert connection.balances()["ofcbtc"] == (10, 0)
    assert network.operator.check() == []


@pytest.mark.parametrize("what", ["connection", "partner", "client"])
def test_inactive_party_stops_allocations_but_not_deallocations(
    network: Network, connection: ConnectionHandle, what: str
) -> None:
    ok(connection.allocate("ofcbtc", 10))
    if what == "connection":
        ok(connection.client.api.put(connection.path, {"active": False}))
    else:
        noun = connection.partner.id if what == "partner" else connection.client.id
        ok(network.operator.patch(f"/{what}s/{noun}", {"active": False}))
    refused = connection.allocate("ofcbtc", 1)
    assert refusal(refused) == (422, f"{what}_inactive")
    assert refused.json()["allocation"]["status"] == "released"
    ok(connection.deallocate("ofcbtc", 10))


def test_currency_removed_from_the_map_can_be_deallocated(network: Network, connection: ConnectionHandle) -> None:
    ok(connection.allocate("ofcbtc", 10))
    network.configure("exchange", currencies={"ETH": "ofceth"})
    assert refusal(connection.allocate("ofcbtc", 1)) == (400, "currency_not_supported")
    back = ok(connection.deallocate("ofcbtc", 10))["deallocation"]
    assert refusal(connection.deallocate("ofcnone", 1)) == (400, "currency_not_supported")
    seen = ok(connection.partner.api.get(f"/partners/allocations/{back['id']}"))["allocation"]
    assert seen["amount"] == {"currency": "ofcbtc", "quantity": "10"}


def test_identical_repeat_gets_the_same_answer_and_moves_nothing(
    network: Network, connection: ConnectionHandle
) -> None:
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 40))
    path = f"{connection.path}/allocations"
    first = connection.client.api.post(path, body)
    assert "Idempotent-Replayed" not in first.headers
    # The repeat gets the first answer, although a new request would be refused now.
    ok(connection.client.api.put(connection.path, {"active": False}))
    network.configure("exchange", currencies={"ETH": "ofceth"})
    again = connection.client.api.post(path, body)
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert connection.balances() == {"ofcbtc": (40, 0)}


def test_external_id_serves_one_request_of_each_kind(connection: ConnectionHandle, runtime: Runtime) -> None:
    ok(connection.allocate("ofcbtc", 40, clientExternalId="a-1"))
    before = snapshot(runtime.database.dsn)
    assert refusal(connection.allocate("ofcbtc", 41, clientExternalId="a-1")) == (400, "client_external_id_taken")
    assert refusal(connection.allocate("ofcbtc", 40, clientExternalId="a-1", notes="-")) == (
        400,
        "client_external_id_taken",
    )
    assert snapshot(runtime.database.dsn) == before
    ok(connection.deallocate("ofcbtc", 40, clientExternalId="a-1"))


def test_signed_text_is_refused_on_another_path(
    network: Network, connection: ConnectionHandle, runtime: Runtime
) -> None:
    second = network.connect(connection.client, network.partner("second"))
    ok(second.allocate("ofcbtc", 20))
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 20))
    ok(connection.client.api.post(f"{connection.path}/allocations", body))
    before = snapshot(runtime.database.dsn)
    for path in (f"{connection.path}/deallocations", f"{second.path}/allocations", f"{second.path}/deallocations"):
        assert refusal(connection.client.api.post(path, body)) == (400, "text_already_used")
    assert snapshot(runtime.database.dsn) == before


def test_checks_are_made_in_their_documented_order(
    network: Network, connection: ConnectionHandle, runtime: Runtime
) -> None:
    """Each request fails all checks that come after the expected one, so the answer shows the order."""
    wrong_key = make_key(99)
    used = new_nonce()
    ok(connection.allocate("ofcbtc", 1, clientExternalId="taken", nonce=used))
    ok(connection.client.api.put(connection.path, {"active": False}))
    bystander, other = network.enterprise("bystander"), network.client("other")
    reader = network.member("trader", scopes=["settlement_network_read"])
    path = f"{connection.path}/allocations"
    fields = connection.allocation_fields("ofcnone", 2, nonce=used, clientExternalId="new")
    misfit = sign_body(fields, wrong_key) | {"notes": "not signed"}
    before = snapshot(runtime.database.dsn)

    assert refusal(reader.post(path, misfit | {"amount": 5})) == (403, "scope_missing")
    assert refusal(bystander.api.post(path, misfit | {"amount": 5})) == (400, "request_invalid")
    assert refusal(bystander.api.post(path, misfit)) == (400, "payload_differs")
    misfit = sign_body(fields, wrong_key)
    assert refusal(bystander.api.post(path, misfit)) == (403, "not_a_client")
    assert refusal(other.api.post(path, misfit)) == (404, "connection_unknown")
    assert refusal(connection.client.api.post(path, misfit)) == (400, "currency_not_supported")
    fields["amount"]["currency"] = "ofcbtc"
    assert refusal(connection.client.api.post(path, sign_body(fields, wrong_key))) == (401, "signature_invalid")
    signed = connection.client.enterprise.sign(fields)
    assert refusal(connection.client.api.post(path, signed)) == (400, "nonce_used")
    taken = connection.allocate("ofcbtc", 2, clientExternalId="taken")
    assert refusal(taken) == (400, "client_external_id_taken")
    assert snapshot(runtime.database.dsn) == before
    assert refusal(connection.allocate("ofcbtc", 2)) == (422, "connection_inactive")


def test_another_enterprises_connection_or_allocation_is_not_found(
    network: Network, connection: ConnectionHandle
) -> None:
    record = ok(connection.allocate("ofcbtc", 5))["allocation"]
    other = network.funded(network.partner("second"), {"ofcbtc": 5}, name="other")
    fields = connection.allocation_fields("ofcbtc", 1)
    for id_ in (connection.id, NOBODY, "nonsense"):
        for what in ("allocations", "deallocations"):
            path = f"/clients/connections/{id_}/{what}"
            signed = other.client.enterprise.sign(fields)
            assert refusal(other.client.api.post(path, signed)) == (404, "connection_unknown")
            assert refusal(other.client.api.post(f"{path}/signing", fields)) == (404, "connection_unknown")
    for id_ in (record["id"], NOBODY, "nonsense"):
        for api, side in ((other.client.api, "clients"), (other.partner.api, "partners")):
            assert refusal(api.get(f"/{side}/allocations/{id_}")) == (404, "allocation_unknown")
    for api, side in ((other.client.api, "clients"), (other.partner.api, "partners")):
        seen = api.get(f"/{side}/allocations", connectionIds=connection.id)
        assert (ok(seen)["allocations"], seen.headers["X-Total-Count"]) == ([], "0")


@pytest.mark.parametrize("what", ["allocations", "deallocations"])
def test_signing_helper_returns_the_text_to_sign(connection: ConnectionHandle, what: str) -> None:
    ok(connection.allocate("ofcbtc", 9))
    fields = connection.allocation_fields("ofcbtc", 9, notes="größer", connectionId=connection.id)
    path, api = f"{connection.path}/{what}", connection.client.api
    by_post = ok(api.post(f"{path}/signing", fields))
    assert ok(api.get(f"{path}/signing", body=fields)) == by_post
    signed = sign_body(fields, connection.client.enterprise.account.key)
    assert by_post == {"payload": signed["payload"]}
    ok(api.post(path, signed))
    assert api.post(f"{path}/signing", fields | {"connectionId": NOBODY}).status_code == 400
    assert api.post(f"{path}/signing", {"nonce": "n"}).status_code == 400


@pytest.mark.parametrize("what", ["allocations", "deallocations"])
def test_payload_may_name_the_enterprise_and_the_connection(connection: ConnectionHandle, what: str) -> None:
    ok(connection.allocate("ofcbtc", 9))
    key, path = connection.client.enterprise.account.key, f"{connection.path}/{what}"
    ids = {"enterpriseId": connection.client.enterprise.id, "connectionId": connection.id}
    for named in (ids, {"connectionId": connection.id}, {"enterpriseId": ids["enterpriseId"]}, {}):
        body = connection.allocation_fields("ofcbtc", 1, notes="for trading")
        whole = sign_body({**body, **named}, key)
        ok(connection.client.api.post(path, {**body, "payload": whole["payload"], "signature": whole["signature"]}))
    for wrong in ids:
        body = connection.allocation_fields("ofcbtc", 1)
        whole = sign_body({**body, **ids, wrong: NOBODY}, key)
        refused = connection.client.api.post(
            path, {**body, "payload": whole["payload"], "signature": whole["signature"]}
        )
        assert refusal(refused) == (400, "payload_differs")


def test_equal_values_are_listed_by_creation_and_then_by_id_in_the_direction_of_the_list(
    connection: ConnectionHandle, clock: ManualClock
) -> None:
    for minute in range(3):
        for number in range(3):
            ok(connection.allocate("ofcbtc", 1, clientExternalId=f"{minute}-{number}"))
        clock.advance(minutes=1)
    client, partner = connection.client.api, connection.partner.api
    for direction in ("ASC", "DESC"):
        for side in (client, partner):
            path = "/clients/allocations" if side is client else "/partners/allocations"
            found = ok(side.get(path, sortField="quantity", sortDirection=direction))["allocations"]
            assert [one["id"] for one in found] == [
                one["id"]
                for one in sorted(found, key=lambda one: (one["createdAt"], one["id"]), reverse=direction == "DESC")
            ]


def test_notes_are_visible_to_both_sides(connection: ConnectionHandle) -> None:
    made = ok(connection.allocate("ofcbtc", 5, notes="for trading"))["allocation"]
    assert made["notes"] == "for trading"
    for side, api in (("clients", connection.client.api), ("partners", connection.partner.api)):
        assert ok(api.get(f"/{side}/allocations/{made['id']}"))["allocation"]["notes"] == "for trading"
        (listed,) = ok(api.get(f"/{side}/allocations"))["allocations"]
        assert listed["notes"] == "for trading"
    assert "notes" not in ok(connection.allocate("ofcbtc", 5))["allocation"]


def test_signature_of_a_revoked_key_is_refused(network: Network, connection: ConnectionHandle) -> None:
    account = connection.client.enterprise.account
    assert network.operator.delete(f"/go-accounts/{account.id}/keys/{account.key_id}").status_code == 204
    assert refusal(connection.allocate("ofcbtc", 1)) == (401, "signature_invalid")


def test_lists_are_filtered_sorted_and_paged(
    network: Network, connection: ConnectionHandle, clock: ManualClock
) -> None:
    for minute, quantity in enumerate((30, 10, 20)):
        ok(connection.allocate("btc", quantity, clientExternalId=f"a-{minute}"))
        clock.advance(minutes=1)
    ok(connection.deallocate("btc", 5, clientExternalId="d-0"))
    connection.allocate("ofceth", 7, clientExternalId="e-0")
    network.funded(connection.partner, {"ofcusd": 3}, name="other")
    client, partner = connection.client.api, connection.partner.api

    def seen(**filters: Any) -> list[str]:  # noqa: ANN401 - what a query takes
        found = ok(client.get("/clients/allocations", **filters))["allocations"]
        return [one["clientExternalId"] for one in found]

    assert seen()[:3] == ["a-0", "a-1", "a-2"]
    assert set(seen()[3:]) == {"d-0", "e-0"}
    assert seen(sortDirection="DESC")[2:] == ["a-2", "a-1", "a-0"]
    assert seen(types="deallocation") == ["d-0"]
    assert seen(statuses=["released"]) == ["e-0"]
    assert seen(currencies="eth") == ["e-0"]
    assert seen(createdBefore="2026-01-05T12:02:00Z") == ["a-0", "a-1", "a-2"]
    assert seen(createdBefore="2026-01-05T12:01:59.999Z") == ["a-0", "a-1"]
    assert seen(createdOnOrAfter="2026-01-05T12:02:00Z", types="allocation", currencies="btc") == ["a-2"]
    by_quantity = ["a-0", "a-2", "a-1", "e-0", "d-0"]
    assert seen(sortField="quantity") == by_quantity[::-1]
    assert seen(sortField="quantity", sortDirection="DESC") == by_quantity
    assert seen(sortField="quantity", sortDirection="DESC", pageSize=2, pageNumber=1) == by_quantity[2:4]
    assert seen(sortField="currency", sortDirection="DESC")[0] == "e-0"
    assert seen(types="allocation,deallocation", statuses="cleared,released", currencies="btc,ofceth") == seen()
    assert seen(sortField="id") == seen(sortField="id", sortDirection="DESC")[::-1]
    assert sorted(seen(sortField="id")) == sorted(by_quantity)
    assert seen(partnerIds=NOBODY) == []
    assert seen(body={"currencies": ["ofceth"], "pageSize": 5, "sortField": "id"}) == ["e-0"]

    def theirs(**filters: object) -> int:
        return int(partner.get("/partners/allocations", **filters).headers["X-Total-Count"])

    assert (theirs(), theirs(clientIds=connection.client.id)) == (6, 5)
    assert (theirs(currencies="BTC"), theirs(currencies="ofcbtc"), theirs(currencies="USD")) == (4, 0, 1)
    mine = ok(partner.get("/partners/allocations", connectionIds=connection.id))["allocations"]
    assert mine[0]["clientExternalId"] == "a-0"
    for wrong in ({"sortField": "status"}, {"types": "loan"}, {"createdBefore": "yesterday"}, {"unknown": 1}):
        assert client.get("/clients/allocations", **wrong).status_code == 400
    assert partner.get("/partners/allocations", sortField="currency").status_code == 400
