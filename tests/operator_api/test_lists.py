"""Everything that an operator can make is listed: with filters, a range of time and cursors."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

import pytest

from clearwindow.core.clock import ManualClock
from tests.support.lists import followed, next_address, next_cursor, next_query
from tests.support.networks import Network
from tests.support.operators import OperatorClient

Json = dict[str, Any]

LISTS: Final = {
    "/enterprises": "enterprises",
    "/users": "users",
    "/memberships": "memberships",
    "/operators": "operators",
    "/tokens": "tokens",
    "/go-accounts": "goAccounts",
    "/go-account-keys": "keys",
    "/partners": "partners",
    "/clients": "clients",
    "/connections": "connections",
    "/partner-configurations": "partnerConfigurations",
    "/allocations": "allocations",
    "/webhook-endpoints": "webhookEndpoints",
    "/audit-log": "records",
    "/ledger/entries": "entries",
    "/events": "events",
}
RANGES: Final = dict.fromkeys(LISTS, ("createdOnOrAfter", "createdBefore")) | {
    "/audit-log": ("onOrAfter", "before")
}
WITHOUT_RANGE: Final = "/partner-configurations"
CONFIGURATION: Final = {"currencies": {"BTC": "ofcbtc"}, "amountUnit": "base"}


@pytest.fixture
def made(network: Network, operator: OperatorClient, clock: ManualClock) -> Json:
    """At least three of everything, made in two minutes, the secrets among it."""
    secrets: list[str] = []
    for number in (1, 2, 3):
        if number == 3:
            clock.advance(minutes=1)
        partner = network.partner(f"exchange-{number}")
        client = network.client(f"trader-{number}", deposits={"ofcbtc": 1_000})
        connection = network.connect(client, partner)
        assert connection.allocate("ofcbtc", 10).status_code == 200
        secrets.append(operator.user_token(f"trader-{number}"))
        secrets.append(operator.operator_token(operator.operator(f"operator-{number}")["id"]))
        endpoint = client.api.post("/webhook-endpoints", {"url": f"https://{number}.example"})
        secrets.append(endpoint.json()["secret"])
    return {"secrets": secrets}


@pytest.mark.usefixtures("made")
def test_following_the_links_reads_the_whole_list(operator: OperatorClient) -> None:
    for path, name in LISTS.items():
        whole = operator.get(path)
        entries = whole.json()[name]
        assert len(entries) >= 3, path
        assert whole.headers["X-Total-Count"] == str(len(entries)), path
        assert "Clearwindow-Total" not in whole.headers
        assert next_address(whole) is None
        assert followed(operator.get, path, name, pageSize=1) == entries, path
        assert followed(operator.get, path, name, pageSize=2) == entries, path
        numbered = [operator.get(path, pageSize=2, pageNumber=page).json()[name] for page in range(len(entries))]
        assert [entry for page in numbered for entry in page] == entries, path


@pytest.mark.usefixtures("made")
def test_what_was_changed_is_selected_by_the_time_of_its_change(
    operator: OperatorClient, clock: ManualClock
) -> None:
    partners = operator.get("/partners").json()["partners"]
    by_name = {each["name"]: each["id"] for each in partners}
    clock.advance(minutes=1)
    for number, licensed in ((1, False), (2, False), (2, True), (3, False)):
        path = f"/enterprises/trader-{number}/partner-licences/{by_name[f'exchange-{number}']}"
        operator.patch(path, {"licensed": licensed})
    operator.put("/enterprises/exchange-2/partner-configuration", CONFIGURATION)
    since, until = {"updatedOnOrAfter": "2026-01-05T12:02:00Z"}, {"updatedBefore": "2026-01-05T12:02:00Z"}

    def configured(**filters: str) -> list[str]:
        found = operator.get("/partner-configurations", **filters).json()["partnerConfigurations"]
        return [each["enterpriseId"] for each in found]

    def licences(**filters: str) -> list[tuple[str, bool]]:
        found = operator.get("/partner-licences", **filters).json()["partnerLicences"]
        return [(each["enterpriseId"], each["licensed"]) for each in found]

    assert configured(**since) == ["exchange-2"]
    assert configured(**until) == ["exchange-1", "exchange-3"]
    assert licences() == [("trader-1", False), ("trader-2", True), ("trader-3", False)]
    assert licences(**since, licensed="false") == [("trader-1", False), ("trader-3", False)]
    assert licences(**since, partnerIds=by_name["exchange-2"]) == [("trader-2", True)]
    assert licences(**since, enterpriseIds="trader-3,nobody") == [("trader-3", False)]
    assert licences(**until) == []


@pytest.mark.usefixtures("made")
def test_the_next_page_is_the_same_list_with_the_same_filters(operator: OperatorClient) -> None:
    first = operator.get("/enterprises", pageSize=1, names="trader-1,trader-2", licensed="true")
    address = next_address(first)
    assert address is not None
    assert address.startswith(
        "/api/operator/v1/enterprises?pageSize=1&names=trader-1%2Ctrader-2&licensed=true&cursor="
    )
    second = operator.get("/enterprises", **(next_query(first) or {}))
    assert [entry["id"] for entry in first.json()["enterprises"]] == ["trader-2"]
    assert [entry["id"] for entry in second.json()["enterprises"]] == ["trader-1"]
    assert second.headers["X-Total-Count"] == "2"
    assert next_address(second) is None


@pytest.mark.usefixtures("made")
def test_the_size_of_pages_may_change_on_the_way(operator: OperatorClient) -> None:
    whole = operator.get("/users").json()["users"]
    cursor = next_cursor(operator.get("/users", pageSize=1))
    assert operator.get("/users", pageSize=500, cursor=cursor).json()["users"] == whole[1:]


@pytest.mark.usefixtures("made")
def test_a_range_of_time_selects_what_was_made_in_it(operator: OperatorClient) -> None:
    moment = "2026-01-05T12:01:00.000Z"
    for path, name in LISTS.items():
        if path == WITHOUT_RANGE:
            continue
        start, end = RANGES[path]
        whole = operator.get(path).json()[name]
        later = operator.get(path, **{start: moment}).json()[name]
        earlier = operator.get(path, **{end: moment}).json()[name]
        assert later, path
        assert earlier, path
        assert later + earlier == whole, path
        assert followed(operator.get, path, name, pageSize=1, **{end: moment}) == earlier, path
        assert operator.get(path, **{start: moment, end: moment}).json()[name] == []


@pytest.mark.usefixtures("made")
def test_wrong_cursors_are_refused(operator: OperatorClient) -> None:
    for path in LISTS:
        cursor = next_cursor(operator.get(path, pageSize=1))
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        bent = [
            cursor[:-1],
            cursor[1:],
            cursor + "A",
            cursor + "=",
            cursor.swapcase(),
            "A",
            "A" * 1_000,
            "%",
            "é",
            urlsafe_b64encode(raw[:-1]).decode().rstrip("="),
            urlsafe_b64encode(raw[:12] + b'["2026-01-05T12:00:00+00:00","x"]').decode().rstrip("="),
        ]
        for text in bent:
            refused = operator.get(path, cursor=text, pageSize=1)
            assert (refused.status_code, refused.json()["name"]) == (400, "cursor_invalid"), (path, text)
        for wrong in ("", "A" * 2_001):
            refused = operator.get(path, cursor=wrong)
            assert (refused.status_code, refused.json()["name"]) == (400, "request_invalid"), (path, wrong)


@pytest.mark.usefixtures("made")
def test_a_cursor_of_another_list_or_other_filters_is_refused(operator: OperatorClient) -> None:
    cursors = {path: next_cursor(operator.get(path, pageSize=1)) for path in LISTS}
    for path in LISTS:
        for other, cursor in cursors.items():
            status = operator.get(path, cursor=cursor).status_code
            assert status == (200 if other == path else 400), (path, other)
    filtered = next_cursor(operator.get("/enterprises", pageSize=1, licensed="true"))
    for filters in ({}, {"licensed": "false"}, {"licensed": "true", "names": "trader-1"}):
        assert operator.get("/enterprises", cursor=filtered, **filters).json()["name"] == "cursor_invalid"


def forged(path: str, filters: str, position: bytes) -> str:
    """A cursor with a correct digest, as somebody makes it who has read the source."""
    digest = hashlib.sha256(json.dumps([path, filters]).encode() + position).digest()[:12]
    return urlsafe_b64encode(digest + position).decode().rstrip("=")


FILTERS: Final = (
    '{"createdOnOrAfter":null,"createdBefore":null,"ids":null,"names":null,"trustOrgs":null,"licensed":null}'
)
PLACES: Final = [
    b"[]",
    b"{}",
    b"null",
    b"[1,2]",
    b'["2026-01-05T12:00:00+00:00"]',
    b'["2026-01-05T12:00:00+00:00","a","b"]',
    b'["yesterday","a"]',
    b'["9999-12-31T23:59:59-23:59","a"]',
    b'["2026-01-05T12:00:00+00:00","a\\u0000b"]',
    b'["2026-01-05T12:00:00+00:00",' + b"[" * 500 + b"]" * 500 + b"]",
    b'["2026-01-05T12:00:00+00:00","\\ud800"]',
    b"not json",
    b"",
    b"\xff\xfe",
]


def test_a_forged_cursor_is_refused_or_a_place_in_the_list(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    path = "/api/operator/v1/enterprises"
    genuine = forged(path, FILTERS, b'["9000-01-01T00:00:00+00:00","a"]')
    shown = operator.get("/enterprises", cursor=genuine)
    assert [entry["id"] for entry in shown.json()["enterprises"]] == ["acme"]
    for place in PLACES:
        refused = operator.get("/enterprises", cursor=forged(path, FILTERS, place))
        assert (refused.status_code, refused.json()["name"]) == (400, "cursor_invalid"), place
    audit = '{"subjectId":null,"actorId":null,"enterpriseId":null,"action":null,"onOrAfter":null,"before":null}'
    start = forged("/api/operator/v1/audit-log", audit, b'["9223372036854775807"]')
    assert operator.get("/audit-log", cursor=start).status_code == 200
    for number in (b'["-1"]', b'["9223372036854775808"]', b'["1e3"]', '["\u0661"]'.encode(), b'[""]'):
        refused = operator.get("/audit-log", cursor=forged("/api/operator/v1/audit-log", audit, number))
        assert refused.json()["name"] == "cursor_invalid", number


def test_wrong_ranges_and_filters_are_refused(operator: OperatorClient) -> None:
    early, late = "2026-01-05T12:00:00.000Z", "2026-01-05T12:00:00.001Z"
    for path in LISTS:
        wrong: list[dict[str, str]] = [
            {"unknown": "x"},
            {"pageSize": "0"},
            {"cursor": "A", "pageNumber": "0"},
            {"Cursor": "A"},
            {"page_size": "1"},
        ]
        if path != WITHOUT_RANGE:
            start, end = RANGES[path]
            wrong += [
                {start: late, end: early},
                {start: "yesterday"},
                {start: "1969-12-31T23:59:59.999Z"},
                {end: "9999-01-01T00:00:00Z"},
                {end: "2026-01-05"},
                {start: ""},
            ]
        for filters in wrong:
            refused = operator.get(path, **filters)
            assert (refused.status_code, refused.json()["name"]) == (400, "request_invalid"), (path, filters)
    lookalikes: list[tuple[str, dict[str, str]]] = [
        ("/enterprises", {"licensed": "True"}),
        ("/enterprises", {"enterpriseIds": "acme"}),
        ("/tokens", {"enterpriseId": "acme"}),
        ("/tokens", {"kinds": "Bearer"}),
        ("/tokens", {"ids": "acme"}),
        ("/memberships", {"roles": "owner"}),
        ("/operators", {"roles": "trader"}),
        ("/allocations", {"statuses": "RESERVED"}),
        ("/go-accounts", {"ids": "0" * 31}),
        ("/connections", {"initialized": "yes"}),
        ("/partner-configurations", {"createdBefore": late}),
    ]
    for path, filters in lookalikes:
        refused = operator.get(path, **filters)
        assert (refused.status_code, refused.json()["name"]) == (400, "request_invalid"), (path, filters)


def test_no_list_shows_a_secret(operator: OperatorClient, made: Json) -> None:
    hidden = [*made["secrets"], *(hashlib.sha256(secret.encode()).hexdigest() for secret in made["secrets"])]
    hidden += ["the-secret-of-the-connection", "encryptedPrv", '"value"', "sha256", "sealed"]
    for path in LISTS:
        text = operator.get(path).text
        for secret in hidden:
            assert secret not in text, (path, secret)


def test_each_list_has_its_own_filters(operator: OperatorClient, network: Network) -> None:
    partner = network.partner("exchange")
    client = network.client("trader", deposits={"ofcbtc": 1_000})
    connection = network.connect(client, partner)
    connection.allocate("ofcbtc", 10)
    connection.deallocate("ofcbtc", 4)
    account = client.enterprise.account

    def ids(path: str, **filters: str) -> list[str]:
        return [entry["id"] for entry in operator.get(path, **filters).json()[LISTS[path]]]

    assert ids("/go-accounts", enterpriseIds="trader", isDefault="true") == [account.id]
    assert ids("/go-accounts", ids=account.id) == [account.id]
    assert ids("/go-accounts", isDefault="false") == []
    assert ids("/go-account-keys", goAccountIds=account.id) == [account.key_id]
    assert ids("/go-account-keys", enterpriseIds="trader", custodian="false", revoked="false") == [account.key_id]
    operator.delete(f"/go-accounts/{account.id}/keys/{account.key_id}")
    assert ids("/go-account-keys", revoked="true") == [account.key_id]
    assert ids("/partners", enterpriseIds="exchange", broker="false", active="true") == [partner.id]
    assert ids("/partners", names="nobody") == []
    assert ids("/clients", goAccountIds=account.id, active="true") == [client.id]
    assert ids("/connections", partnerIds=partner.id, clientIds=client.id, initialized="true") == [connection.id]
    assert ids("/connections", initialized="false") == []
    assert len(ids("/allocations", connectionIds=connection.id)) == 2
    assert len(ids("/allocations", types="deallocation", partnerIds=partner.id, clientIds=client.id)) == 1
    assert len(ids("/allocations", currencies="btc", statuses="cleared,released")) == 2
    assert ids("/allocations", currencies="eth") == []
    listed = operator.get("/partner-configurations", amountUnits="base,decimal").json()["partnerConfigurations"]
    assert [entry["enterpriseId"] for entry in listed] == ["exchange"]
    assert operator.get("/enterprises/exchange/partner-configuration").json()["partnerConfiguration"] == listed[0]
    assert operator.get("/partner-configurations", enterpriseIds="trader").json()["partnerConfigurations"] == []


def test_one_of_each_is_shown_by_its_id(operator: OperatorClient, network: Network) -> None:
    connection = network.funded(network.partner(), {"ofcbtc": 5})
    for path, name in LISTS.items():
        if path in {"/memberships", "/go-account-keys", "/partner-configurations", "/webhook-endpoints"}:
            continue
        if path in {"/audit-log", "/ledger/entries", "/events"}:
            continue
        listed = operator.get(path).json()[name]
        assert listed, path
        one = operator.get(f"{path}/{listed[0]['id']}")
        assert list(one.json().values()) == [listed[0]], path
        for unknown in ("nobody", connection.id[::-1], "0" * 32):
            refused = operator.get(f"{path}/{unknown}")
            assert refused.status_code == 404, path
    assert operator.get("/enterprises/trader/partner-configuration").status_code == 404


def test_a_list_is_counted_up_to_a_limit(operator: OperatorClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from clearwindow.events import outbox  # noqa: PLC0415
    from clearwindow.postgres import paging  # noqa: PLC0415

    operator.enterprise("acme")
    account = operator.go_account("acme")
    for _ in range(3):
        operator.deposit(account.id, "ofcbtc", 1)
    monkeypatch.setattr(paging, "EXACT_TOTAL", 2)
    monkeypatch.setattr(outbox, "EXACT_TOTAL", 2)
    for path in ("/audit-log", "/ledger/entries", "/events"):
        first = operator.get(path, pageSize=2)
        assert (first.headers["X-Total-Count"], first.headers["Clearwindow-Total"]) == ("2", "at-least"), path
        assert len(followed(operator.get, path, LISTS[path], pageSize=2)) >= 3, path
