"""A client's transfers over all settlements of all partners, masked, filtered, sorted and paged. Protocol §6."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

from tests.support.networks import ConnectionHandle, Json, ok
from tests.support.settling import Floor, close_dispute, dispute, settle, stage, try_settle

PATH = "/clients/settlementTransfers"
UNKNOWN = "3f0b6c1e-1f7a-4c52-9a35-2f1f0c8e7d11"


class Scene:
    """Ann trades at two exchanges, bob at the first: four settlements, a minute apart, in every state."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        network = floor.network
        self.one = network.partner("one", dispute_window=None, deposits={"ofcusd": 100})
        self.two = network.partner("two", dispute_window=10)
        self.ann = network.funded(self.one, {"ofcbtc": 100}, name="ann")
        self.bob = network.funded(self.one, {"ofcbtc": 100}, name="bob")
        self.ann_two: ConnectionHandle = network.connect(self.ann.client, self.two, "second book")
        amounts = {self.ann.id: {"BTC": "-5", "USD": "7"}, self.bob.id: {"BTC": "-6"}}
        self.completed: Json = settle(self.one, amounts, externalId="completed", notes="of the morning")
        floor.clock.advance(minutes=1)
        failed = try_settle(self.one, {self.ann.id: {"BTC": "-500"}}, externalId="failed")
        self.failed: Json = failed.json()["settlement"]
        floor.clock.advance(minutes=1)
        rejected = try_settle(self.one, {self.ann.id: {"ETH": "-3"}}, externalId="rejected").json()["settlement"]
        self.rejected: Json = ok(floor.operator.post(f"/settlements/{rejected['id']}/reject"))["settlement"]
        floor.clock.advance(minutes=1)
        self.pending: Json = stage(self.two, {self.ann_two.id: {"BTC": "9"}}, externalId="pending")
        settle(self.one, {self.bob.id: {"BTC": "-1"}}, externalId="of bob")

    def listed(self, **filters: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - whatever a query takes
        """(currency, quantity) of ann's transfers, sorted within a settlement; the same by query and by body."""
        answer = self.ann.client.api.get(PATH, **filters)
        found = ok(answer)["settlementTransfers"]
        assert ok(self.ann.client.api.get(PATH, body=filters))["settlementTransfers"] == found
        assert "pageSize" in filters or answer.headers["X-Total-Count"] == str(len(found))
        by_settlement = groupby(found, key=lambda one: str(one["settlementId"]))
        return [pair for _, group in by_settlement for pair in sorted(_pair(one) for one in group)]


def _pair(transfer: Json) -> tuple[str, str]:
    return transfer["currency"], transfer["quantity"]


@pytest.fixture
def scene(floor: Floor) -> Scene:
    return Scene(floor)


COMPLETED = [("ofcbtc", "-5"), ("ofcusd", "7")]
FAILED, REJECTED, PENDING = ("ofcbtc", "-500"), ("ofceth", "-3"), ("ofcbtc", "9")


def test_a_client_lists_its_own_the_last_changed_first(scene: Scene) -> None:
    answer = scene.ann.client.api.get(PATH)
    found = ok(answer)["settlementTransfers"]
    assert answer.headers["X-Total-Count"] == "5"
    assert [one["settlementId"] for one in found[:3]] == [
        scene.pending["id"],
        scene.rejected["id"],
        scene.failed["id"],
    ]
    assert [one["settlementStatus"] for one in found] == ["pending", "rejected", "failed", "completed", "completed"]
    assert [one["status"] for one in found] == [one["settlementStatus"] for one in found]
    assert {one["settlementId"] for one in found[3:]} == {scene.completed["id"]}
    assert [one.get("settlementNotes") for one in found] == [None, None, None, "of the morning", "of the morning"]
    for one, settlement in zip(found, (scene.pending, scene.rejected, scene.failed), strict=False):
        assert one["updatedAt"] == settlement["updatedAt"]
    first = found[0]
    assert first["destinationClientName"] == "ann"
    assert first["destinationConnectionName"] == "second book"
    assert first["destinationTradingAccountId"] == scene.ann.client.enterprise.account.id
    assert first["usdValue"] is None


def test_nothing_of_other_parties_is_named(scene: Scene) -> None:
    text = scene.ann.client.api.get(PATH).text
    others = [scene.bob.id, scene.bob.client.id, scene.bob.client.enterprise.account.id, '"bob"', "of bob"]
    others += [scene.one.enterprise.account.id, scene.two.enterprise.account.id, '"-6"']
    assert not [secret for secret in others if secret in text]
    assert "source" not in text
    bobs = ok(scene.bob.client.api.get(PATH))["settlementTransfers"]
    assert sorted(one["quantity"] for one in bobs) == ["-1", "-6"]
    assert scene.listed(settlementIds=[scene.completed["id"]]) == scene.listed(settlementStatuses="completed")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
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
    ],
)
def test_the_filters(scene: Scene, filters: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert scene.listed(**filters) == expected


def test_by_partner_and_by_settlement(scene: Scene) -> None:
    assert scene.listed(partnerIds=scene.two.id) == [PENDING]
    assert len(scene.listed(partnerIds=scene.one.id)) == 4
    assert len(scene.listed(partnerIds=[scene.one.id, scene.two.id])) == 5
    assert scene.listed(settlementIds=[scene.failed["id"], scene.pending["id"]]) == [PENDING, FAILED]


def test_what_a_closed_dispute_adjusted_is_listed_once_it_is_taken_over(floor: Floor) -> None:
    partner = floor.network.partner(autoApproveClientClosures=True)
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    api = connection.client.api
    first = stage(partner, {connection.id: {"BTC": "-5"}})
    raised = ok(dispute(connection, first["id"]))["dispute"]
    floor.pass_minutes(10)
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
def test_filters_that_make_no_sense_are_refused(floor: Floor, filters: dict[str, str]) -> None:
    client = floor.network.client()
    for answer in (client.api.get(PATH, **filters), client.api.get(PATH, body=filters)):
        assert (answer.status_code, answer.json()["name"]) == (400, "request_invalid"), answer.text


def test_a_client_without_settlements_has_an_empty_list(floor: Floor) -> None:
    answer = floor.network.client().api.get(PATH)
    assert (ok(answer), answer.headers["X-Total-Count"]) == ({"settlementTransfers": []}, "0")
    refused = floor.network.enterprise("bystander").api.get(PATH)
    assert (refused.status_code, refused.json()["name"]) == (403, "not_a_client")
