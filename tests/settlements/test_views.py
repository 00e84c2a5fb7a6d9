"""Settlements as their partner, their clients and operators see them. Protocol §5, §6."""

from __future__ import annotations

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok
from tests.support.settling import Floor, dispute, stage

UNKNOWN = "3f0b6c1e-1f7a-4c52-9a35-2f1f0c8e7d11"


def ids(response: httpx2.Response, what: str = "settlements") -> list[str]:
    return [one["id"] for one in ok(response)[what]]


class Scene:
    """Two settlements: the first completed, the second pending and disputed by the trader."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.partner: PartnerHandle = floor.network.partner(deposits={"ofcusd": 100})
        self.trader: ConnectionHandle = floor.network.funded(self.partner, {"ofcbtc": 500}, name="trader")
        self.other: ConnectionHandle = floor.network.funded(self.partner, {"ofcbtc": 500}, name="other")
        amounts = {self.trader.id: {"BTC": "-20", "USD": "7"}, self.other.id: {"BTC": "-30"}}
        self.first: Json = stage(self.partner, amounts, externalId="first", notes="day one")
        floor.pass_minutes(20)
        self.second: Json = stage(self.partner, {self.trader.id: {"BTC": "5"}}, externalId="second")
        ok(dispute(self.trader, self.second["id"]))


@pytest.fixture
def scene(floor: Floor) -> Scene:
    return Scene(floor)


def test_the_partner_lists_the_newest_first(scene: Scene) -> None:
    api = scene.partner.api
    listed = api.get("/partners/settlements")
    assert ids(listed) == [scene.second["id"], scene.first["id"]]
    assert listed.headers["X-Total-Count"] == "2"
    assert [one["status"] for one in ok(listed)["settlements"]] == ["pending", "completed"]
    assert [one["disputed"] for one in ok(listed)["settlements"]] == [True, False]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"externalIds": "first"}, ["first"]),
        ({"externalIds": ["first", "second"]}, ["second", "first"]),
        ({"onlyShowDisputed": "true"}, ["second"]),
        ({"pageSize": "1"}, ["second"]),
        ({"pageSize": "1", "pageNumber": "1"}, ["first"]),
        ({"pageSize": "1", "pageNumber": "2"}, []),
        ({"createdBefore": "2026-01-05T12:20:00.000Z"}, ["first"]),
        ({"createdOnOrAfter": "2026-01-05T12:20:00.000Z"}, ["second"]),
        ({"updatedOnOrAfter": "2026-01-05T12:20:00.000Z"}, ["second", "first"]),
        ({"updatedBefore": "2026-01-05T12:20:00.000Z"}, []),
        ({"partnerIds": UNKNOWN}, []),
        ({"counterpartyConnectionIds": UNKNOWN}, []),
    ],
)
def test_the_partners_filters(scene: Scene, filters: dict[str, str], expected: list[str]) -> None:
    listed = ok(scene.partner.api.get("/partners/settlements", **filters))["settlements"]
    assert [one["externalId"] for one in listed] == expected
    in_the_body = ok(scene.partner.api.get("/partners/settlements", body=filters))["settlements"]
    assert in_the_body == listed


def test_parties_can_be_asked_for(scene: Scene) -> None:
    api = scene.partner.api
    assert ids(api.get("/partners/settlements", partyConnectionIds=scene.other.id)) == [scene.first["id"]]
    assert ids(api.get("/partners/settlements", settlementIds=scene.second["id"])) == [scene.second["id"]]


@pytest.mark.parametrize(
    ("filters", "name"),
    [
        ({"pageSize": "0"}, "request_invalid"),
        ({"pageNumber": "-1"}, "request_invalid"),
        ({"settlementIds": "nonsense"}, "request_invalid"),
        ({"createdBefore": "yesterday"}, "request_invalid"),
        ({"color": "red"}, "request_invalid"),
    ],
)
def test_filters_that_make_no_sense_are_refused(scene: Scene, filters: dict[str, str], name: str) -> None:
    refused = scene.partner.api.get("/partners/settlements", **filters)
    assert refused.status_code == 400
    assert refused.json()["name"] == name


def test_the_partner_sees_every_transfer(scene: Scene) -> None:
    answer = scene.partner.api.get(f"/partners/settlements/{scene.first['id']}")
    shown = ok(answer)
    assert answer.headers["X-Total-Count"] == "3"
    assert shown["settlement"]["notes"] == "day one"
    assert "finalizedAt" in shown["settlement"]
    quantities = sorted((one["currency"], one["quantity"]) for one in shown["settlementTransfers"])
    assert quantities == [("ofcbtc", "-20"), ("ofcbtc", "-30"), ("ofcusd", "7")]
    sources = {one["sourceTradingAccountId"] for one in shown["settlementTransfers"]}
    assert sources == {scene.partner.enterprise.account.id}
    assert {one["status"] for one in shown["settlementTransfers"]} == {"completed"}


def test_the_partners_transfer_filters(scene: Scene) -> None:
    path = f"/partners/settlements/{scene.first['id']}"

    def count(**filters: str) -> int:
        return len(ok(scene.partner.api.get(path, **filters))["settlementTransfers"])

    assert count(currencies="usd") == 1
    assert count(pageSize="2") == 2
    assert count(pageSize="2", pageNumber="1") == 1
    assert count(destinationTradingAccountIds=scene.other.client.enterprise.account.id) == 1
    assert count(sourceTradingAccountIds=scene.partner.enterprise.account.id) == 3
    assert count(sourceTradingAccountIds=scene.other.client.enterprise.account.id) == 0
    assert count(sourceNetworkAccountIds=scene.other.id) == 0


def test_a_client_sees_its_own_part_only(scene: Scene) -> None:
    listed = ok(scene.other.client.api.get("/clients/settlements"))["settlements"]
    assert [(one["externalId"], one["transferDirection"]) for one in listed] == [("first", "send")]
    listed = ok(scene.trader.client.api.get("/clients/settlements"))["settlements"]
    assert [(one["externalId"], one["transferDirection"], one["disputed"]) for one in listed] == [
        ("second", "receive", True),
        ("first", "send-and-receive", False),
    ]
    shown = ok(scene.trader.client.api.get(f"/clients/settlements/{scene.first['id']}"))
    assert sorted(one["quantity"] for one in shown["settlementTransfers"]) == ["-20", "7"]
    assert all("sourceTradingAccountId" not in one for one in shown["settlementTransfers"])


def test_the_clients_filters(scene: Scene) -> None:
    api = scene.trader.client.api
    assert ids(api.get("/clients/settlements", statuses="completed")) == [scene.first["id"]]
    assert ids(api.get("/clients/settlements", statuses="pending,failed")) == [scene.second["id"]]
    assert ids(api.get("/clients/settlements", onlyShowDisputed="true")) == [scene.second["id"]]
    assert api.get("/clients/settlements", statuses="lost").status_code == 400


def test_every_filter_of_the_clients_list(scene: Scene) -> None:
    trader, first, second = scene.trader, scene.first["id"], scene.second["id"]
    api = trader.client.api
    cases: list[tuple[dict[str, object], list[str]]] = [
        ({"settlementIds": first}, [first]),
        ({"settlementIds": [first, second]}, [second, first]),
        ({"partnerIds": scene.partner.id}, [second, first]),
        ({"partnerIds": UNKNOWN}, []),
        ({"partyConnectionIds": trader.id}, [second, first]),
        ({"partyConnectionIds": [trader.id, scene.other.id]}, [second, first]),
        ({"partyConnectionIds": scene.other.id}, []),
        ({"counterpartyConnectionIds": trader.id}, []),
        ({"counterpartyConnectionIds": scene.other.id}, []),
        ({"onlyShowDisputed": False}, [second, first]),
        ({"statuses": ["completed", "rejected"], "partnerIds": [scene.partner.id, UNKNOWN]}, [first]),
        ({"pageSize": "1"}, [second]),
        ({"pageSize": "1", "pageNumber": "1"}, [first]),
        ({"pageSize": 1, "pageNumber": 2}, []),
    ]
    for filters, expected in cases:
        in_the_query = {name: str(value).lower() if value is False else value for name, value in filters.items()}
        assert ids(api.get("/clients/settlements", **in_the_query)) == expected, filters
        assert ids(api.get("/clients/settlements", body=filters)) == expected, filters


def test_every_filter_of_the_clients_transfers(scene: Scene) -> None:
    path = f"/clients/settlements/{scene.first['id']}"
    cases: list[tuple[dict[str, object], list[str]]] = [
        ({}, ["-20", "7"]),
        ({"currencies": "ofcusd"}, ["7"]),
        ({"currencies": ["btc", "usd"]}, ["-20", "7"]),
        ({"currencies": "ofceth"}, []),
        ({"pageSize": 1}, ["-20"]),
        ({"pageSize": "1", "pageNumber": 1}, ["7"]),
        ({"pageSize": 1, "pageNumber": 2}, []),
    ]
    for filters, expected in cases:
        for answer in (
            scene.trader.client.api.get(path, **filters),
            scene.trader.client.api.get(path, body=filters),
        ):
            assert [one["quantity"] for one in ok(answer)["settlementTransfers"]] == expected, filters
            paged = "pageSize" in filters
            assert answer.headers["X-Total-Count"] == ("2" if paged else str(len(expected))), filters


def test_a_client_is_told_which_side_it_is_on(scene: Scene) -> None:
    shown = ok(scene.trader.client.api.get(f"/clients/settlements/{scene.first['id']}"))["settlementTransfers"]
    account = scene.trader.client.enterprise.account.id
    assert {one["destinationTradingAccountId"] for one in shown} == {account}
    assert {one["destinationClientName"] for one in shown} == {"trader"}
    assert {one["destinationConnectionName"] for one in shown} == {"main"}
    assert len({one["destinationNetworkAccountId"] for one in shown}) == 1


def test_every_filter_of_the_partners_transfers(scene: Scene) -> None:
    path = f"/partners/settlements/{scene.first['id']}"
    connections = ok(scene.trader.client.api.get("/clients/connections"))["connections"]
    network_account = connections[0]["networkAccountId"]
    go_accounts = [one.client.enterprise.account.id for one in (scene.trader, scene.other)]
    cases: list[tuple[dict[str, object], int]] = [
        ({"destinationNetworkAccountIds": network_account}, 2),
        ({"destinationNetworkAccountIds": [network_account, UNKNOWN]}, 2),
        ({"destinationNetworkAccountIds": UNKNOWN}, 0),
        ({"sourceNetworkAccountIds": network_account}, 0),
        ({"sourceTradingAccountIds": [scene.partner.enterprise.account.id, go_accounts[0]]}, 3),
        ({"destinationTradingAccountIds": go_accounts}, 3),
        ({"destinationTradingAccountIds": go_accounts[0]}, 2),
        ({"destinationTradingAccountIds": "0" * 32}, 0),
        ({"destinationTradingAccountIds": go_accounts[0], "currencies": "ofcusd"}, 1),
        ({"currencies": ["ofcbtc", "usd"]}, 3),
        ({"currencies": "ofceth"}, 0),
        ({"pageSize": "2", "pageNumber": "1"}, 1),
    ]
    for filters, expected in cases:
        for answer in (scene.partner.api.get(path, **filters), scene.partner.api.get(path, body=filters)):
            assert len(ok(answer)["settlementTransfers"]) == expected, filters
    for wrong in ({"sourceTradingAccountIds": "nonsense"}, {"destinationNetworkAccountIds": "nonsense"}):
        assert scene.partner.api.get(path, **wrong).status_code == 400


def test_operators_see_the_course(scene: Scene) -> None:
    listed = ok(scene.floor.operator.get("/settlements", statuses="pending"))["settlements"]
    assert [one["id"] for one in listed] == [scene.second["id"]]
    assert listed[0]["stage"] == "dispute_window"
    work = ok(scene.floor.operator.get("/work"))["work"]
    assert [(one["id"], one["status"]) for one in work] == [(scene.second["id"], "waiting")]
    assert ids(scene.floor.operator.get("/disputes", settlementIds=scene.second["id"]), "disputes")
