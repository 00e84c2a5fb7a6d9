"""Every list of operators and members has cursors and exports, and reads no more of its history than it shows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx2
import pytest

from clearwindow import bootstrap
from clearwindow.api.routing import documented
from clearwindow.postgres.pool import Transaction
from tests.conftest import OPERATOR_TOKEN
from tests.support.chains import chain_desk
from tests.support.exchanges import check_response
from tests.support.http import loopback_client
from tests.support.lists import next_address
from tests.support.networks import ok
from tests.support.operators import READ
from tests.support.pauses import pause
from tests.support.settlements import Testbed, close_dispute, dispute, stage
from tests.support.top_ups import spare_account, standing_top_up

Json = dict[str, Any]

OPERATOR: Final = "/api/operator/v1"
MEMBER: Final = "/api/network/v1/enterprises/{enterprise_id}"
NOT_LISTS: Final = {
    # One settlement, with a page of its transfers.
    f"{OPERATOR}/settlements/{{settlement_id}}",
    f"{MEMBER}/partners/settlements/{{settlement_id}}",
    f"{MEMBER}/clients/settlements/{{settlement_id}}",
    # One forecast, with a page of its network accounts.
    f"{MEMBER}/partners/settlements/{{settlement_id}}/forecast",
    f"{MEMBER}/clients/settlements/{{settlement_id}}/forecast",
    # One object with all currencies of the partners that the caller names.
    f"{MEMBER}/supportedCurrencies",
}
NOT_FILLED: Final = {
    f"{OPERATOR}/proposals",
    f"{OPERATOR}/partner-calls",
    f"{OPERATOR}/partner-endpoints",
    f"{MEMBER}/clients/pending-approvals",
    f"{MEMBER}/partners/calls",
    f"{MEMBER}/webhook-endpoints/{{endpoint_id}}/attempts",
    f"{MEMBER}/webhook-endpoints/{{endpoint_id}}/deliveries",
}
SORTED_ANEW: Final = {
    # Of one account: the entries of its settlements and its other entries are brought together.
    f"{OPERATOR}/ledger/entries",
    f"{OPERATOR}/accounts/{{account_id}}/statement/entries",
    f"{MEMBER}/accounts/{{account_id}}/statement/entries",
    # The rows of one connection alone: an index has the connections of a settlement in order.
    f"{OPERATOR}/settlements/{{settlement_id}}/net-orders",
    f"{MEMBER}/partners/settlements/{{settlement_id}}/net-orders",
    f"{MEMBER}/clients/settlements/{{settlement_id}}/net-orders",
    f"{OPERATOR}/settlements/{{settlement_id}}/transfers",
    f"{MEMBER}/partners/settlements/{{settlement_id}}/transfers",
    # A row for each partner.
    f"{OPERATOR}/partner-endpoints",
    # The rows of the page alone: an event has one for each owner.
    f"{OPERATOR}/events",
    f"{MEMBER}/events",
    # The deadlines of open settlements alone: a settlement has two.
    f"{MEMBER}/partners/calendar",
    f"{MEMBER}/clients/calendar",
    # The transfers of one client, by the last change of their settlements.
    f"{MEMBER}/clients/settlementTransfers",
}
"""Lists whose first page is sorted anew each time."""


def parameters() -> dict[str, set[str]]:
    """Returns the names of the parameters in the query of each GET, by its path."""
    routes = documented(route for router in bootstrap.all_routers(60) for route in router.routes)
    return {
        route.path: {given["name"] for given in (route.openapi_extra or {}).get("parameters", [])}
        for route in routes
        if route.methods == {"GET"}
    }


def lists() -> list[str]:
    """Returns the paths of all operations that have pages."""
    return sorted(path for path, names in parameters().items() if "pageSize" in names)


LISTS: Final = [path for path in lists() if path not in NOT_LISTS]


@pytest.fixture
def readers(testbed: Testbed) -> Iterator[dict[str, Reader]]:
    """A network with several of nearly everything, and a client for each path of a list."""
    desk = chain_desk(testbed)
    operator, partner = testbed.operator, desk.partner
    endpoints = [
        ok(desk.ann.client.api.post("/webhook-endpoints", {"url": f"https://{number}.example"}))["webhookEndpoint"]
        for number in (1, 2)
    ]
    testbed.network.connect(desk.ann.client, partner, "second")
    another = testbed.network.partner("another")
    for enterprise in ("ann", "bob"):
        path = f"/enterprises/{enterprise}/partner-licences/{another.id}"
        ok(operator.patch(path, {"licensed": False}))
    ok(operator.post("/enterprises/ann/tokens", {"userId": "user-of-ann", "scopes": [READ]}))
    ok(operator.post("/enterprises/exchange/tokens", {"userId": "user-of-exchange", "scopes": [READ]}))
    operator.operator("second")
    raised = []
    for _ in range(3):
        staged = stage(partner, {desk.ann.id: {"BTC": "-10"}, desk.bob.id: {"BTC": "5"}})
        raised.append(ok(dispute(desk.ann, staged["id"], {"ofcbtc": "-1"}))["dispute"]["id"])
        testbed.clock.advance(minutes=1)
    testbed.pass_minutes(20)
    for dispute_id in raised[:2]:
        ok(close_dispute(desk.ann, dispute_id))
    shown = [stage(partner, {desk.ann.id: {"BTC": "-1", "ETH": "-1"}})["id"] for _ in range(2)]
    for _ in shown:
        external_id = desk.initiate({desk.ann.id: {"BTC": "-1"}, desk.bob.id: {"BTC": "1"}})["externalId"]
        desk.fund(external_id, "BTC", 1)
    spare = spare_account(testbed, partner)
    for api, own in ((operator, "/operators/me/notifications"), (desk.ann.client.api, "/notifications")):
        ok(api.put(own, {"chat": {"form": "slack", "url": "https://chat.example"}}))
        for _ in range(2):
            ok(api.post(f"{own}/test"))
    for currency in ("ofcbtc", "ofceth"):
        standing_top_up(partner, spare, currency=currency)
        pause(operator, "currency", currency)
    account = desk.ann.client.enterprise.account.id
    yield from clients(testbed, endpoints[0]["id"], account, shown[-1])


class Reader:
    """Reads one list."""

    def __init__(self, address: str, authorization: str) -> None:
        self.address = address
        headers = {"Authorization": authorization}
        self.http = loopback_client(headers=headers, timeout=60, event_hooks={"response": [check_response]})

    def get(self, query: Mapping[str, object]) -> httpx2.Response:
        return self.http.get(self.address, params=dict(query))  # type: ignore[arg-type]  # whatever a query takes


def clients(testbed: Testbed, endpoint_id: str, account_id: str, settlement_id: str) -> Iterator[dict[str, Reader]]:
    operator = testbed.operator
    headers = {name: f"Bearer {operator.user_token(name)}" for name in ("exchange", "ann")}
    made = {}
    for path in LISTS:
        who = "exchange" if f"{MEMBER}/partners/" in path else "ann"
        token = f"Bearer {OPERATOR_TOKEN}" if path.startswith(OPERATOR) else headers[who]
        address = path.replace("{enterprise_id}", who).replace("{endpoint_id}", endpoint_id)
        address = address.replace("{account_id}", account_id).replace("{settlement_id}", settlement_id)
        made[path] = Reader(operator.base_url + address, token)
    yield made
    for reader in made.values():
        reader.http.close()


def entries_of(response: httpx2.Response) -> list[Json]:
    """Returns the entries of a page as its export has them."""
    assert response.status_code == 200, response.text
    body = response.json()
    if "networkBalances" in body:
        return [{"id": key, **entry} for key, entry in body["networkBalances"].items()]
    (found,) = [value for value in body.values() if isinstance(value, list)]
    entries: list[Json] = found
    return entries


def test_every_list_has_cursors_and_exports(readers: dict[str, Reader]) -> None:
    for path, reader in readers.items():
        whole = reader.get({})
        expected = entries_of(whole)
        assert len(expected) >= (0 if path in NOT_FILLED else 2), path
        assert whole.headers["X-Total-Count"] == str(len(expected)), path
        assert next_address(whole) is None, path
        page = reader.get({"pageSize": 1})
        followed = entries_of(page)
        while (address := next_address(page)) is not None:
            page = reader.http.get(httpx2.URL(reader.address).join(address))
            assert page.headers["X-Total-Count"] == str(len(expected)), path
            followed += entries_of(page)
        assert followed == expected, path
        exported = reader.get({"format": "jsonl"}).text
        assert [json.loads(line) for line in exported.splitlines()] == expected, path
        rows = list(csv.DictReader(io.StringIO(reader.get({"format": "csv"}).text, newline="")))
        assert [row["id"] for row in rows if "id" in row] == [str(one["id"]) for one in expected if "id" in one], (
            path
        )
        assert len(rows) == len(expected), path


def test_cursors_of_other_lists_are_refused(readers: dict[str, Reader]) -> None:
    cursors = {}
    for path, reader in readers.items():
        address = next_address(reader.get({"pageSize": 1}))
        if address is not None:
            cursors[path] = httpx2.URL(address).params["cursor"]
    assert len(cursors) >= len(LISTS) - len(NOT_FILLED)
    for path, reader in readers.items():
        other = next(cursor for each, cursor in cursors.items() if each != path)
        for wrong in (other, other[:-1], "A"):
            refused = reader.get({"cursor": wrong})
            assert (refused.status_code, refused.json()["name"]) == (400, "cursor_invalid"), path
        both = reader.get({"cursor": other, "pageNumber": 0})
        assert (both.status_code, both.json()["name"]) == (400, "request_invalid"), path


def test_a_range_that_ends_before_it_begins_is_refused(readers: dict[str, Reader]) -> None:
    names = {"createdOnOrAfter": "createdBefore", "dueOnOrAfter": "dueBefore", "onOrAfter": "before"}
    names |= {"receivedOnOrAfter": "receivedBefore", "updatedOnOrAfter": "updatedBefore"}
    names |= {"settlementUpdatedOnOrAfter": "settlementUpdatedBefore"}
    known = parameters()
    without = set()
    for path, reader in readers.items():
        ranges = {start: end for start, end in names.items() if start in known[path]}
        if not ranges:
            without.add(path.removeprefix(MEMBER).removeprefix(OPERATOR))
        for start, end in ranges.items():
            asked = {start: "2026-01-05T12:00:00.001Z", end: "2026-01-05T12:00:00Z"}
            refused = reader.get(asked)
            assert (refused.status_code, refused.json()["name"]) == (400, "request_invalid"), path
            nothing = reader.get({start: "2026-01-04T12:00:00Z", end: "2026-01-05T11:00:00Z"})
            assert entries_of(nothing) == [], path
    assert without == {
        "/settlements/{settlement_id}/net-orders",
        "/partners/settlements/{settlement_id}/net-orders",
        "/clients/settlements/{settlement_id}/net-orders",
        "/settlements/{settlement_id}/transfers",
        "/partners/settlements/{settlement_id}/transfers",
        "/partner-endpoints",
        "/partners",
        "/clients/connections",
        "/partners/connections",
        "/clients/balances",
        "/partners/balances",
        "/webhook-endpoints",
    }


def test_no_list_reads_more_of_its_history_than_it_shows(
    readers: dict[str, Reader], testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No statement counts its history, and no plan of a page sorts it: indexes have the order of the lists."""
    ran: list[tuple[str, Json]] = []
    original = Transaction.records

    def noting(tx: Transaction, statement: Any, **values: object) -> list[dict[str, object]]:  # noqa: ANN401
        ran.append((statement, values))
        return original(tx, statement, **values)

    monkeypatch.setattr(Transaction, "records", noting)
    plans: dict[str, list[str]] = {}
    for path, reader in readers.items():
        ran.clear()
        assert reader.get({"pageSize": 1}).status_code == 200
        pages = [(text, values) for text, values in ran if "LIMIT %(limit)s" in text]
        assert pages, path
        with testbed.runtime.transaction() as tx:
            for setting in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort", "incremental_sort"):
                tx.run(f"SET LOCAL enable_{setting} = off")
            for text, values in pages:
                assert not re.search(r"count\(\*\)\s+OVER", text), path
                plans.setdefault(path, []).extend(tx.scalars(str, f"EXPLAIN {text}", **values))
    sorts = {path for path, plan in plans.items() if any(re.search(r"^\s*(->)?\s*Sort", line) for line in plan)}
    assert sorts == SORTED_ANEW
