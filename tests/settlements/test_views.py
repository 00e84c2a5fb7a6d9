"""Settlements as their partner, their clients and operators see them. Protocol §5, §6."""

from __future__ import annotations

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok
from tests.support.settlements import Testbed, dispute, stage

UNKNOWN = "3f0b6c1e-1f7a-4c52-9a35-2f1f0c8e7d11"


def ids(response: httpx2.Response, what: str = "settlements") -> list[str]:
    return [one["id"] for one in ok(response)[what]]


class Scenario:
    """Two settlements: the first completed, the second pending and disputed by the trader."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        self.partner: PartnerHandle = testbed.network.partner(deposits={"ofcusd": 100})
        self.trader: ConnectionHandle = testbed.network.funded(self.partner, {"ofcbtc": 500}, name="trader")
        self.other: ConnectionHandle = testbed.network.funded(self.partner, {"ofcbtc": 500}, name="other")
        amounts = {self.trader.id: {"BTC": "-20", "USD": "7"}, self.other.id: {"BTC": "-30"}}
        self.first: Json = stage(self.partner, amounts, externalId="first", notes="day one")
        testbed.pass_minutes(20)
        self.second: Json = stage(self.partner, {self.trader.id: {"BTC": "5"}}, externalId="second")
        ok(dispute(self.trader, self.second["id"]))


@pytest.fixture
def scenario(testbed: Testbed) -> Scenario:
    return Scenario(testbed)


def test_partner_lists_settlements_newest_first(scenario: Scenario) -> None:
    api = scenario.partner.api
    listed = api.get("/partners/settlements")
    assert ids(listed) == [scenario.second["id"], scenario.first["id"]]
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
def test_filters_of_the_partners_list(scenario: Scenario, filters: dict[str, str], expected: list[str]) -> None:
    listed = ok(scenario.partner.api.get("/partners/settlements", **filters))["settlements"]
    assert [one["externalId"] for one in listed] == expected
    in_the_body = ok(scenario.partner.api.get("/partners/settlements", body=filters))["settlements"]
    assert in_the_body == listed


def test_settlements_are_filtered_by_party(scenario: Scenario) -> None:
    api = scenario.partner.api
    assert ids(api.get("/partners/settlements", partyConnectionIds=scenario.other.id)) == [scenario.first["id"]]
    assert ids(api.get("/partners/settlements", settlementIds=scenario.second["id"])) == [scenario.second["id"]]


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
def test_invalid_filters_are_refused(scenario: Scenario, filters: dict[str, str], name: str) -> None:
    refused = scenario.partner.api.get("/partners/settlements", **filters)
    assert refused.status_code == 400
    assert refused.json()["name"] == name


def test_partner_sees_all_transfers(scenario: Scenario) -> None:
    answer = scenario.partner.api.get(f"/partners/settlements/{scenario.first['id']}")
    shown = ok(answer)
    assert answer.headers["X-Total-Count"] == "3"
    assert shown["settlement"]["notes"] == "day one"
    assert "finalizedAt" in shown["settlement"]
    quantities = sorted((one["currency"], one["quantity"]) for one in shown["settlementTransfers"])
    assert quantities == [("ofcbtc", "-20"), ("ofcbtc", "-30"), ("ofcusd", "7")]
    sources = {one["sourceTradingAccountId"] for one in shown["settlementTransfers"]}
    assert sources == {scenario.partner.enterprise.account.id}
    assert {one["status"] for one in shown["settlementTransfers"]} == {"completed"}


def test_partner_filters_transfers_of_a_settlement(scenario: Scenario) -> None:
    path = f"/partners/settlements/{scenario.first['id']}"

    def count(**filters: str) -> int:
        return len(ok(scenario.partner.api.get(path, **filters))["settlementTransfers"])

    assert count(currencies="usd") == 1
    assert count(pageSize="2") == 2
    assert count(pageSize="2", pageNumber="1") == 1
    assert count(destinationTradingAccountIds=scenario.other.client.enterprise.account.id) == 1
    assert count(sourceTradingAccountIds=scenario.partner.enterprise.account.id) == 3
    assert count(sourceTradingAccountIds=scenario.other.client.enterprise.account.id) == 0
    assert count(sourceNetworkAccountIds=scenario.other.id) == 0


def test_client_sees_only_its_own_part(scenario: Scenario) -> None:
    listed = ok(scenario.other.client.api.get("/clients/settlements"))["settlements"]
    assert [(one["externalId"], one["transferDirection"]) for one in listed] == [("first", "send")]
    listed = ok(scenario.trader.client.api.get("/clients/settlements"))["settlements"]
    assert [(one["externalId"], one["transferDirection"], one["disputed"]) for one in listed] == [
        ("second", "receive", True),
        ("first", "send-and-receive", False),
    ]
    shown = ok(scenario.trader.client.api.get(f"/clients/settlements/{scenario.first['id']}"))
    assert sorted(one["quantity"] for one in shown["settlementTransfers"]) == ["-20", "7"]
    assert all("sourceTradingAccountId" not in one for one in shown["settlementTransfers"])


def test_filters_of_the_clients_list(scenario: Scenario) -> None:
    api = scenario.trader.client.api
    assert ids(api.get("/clients/settlements", statuses="completed")) == [scenario.first["id"]]
    assert ids(api.get("/clients/settlements", statuses="pending,failed")) == [scenario.second["id"]]
    assert ids(api.get("/clients/settlements", onlyShowDisputed="true")) == [scenario.second["id"]]
    assert api.get("/clients/settlements", statuses="lost").status_code == 400


def test_every_filter_of_the_clients_settlements(scenario: Scenario) -> None:
    trader, first, second = scenario.trader, scenario.first["id"], scenario.second["id"]
    api = trader.client.api
    cases: list[tuple[dict[str, object], list[str]]] = [
        ({"settlementIds": first}, [first]),
        ({"settlementIds": [first, second]}, [second, first]),
        ({"partnerIds": scenario.partner.id}, [second, first]),
        ({"partnerIds": UNKNOWN}, []),
        ({"partyConnectionIds": trader.id}, [second, first]),
        ({"partyConnectionIds": [trader.id, scenario.other.id]}, [second, first]),
        ({"partyConnectionIds": scenario.other.id}, []),
        ({"counterpartyConnectionIds": trader.id}, []),
        ({"counterpartyConnectionIds": scenario.other.id}, []),
        ({"onlyShowDisputed": False}, [second, first]),
        ({"statuses": ["completed", "rejected"], "partnerIds": [scenario.partner.id, UNKNOWN]}, [first]),
        ({"pageSize": "1"}, [second]),
        ({"pageSize": "1", "pageNumber": "1"}, [first]),
        ({"pageSize": 1, "pageNumber": 2}, []),
    ]
    for filters, expected in cases:
        in_the_query = {name: str(value).lower() if value is False else value for name, value in filters.items()}
        assert ids(api.get("/clients/settlements", **in_the_query)) == expected, filters
        assert ids(api.get("/clients/settlements", body=filters)) == expected, filters


def test_every_filter_of_the_clients_transfers(scenario: Scenario) -> None:
    path = f"/clients/settlements/{scenario.first['id']}"
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
            scenario.trader.client.api.get(path, **filters),
            scenario.trader.client.api.get(path, body=filters),
        ):
            assert [one["quantity"] for one in ok(answer)["settlementTransfers"]] == expected, filters
            paged = "pageSize" in filters
            assert answer.headers["X-Total-Count"] == ("2" if paged else str(len(expected))), filters


def test_client_sees_which_side_it_is_on(scenario: Scenario) -> None:
    shown = ok(scenario.trader.client.api.get(f"/clients/settlements/{scenario.first['id']}"))[
        "settlementTransfers"
    ]
    account = scenario.trader.client.enterprise.account.id
    assert {one["destinationTradingAccountId"] for one in shown} == {account}
    assert {one["destinationClientName"] for one in shown} == {"trader"}
    assert {one["destinationConnectionName"] for one in shown} == {"main"}
    assert len({one["destinationNetworkAccountId"] for one in shown}) == 1


def test_every_filter_of_the_partners_transfers(scenario: Scenario) -> None:
    path = f"/partners/settlements/{scenario.first['id']}"
    connections = ok(scenario.trader.client.api.get("/clients/connections"))["connections"]
    network_account = connections[0]["networkAccountId"]
    go_accounts = [one.client.enterprise.account.id for one in (scenario.trader, scenario.other)]
    cases: list[tuple[dict[str, object], int]] = [
        ({"destinationNetworkAccountIds": network_account}, 2),
        ({"destinationNetworkAccountIds": [network_account, UNKNOWN]}, 2),
        ({"destinationNetworkAccountIds": UNKNOWN}, 0),
        ({"sourceNetworkAccountIds": network_account}, 0),
        ({"sourceTradingAccountIds": [scenario.partner.enterprise.account.id, go_accounts[0]]}, 3),
        ({"destinationTradingAccountIds": go_accounts}, 3),
        ({"destinationTradingAccountIds": go_accounts[0]}, 2),
        ({"destinationTradingAccountIds": "0" * 32}, 0),
        ({"destinationTradingAccountIds": go_accounts[0], "currencies": "ofcusd"}, 1),
        ({"currencies": ["ofcbtc", "usd"]}, 3),
        ({"currencies": "ofceth"}, 0),
        ({"pageSize": "2", "pageNumber": "1"}, 1),
    ]
    for filters, expected in cases:
        for answer in (scenario.partner.api.get(path, **filters), scenario.partner.api.get(path, body=filters)):
            assert len(ok(answer)["settlementTransfers"]) == expected, filters
    for wrong in ({"sourceTradingAccountIds": "nonsense"}, {"destinationNetworkAccountIds": "nonsense"}):
        assert scenario.partner.api.get(path, **wrong).status_code == 400


def test_operator_sees_stages_and_due_work(scenario: Scenario) -> None:
    listed = ok(scenario.testbed.operator.get("/settlements", statuses="pending"))["settlements"]
    assert [one["id"] for one in listed] == [scenario.second["id"]]
    assert listed[0]["stage"] == "dispute_window"
    work = ok(scenario.testbed.operator.get("/work"))["work"]
    assert [(one["id"], one["status"]) for one in work] == [(scenario.second["id"], "waiting")]
    assert ids(scenario.testbed.operator.get("/disputes", settlementIds=scenario.second["id"]), "disputes")


def test_every_view_shows_the_stage_and_the_deadlines_to_those_they_bind(testbed: Testbed) -> None:
    partner = testbed.network.partner(dispute_window=10, top_up_window=5)
    connection = testbed.network.funded(partner, {"ofcbtc": 500})
    client = connection.client.api
    staged = stage(partner, {connection.id: {"BTC": "-20"}})
    deadlines = {"disputeDeadlineAt": "2026-01-05T12:10:00.000Z", "topUpDeadlineAt": "2026-01-05T12:15:00.000Z"}

    def seen() -> list[Json]:
        path = f"settlements/{staged['id']}"
        one = [ok(api.get(f"/{side}/{path}"))["settlement"] for side, api in sides]
        listed = [ok(api.get(f"/{side}/settlements"))["settlements"][0] for side, api in sides]
        return [*one, *listed]

    sides = (("partners", partner.api), ("clients", client))
    assert {**staged, **deadlines, "stage": "dispute_window"} == staged
    for minutes, stage_then in ((0, "dispute_window"), (10, "top_up_window"), (5, "completed")):
        testbed.pass_minutes(minutes)
        for view in seen():
            assert {**view, **deadlines, "stage": stage_then} == view


def test_failed_and_rejected_settlements_show_their_stage(testbed: Testbed) -> None:
    partner = testbed.network.partner(dispute_window=0, top_up_window=0)
    connection = testbed.network.funded(partner, {"ofcbtc": 500})
    failed = stage(partner, {connection.id: {"BTC": "20"}})
    testbed.pass_minutes(1)
    shown = ok(connection.client.api.get(f"/clients/settlements/{failed['id']}"))["settlement"]
    assert (shown["status"], shown["stage"]) == ("failed", "failed")
    ok(testbed.operator.post(f"/settlements/{failed['id']}/reject", {"reason": "too late"}))
    shown = ok(partner.api.get(f"/partners/settlements/{failed['id']}"))["settlement"]
    assert (shown["status"], shown["stage"]) == ("rejected", "rejected")
