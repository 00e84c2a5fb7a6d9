"""Allocating funds to a partner and taking them back. Protocol §4."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from clearwindow.clock import ManualClock
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


def test_funds_go_to_the_partner_and_come_back(network: Network, connection: ConnectionHandle) -> None:
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


def test_the_journal_shows_both_steps(network: Network, connection: ConnectionHandle) -> None:
    allocated = ok(connection.allocate("ofcbtc", 70))["allocation"]
    back = ok(connection.deallocate("ofcbtc", 70))["deallocation"]

    def kinds(cause_id: str) -> list[str]:
        return sorted(entry["kind"] for entry in network.operator.entries(causeId=cause_id))

    assert kinds(allocated["id"]) == ["allocation_cleared", "allocation_reserved"]
    assert kinds(back["id"]) == ["deallocation_cleared", "deallocation_reserved"]


def test_both_sides_hear_each_step_in_their_own_terms(network: Network) -> None:
    partner = network.partner(amountUnit="decimal")
    connection = network.funded(partner, {"ofcbtc": 150_000_000})
    ok(connection.deallocate("btc", 1))
    heard = {
        (event["enterpriseId"], event["type"]): event["payload"]["amount"]
        for event in network.operator.events()
        if "allocation" in event["type"]
    }
    allocated, returned = {"currency": "ofcbtc", "quantity": "150000000"}, {"currency": "ofcbtc", "quantity": "1"}
    theirs = {"currency": "BTC", "quantity": "1.5"}, {"currency": "BTC", "quantity": "0.00000001"}
    assert heard == {
        ("trader", "allocation.reserved"): allocated,
        ("trader", "allocation.cleared"): allocated,
        ("exchange", "allocation.reserved"): theirs[0],
        ("exchange", "allocation.cleared"): theirs[0],
        ("trader", "deallocation.reserved"): returned,
        ("trader", "deallocation.cleared"): returned,
        ("exchange", "deallocation.reserved"): theirs[1],
        ("exchange", "deallocation.cleared"): theirs[1],
    }


def test_too_little_is_released_and_recorded(network: Network, connection: ConnectionHandle) -> None:
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
    # The partner learns that it was refused, not how much the client has.
    seen = ok(connection.partner.api.get(f"/partners/allocations/{record['id']}"))["allocation"]
    assert "100" not in seen["reason"]
    assert {event["type"] for event in network.operator.events(subjectId=record["id"])} == {"allocation.released"}

    # More money does not bring it back: the record stands, and a new request is a new one.
    network.operator.deposit(connection.client.enterprise.account.id, "ofcbtc", 1)
    again = connection.client.api.post(path, body)
    assert refusal(again) == (422, "insufficient_funds")
    assert (again.json()["allocation"], again.headers["Idempotent-Replayed"]) == (record, "true")
    ok(connection.allocate("ofcbtc", 101))
    assert network.operator.check() == []


def test_no_more_comes_back_than_is_there(network: Network, connection: ConnectionHandle) -> None:
    ok(connection.allocate("ofcbtc", 10))
    refused = connection.deallocate("ofcbtc", 11)
    assert refusal(refused) == (422, "insufficient_funds")
    assert refused.json()["deallocation"]["status"] == "released"
    assert refusal(connection.deallocate("ofceth", 1)) == (422, "insufficient_funds")
    assert connection.balances()["ofcbtc"] == (10, 0)
    assert network.operator.check() == []


@pytest.mark.parametrize("what", ["connection", "partner", "client"])
def test_what_is_inactive_takes_no_allocations_and_gives_funds_back(
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


def test_funds_come_back_in_a_currency_that_is_mapped_no_more(
    network: Network, connection: ConnectionHandle
) -> None:
    ok(connection.allocate("ofcbtc", 10))
    network.configure("exchange", currencies={"ETH": "ofceth"})
    assert refusal(connection.allocate("ofcbtc", 1)) == (400, "currency_not_supported")
    back = ok(connection.deallocate("ofcbtc", 10))["deallocation"]
    assert refusal(connection.deallocate("ofcnone", 1)) == (400, "currency_not_supported")
    seen = ok(connection.partner.api.get(f"/partners/allocations/{back['id']}"))["allocation"]
    assert seen["amount"] == {"currency": "ofcbtc", "quantity": "10"}


def test_a_repeat_answers_as_before_and_moves_nothing(network: Network, connection: ConnectionHandle) -> None:
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 40))
    path = f"{connection.path}/allocations"
    first = connection.client.api.post(path, body)
    assert "Idempotent-Replayed" not in first.headers
    # Even where it could not be asked for anew: it was answered once, and stays so.
    ok(connection.client.api.put(connection.path, {"active": False}))
    network.configure("exchange", currencies={"ETH": "ofceth"})
    again = connection.client.api.post(path, body)
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert connection.balances() == {"ofcbtc": (40, 0)}


def test_an_external_id_is_for_one_request_of_one_kind(connection: ConnectionHandle, runtime: Runtime) -> None:
    ok(connection.allocate("ofcbtc", 40, clientExternalId="a-1"))
    before = snapshot(runtime.database.dsn)
    assert refusal(connection.allocate("ofcbtc", 41, clientExternalId="a-1")) == (400, "client_external_id_taken")
    assert refusal(connection.allocate("ofcbtc", 40, clientExternalId="a-1")) == (400, "client_external_id_taken")
    assert snapshot(runtime.database.dsn) == before
    ok(connection.deallocate("ofcbtc", 40, clientExternalId="a-1"))


def test_a_signed_text_serves_one_path_only(
    network: Network, connection: ConnectionHandle, runtime: Runtime
) -> None:
    second = network.connect(connection.client, network.partner("second"))
    ok(second.allocate("ofcbtc", 20))
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 20))
    ok(connection.client.api.post(f"{connection.path}/allocations", body))
    before = snapshot(runtime.database.dsn)
    for path in (f"{connection.path}/deallocations", f"{second.path}/allocations", f"{second.path}/deallocations"):
        assert refusal(connection.client.api.post(path, body)) == (400, "nonce_used")
    assert snapshot(runtime.database.dsn) == before


def test_the_checks_come_in_their_order(network: Network, connection: ConnectionHandle, runtime: Runtime) -> None:
    """Each request has everything wrong that is still to be checked: the first check answers."""
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
    assert refusal(bystander.api.post(path, misfit)) == (403, "not_a_client")
    assert refusal(other.api.post(path, misfit)) == (404, "connection_unknown")
    assert refusal(connection.client.api.post(path, misfit)) == (400, "currency_not_supported")
    fields["amount"]["currency"] = "ofcbtc"
    misfit = sign_body(fields, wrong_key) | {"notes": "not signed"}
    assert refusal(connection.client.api.post(path, misfit)) == (400, "payload_differs")
    assert refusal(connection.client.api.post(path, sign_body(fields, wrong_key))) == (401, "signature_invalid")
    signed = connection.client.enterprise.sign(fields)
    assert refusal(connection.client.api.post(path, signed)) == (400, "nonce_used")
    taken = connection.allocate("ofcbtc", 2, clientExternalId="taken")
    assert refusal(taken) == (400, "client_external_id_taken")
    assert snapshot(runtime.database.dsn) == before
    assert refusal(connection.allocate("ofcbtc", 2)) == (422, "connection_inactive")


def test_anothers_connection_and_allocation_are_like_none(network: Network, connection: ConnectionHandle) -> None:
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
def test_the_helper_gives_the_text_to_sign(connection: ConnectionHandle, what: str) -> None:
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


def test_a_key_that_was_taken_away_signs_no_more(network: Network, connection: ConnectionHandle) -> None:
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

    assert set(seen()[:2]) == {"d-0", "e-0"}
    assert seen()[2:] == ["a-2", "a-1", "a-0"]
    assert seen(types="deallocation") == ["d-0"]
    assert seen(statuses=["released"]) == ["e-0"]
    assert seen(currencies="eth") == ["e-0"]
    assert seen(createdBefore="2026-01-05T12:02:00Z", sortDirection="ASC") == ["a-0", "a-1"]
    assert seen(createdOnOrAfter="2026-01-05T12:02:00Z", types="allocation", currencies="btc") == ["a-2"]
    by_quantity = ["a-0", "a-2", "a-1", "e-0", "d-0"]
    assert seen(sortField="quantity") == by_quantity
    assert seen(sortField="quantity", sortDirection="ASC") == by_quantity[::-1]
    assert seen(sortField="quantity", pageSize=2, pageNumber=1) == by_quantity[2:4]
    assert seen(sortField="currency", sortDirection="DESC")[0] == "e-0"
    assert sorted(seen(sortField="id")) == sorted(by_quantity)
    assert seen(partnerIds=NOBODY) == []
    assert seen(body={"currencies": ["ofceth"], "pageSize": 5, "sortField": "id"}) == ["e-0"]

    def theirs(**filters: object) -> int:
        return int(partner.get("/partners/allocations", **filters).headers["X-Total-Count"])

    assert (theirs(), theirs(clientIds=connection.client.id)) == (6, 5)
    assert (theirs(currencies="BTC"), theirs(currencies="ofcbtc"), theirs(currencies="USD")) == (4, 0, 1)
    mine = ok(partner.get("/partners/allocations", connectionIds=connection.id))["allocations"]
    assert all("notes" not in one for one in mine)
    for wrong in ({"sortField": "status"}, {"types": "loan"}, {"createdBefore": "yesterday"}, {"unknown": 1}):
        assert client.get("/clients/allocations", **wrong).status_code == 400
    assert partner.get("/partners/allocations", sortField="currency").status_code == 400
