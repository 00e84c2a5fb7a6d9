"""A client's transfers in all settlements of all partners: masked, filtered, sorted and paged. Protocol §6."""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final

import pytest

from tests.support.networks import ConnectionHandle, Json, ok
from tests.support.settlements import Testbed, close_dispute, dispute, settle, stage, try_settle

PATH = "/clients/settlementTransfers"
UNKNOWN = "3f0b6c1e-1f7a-4c52-9a35-2f1f0c8e7d11"


class Scenario:
    """Ann trades at two exchanges, bob at the first. Four settlements, one minute apart, are in all states."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        network = testbed.network
        self.one = network.partner("one", dispute_window=None, deposits={"ofcusd": 100})
        self.two = network.partner("two", dispute_window=10)
        self.ann = network.funded(self.one, {"ofcbtc": 100}, name="ann")
        self.bob = network.funded(self.one, {"ofcbtc": 100}, name="bob")
        self.ann_two: ConnectionHandle = network.connect(self.ann.client, self.two, "second book")
        amounts = {self.ann.id: {"BTC": "-5", "USD": "7"}, self.bob.id: {"BTC": "-6"}}
        self.completed: Json = settle(self.one, amounts, externalId="completed", notes="of the morning")
        testbed.clock.advance(minutes=1)
        failed = try_settle(self.one, {self.ann.id: {"BTC": "-500"}}, externalId="failed")
        self.failed: Json = failed.json()["settlement"]
        testbed.clock.advance(minutes=1)
        rejected = try_settle(self.one, {self.ann.id: {"ETH": "-3"}}, externalId="rejected").json()["settlement"]
        self.rejected: Json = ok(testbed.operator.post(f"/settlements/{rejected['id']}/reject"))["settlement"]
        testbed.clock.advance(minutes=1)
        self.pending: Json = stage(self.two, {self.ann_two.id: {"BTC": "9"}}, externalId="pending")
        settle(self.one, {self.bob.id: {"BTC": "-1"}}, externalId="of bob")

    def listed(self, **filters: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - whatever a query takes
        """Returns (currency, quantity) of ann's transfers, the same by query and by body."""
        answer = self.ann.client.api.get(PATH, **filters)
        found = ok(answer)["settlementTransfers"]
        assert ok(self.ann.client.api.get(PATH, body=filters))["settlementTransfers"] == found
        assert "pageSize" in filters or answer.headers["X-Total-Count"] == str(len(found))
        by_settlement = groupby(found, key=lambda one: str(one["settlementId"]))
        return [pair for _, group in by_settlement for pair in sorted(_pair(one) for one in group)]


def _pair(transfer: Json) -> tuple[str, str]:
    return transfer["currency"], transfer["quantity"]


@pytest.fixture
def scenario(testbed: Testbed) -> Scenario:
    return Scenario(testbed)


COMPLETED = [("ofcbtc", "-5"), ("ofcusd", "7")]
FAILED, REJECTED, PENDING = ("ofcbtc", "-500"), ("ofceth", "-3"), ("ofcbtc", "9")


def test_client_lists_its_transfers_last_changed_first(scenario: Scenario) -> None:
    answer = scenario.ann.client.api.get(PATH)
    found = ok(answer)["settlementTransfers"]
    assert answer.headers["X-Total-Count"] == "5"
    assert [one["settlementId"] for one in found[:3]] == [
        scenario.pending["id"],
        scenario.rejected["id"],
        scenario.failed["id"],
    ]
    assert [one["settlementStatus"] for one in found] == ["pending", "rejected", "failed", "completed", "completed"]
    assert [one["status"] for one in found] == [one["settlementStatus"] for one in found]
    assert {one["settlementId"] for one in found[3:]} == {scenario.completed["id"]}
    assert [one.get("settlementNotes") for one in found] == [None, None, None, "of the morning", "of the morning"]
    for one, settlement in zip(found, (scenario.pending, scenario.rejected, scenario.failed), strict=False):
        assert one["updatedAt"] == settlement["updatedAt"]
    first = found[0]
    assert first["destinationClientName"] == "ann"
    assert first["destinationConnectionName"] == "second book"
    assert first["destinationTradingAccountId"] == scenario.ann.client.enterprise.account.id
    assert first["usdValue"] is None


def test_other_parties_are_not_named(scenario: Scenario) -> None:
    text = scenario.ann.client.api.get(PATH).text
    others = [scenario.bob.id, scenario.bob.client.id, scenario.bob.client.enterprise.account.id, '"bob"', "of bob"]
    others += [scenario.one.enterprise.account.id, scenario.two.enterprise.account.id, '"-6"']
    assert not [secret for secret in others if secret in text]
    assert "source" not in text
    bobs = ok(scenario.bob.client.api.get(PATH))["settlementTransfers"]
    assert sorted(one["quantity"] for one in bobs) == ["-1", "-6"]
    assert scenario.listed(settlementIds=[scenario.completed["id"]]) == scenario.listed(
        settlementStatuses="completed"
    )


FILTERS: Final[list[tuple[dict[str, Any], list[tuple[str, str]]]]] = [
    ({"currencies": "ofcbtc"}, [PENDING, FAILED, COMPLETED[0]]),
    ({"currencies": "btc,eth"}, [PENDING, REJECTED, FAILED, COMPLETED[0]]),
    ({"currencies": ["ofcxyz"]}, []),
    ({"initiatedBy": "user-of-two"}, [PENDING]),
    ({"initiatedBy": ["user-of-two", "nobody"]}, [PENDING]),
    ({"initiatedBy": "user-of-ann"}, []),
    ({"partnerIds": UNKNOWN}, []),
    ({"settlementIds": UNKNOWN}, []),
    ({"settlementStatuses": "pending"}, [PENDING]),
    ({"settlementStatuses": "failed,rejected"}, [REJECTED, FAILED]),
    ({"settlementTransferStatuses": "completed"}, COMPLETED),
    ({"settlementTransferStatuses": ["pending", "rejected"]}, [PENDING, REJECTED]),
    ({"settlementTransferStatuses": "pending_settlement_assignment,onchain_failed"}, []),
    ({"settlementUpdatedBefore": "2026-01-05T12:01:00.000Z"}, COMPLETED),
    ({"settlementUpdatedBefore": "2026-01-05T12:01:00.001Z"}, [FAILED, *COMPLETED]),
    ({"settlementUpdatedOnOrAfter": "2026-01-05T12:02:00.000Z"}, [PENDING, REJECTED]),
    ({"settlementUpdatedOnOrAfter": "2026-01-05T12:02:00.001Z"}, [PENDING]),
    ({"sortField": "updatedAt", "sortDirection": "DESC"}, [PENDING, REJECTED, FAILED, *COMPLETED]),
    ({"sortDirection": "ASC"}, [*COMPLETED, FAILED, REJECTED, PENDING]),
    ({"sortDirection": "ASC", "pageSize": "2"}, COMPLETED),
    ({"sortDirection": "ASC", "pageSize": "2", "pageNumber": "1"}, [FAILED, REJECTED]),
    ({"sortDirection": "ASC", "pageSize": "2", "pageNumber": "3"}, []),
    ({"currencies": "btc", "settlementStatuses": "completed"}, [COMPLETED[0]]),
]


def test_filters_of_the_transfers(scenario: Scenario) -> None:
    for filters, expected in FILTERS:
        assert scenario.listed(**filters) == expected, filters


def test_filters_by_partner_and_by_settlement(scenario: Scenario) -> None:
    assert scenario.listed(partnerIds=scenario.two.id) == [PENDING]
    assert len(scenario.listed(partnerIds=scenario.one.id)) == 4
    assert len(scenario.listed(partnerIds=[scenario.one.id, scenario.two.id])) == 5
    assert scenario.listed(settlementIds=[scenario.failed["id"], scenario.pending["id"]]) == [PENDING, FAILED]


def test_adjusted_transfers_are_listed_once_a_settlement_takes_them_over(testbed: Testbed) -> None:
    partner = testbed.network.partner(autoApproveClientClosures=True)
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    api = connection.client.api
    first = stage(partner, {connection.id: {"BTC": "-5"}})
    raised = ok(dispute(connection, first["id"]))["dispute"]
    testbed.pass_minutes(10)
    assert [one["status"] for one in ok(api.get(PATH))["settlementTransfers"]] == ["disputed"]
    closure = ok(close_dispute(connection, raised["id"]))["disputeClosure"]
    assert len(ok(api.get(PATH))["settlementTransfers"]) == 1
    waiting = api.get(PATH, settlementTransferStatuses="pending_settlement_assignment")
    assert ok(waiting)["settlementTransfers"] == []
    second = stage(partner, {connection.id: {"BTC": "-1"}})
    taken = ok(api.get(PATH, settlementIds=second["id"]))["settlementTransfers"]
    assert {one.get("disputeClosureId"): one["quantity"] for one in taken} == {closure["id"]: "-5", None: "-1"}


@pytest.mark.parametrize(
    "filters",
    [
        {"sortField": "createdAt"},
        {"sortDirection": "asc"},
        {"settlementStatuses": "lost"},
        {"settlementTransferStatuses": "pending,lost"},
        {"settlementIds": "nonsense"},
        {"partnerIds": "nonsense"},
        {"settlementUpdatedBefore": "yesterday"},
        {"connectionIds": UNKNOWN},
        {"pageSize": "0"},
        {"pageNumber": "-1"},
    ],
)
def test_invalid_filters_are_refused(testbed: Testbed, filters: dict[str, str]) -> None:
    client = testbed.network.client()
    for answer in (client.api.get(PATH, **filters), client.api.get(PATH, body=filters)):
        assert (answer.status_code, answer.json()["name"]) == (400, "request_invalid"), answer.text


def test_client_without_settlements_gets_an_empty_list(testbed: Testbed) -> None:
    answer = testbed.network.client().api.get(PATH)
    assert (ok(answer), answer.headers["X-Total-Count"]) == ({"settlementTransfers": []}, "0")
    refused = testbed.network.enterprise("bystander").api.get(PATH)
    assert (refused.status_code, refused.json()["name"]) == (403, "not_a_client")
