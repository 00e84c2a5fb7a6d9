"""A preview says what staging the same settlement would do, and changes nothing. Protocol §5."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearwindow.core.clock import wire_time
from tests.conftest import START
from tests.settlements.test_model import isolated_testbed
from tests.support.databases import TestCluster
from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok
from tests.support.operators import OperatorClient
from tests.support.pauses import pause
from tests.support.refusals import nothing_written, staging
from tests.support.settlements import (
    Amounts,
    Testbed,
    close_dispute,
    dispute,
    fields_of,
    post,
    stage,
)

NAMES: Final = {"BTC": "ofcbtc", "USD": "ofcusd"}
PATH: Final = "/partners/settlements/preview"
NOBODY: Final = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"


def try_preview(partner: PartnerHandle, fields: Json, **page: object) -> httpx2.Response:
    query = "&".join(f"{name}={value}" for name, value in page.items())
    return partner.api.post(f"{PATH}?{query}" if query else PATH, fields, version=2)


def preview(partner: PartnerHandle, amounts: Amounts, **more: object) -> Json:
    found: Json = ok(try_preview(partner, fields_of(amounts, **more)))["preview"]
    return found


def refusals(found: Json) -> list[tuple[int, str]]:
    return [(refusal["status"], refusal["name"]) for refusal in found["refusals"]]


def approved_closure(testbed: Testbed, connection: ConnectionHandle, amounts: Mapping[str, str]) -> str:
    """Returns a dispute that the client has withdrawn after the window, and an operator has approved."""
    settlement_id = stage(connection.partner, {connection.id: dict(amounts)})["id"]
    dispute_id: str = ok(dispute(connection, settlement_id))["dispute"]["id"]
    testbed.pass_minutes(20)
    closure = ok(close_dispute(connection, dispute_id))["disputeClosure"]
    with testbed.operator.another() as second:
        ok(second.post(f"/dispute-closures/{closure['id']}/review", {"decision": "approved", "notes": "yes"}))
    return dispute_id


def test_preview_says_what_would_move_and_be_held(testbed: Testbed) -> None:
    partner = testbed.network.partner(deposits={"ofcbtc": 4})
    ann = testbed.network.funded(partner, {"ofcbtc": 100})
    bob = testbed.network.funded(partner, {"ofcbtc": 100}, name="bob")
    with nothing_written(testbed.runtime):
        found = preview(partner, {ann.id: {"BTC": "-7"}, bob.id: {"BTC": "12"}})
    assert found["accepted"] is True
    assert found["refusals"] == found["settlingDisputes"] == found["warnings"] == []
    assert found["amountCount"] == 2
    assert found["disputeDeadlineAt"] == wire_time(START + timedelta(minutes=10))
    assert found["topUpDeadlineAt"] == wire_time(START + timedelta(minutes=20))
    assert {one["connectionId"]: one for one in found["balances"]} == {
        ann.id: {
            "connectionId": ann.id,
            "currency": "ofcbtc",
            "partnerCurrency": "BTC",
            "gained": "0",
            "lost": "7",
            "fromClosures": "0",
            "liability": "7",
            "available": "100",
            "shortfall": "0",
        },
        bob.id: {
            "connectionId": bob.id,
            "currency": "ofcbtc",
            "partnerCurrency": "BTC",
            "gained": "12",
            "lost": "0",
            "fromClosures": "0",
            "liability": "0",
            "available": "100",
            "shortfall": "0",
        },
    }
    (total,) = found["currencies"]
    assert (total["gained"], total["lost"], total["liability"], total["balanceCount"]) == ("12", "7", "7", 2)
    assert total["partner"] == {
        "change": "-5",
        "needed": "5",
        "neededAtMost": "12",
        "available": "4",
        "shortfall": "1",
    }


def test_balances_come_in_pages_with_those_that_are_short_first(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    few = [testbed.network.funded(partner, {"ofcbtc": 10}, name=f"client-{number}") for number in range(3)]
    amounts = {one.id: {"BTC": "-7"} for one in few} | {few[1].id: {"BTC": "-11"}}
    answers = [try_preview(partner, fields_of(amounts), pageNumber=page, pageSize=2) for page in (0, 1, 2)]
    pages = [ok(answer)["preview"]["balances"] for answer in answers]
    assert [len(page) for page in pages] == [2, 1, 0]
    assert pages[0][0]["connectionId"] == few[1].id
    assert {one["connectionId"] for page in pages for one in page} == {one.id for one in few}
    assert {answer.headers["X-Total-Count"] for answer in answers[:2]} == {"3"}


def test_shortfalls_are_those_that_staging_names(testbed: Testbed) -> None:
    desk = staging(testbed)
    body = desk.signed(settlementAmounts={desk.connection.id: {"BTC": "-1001", "ETH": "-1"}})
    found = ok(try_preview(desk.partner, without_signature(body)))["preview"]
    refused = desk.send(body)
    assert refused.status_code == 422
    (refusal,) = found["refusals"]
    told = refused.json()
    assert (refusal["name"], refusal["error"], refusal["details"]) == (told["name"], told["error"], told["details"])
    assert found["accepted"] is False


def without_signature(body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in {"payload", "signature"}}


def test_all_that_is_wrong_is_told_at_once(testbed: Testbed) -> None:
    desk = staging(testbed)
    amounts = {NOBODY: {"BTC": "1"}, desk.connection.id: {"BTC": "0"}}
    ahead = wire_time(START + timedelta(hours=1))
    found = preview(desk.partner, amounts, cutoffAt=ahead)
    assert refusals(found) == [(400, "cutoff_in_future"), (400, "connection_unknown"), (400, "amount_unfit")]
    assert found["refusals"][1]["details"]["connectionIds"] == [NOBODY]
    assert found["refusals"][2]["details"]["problems"] == [
        {"entry": f"settlementAmounts.{desk.connection.id}.BTC", "problem": "0 is zero"}
    ]
    assert found["balances"] == found["currencies"] == []
    found = preview(desk.partner, {NOBODY: {"BTC": "1"}, desk.connection.id: {"DOGE": "1"}})
    assert refusals(found) == [(400, "connection_unknown"), (400, "currency_unmapped")]


def test_pauses_limits_and_shortfalls_are_told_at_once(testbed: Testbed) -> None:
    desk = staging(testbed)
    limits = {"lossLimits": {"btc": {"perSettlement": "5", "perDay": None}}}
    ok(desk.connection.client.api.put(f"{desk.connection.path}/loss-limits", limits))
    pause(testbed.operator, "currency", "ofcbtc")
    body = desk.signed(settlementAmounts={desk.connection.id: {"BTC": "-1001"}})
    found = ok(try_preview(desk.partner, without_signature(body)))["preview"]
    assert refusals(found) == [(422, "paused"), (422, "loss_limit_exceeded"), (422, "liabilities_exceed_balance")]
    assert "5" not in str(found["refusals"][1]["details"]).replace(desk.connection.id, "")
    refused = desk.send(body)
    assert (refused.json()["name"], refused.json()["details"]) == ("paused", found["refusals"][0]["details"])


@pytest.mark.parametrize("kind", ["network", "partner", "client", "currency", "account"])
def test_each_pause_that_stops_staging_is_in_the_preview(testbed: Testbed, kind: str) -> None:
    desk = staging(testbed)
    client = desk.connection.client
    subject = {
        "network": None,
        "partner": desk.partner.id,
        "client": client.id,
        "currency": "ofcbtc",
        "account": client.enterprise.account.id,
    }[kind]
    pause(testbed.operator, kind, subject)
    found = preview(desk.partner, {desk.connection.id: {"BTC": "-7"}})
    refused = desk.send(desk.signed())
    assert refused.status_code == 422
    assert [one["details"] for one in found["refusals"]] == [refused.json()["details"]]


def test_closures_that_it_would_take_are_shown_and_counted(testbed: Testbed) -> None:
    desk = staging(testbed)
    dispute_id = approved_closure(testbed, desk.connection, {"BTC": "-40"})
    with nothing_written(testbed.runtime):
        found = preview(desk.partner, {desk.connection.id: {"BTC": "-7"}})
    assert [one["id"] for one in found["settlingDisputes"]] == [dispute_id]
    (balance,) = found["balances"]
    assert (balance["lost"], balance["fromClosures"], balance["liability"]) == ("7", "-40", "47")
    # What the dispute holds counts, as in the error of staging.
    assert balance["available"] == "1000"
    stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})
    assert desk.connection.balances() == {"ofcbtc": (953, 47)}


def test_repeat_of_a_settlement_is_recognised(testbed: Testbed) -> None:
    desk = staging(testbed)
    body = desk.signed()
    settlement_id = ok(desk.send(body))["settlement"]["id"]
    again = ok(try_preview(desk.partner, without_signature(body)))["preview"]
    assert (again["accepted"], again["repeatsSettlementId"], again["balances"]) == (True, settlement_id, [])
    other = {**without_signature(body), "settlementAmounts": {desk.connection.id: {"BTC": "-8"}}}
    found = ok(try_preview(desk.partner, other))["preview"]
    assert refusals(found) == [(409, "external_id_taken")]
    assert found["refusals"][0]["details"] == {"fields": ["settlementAmounts"], "settlementId": settlement_id}
    assert "repeatsSettlementId" not in found


def test_cutoff_that_went_back_is_a_warning(testbed: Testbed) -> None:
    desk = staging(testbed)
    ok(desk.send(desk.signed()))
    found = preview(desk.partner, {desk.connection.id: {"BTC": "-7"}}, cutoffAt="2026-01-05T11:00:00Z")
    assert (found["accepted"], found["warnings"]) == (True, ["cutoff_went_back"])


def test_preview_waits_for_no_lock(testbed: Testbed) -> None:
    desk = staging(testbed)
    fields = without_signature(desk.signed())
    with testbed.runtime.transaction() as tx:
        # What staging, execution and the emergency stop lock.
        for table in ("partner", "balance", "settlement", "dispute", "connection"):
            tx.connection.execute(f"SELECT FROM {table} FOR UPDATE")
        tx.connection.execute("LOCK TABLE pause IN EXCLUSIVE MODE")
        assert ok(try_preview(desk.partner, fields))["preview"]["accepted"] is True


def test_only_a_partner_with_a_window_previews(testbed: Testbed) -> None:
    desk = staging(testbed)
    client = desk.connection.client
    fields = without_signature(desk.signed())
    refused = client.api.post(PATH, fields, version=2)
    assert (refused.status_code, refused.json()["name"]) == (403, "not_a_partner")
    other = testbed.network.partner("venue", dispute_window=None)
    refused = try_preview(other, fields)
    assert (refused.status_code, refused.json()["name"]) == (403, "disputes_not_enabled")
    # Another's connection is as unknown as one that does not exist.
    stranger = testbed.network.partner("stranger")
    assert refusals(ok(try_preview(stranger, fields))["preview"]) == [(400, "connection_unknown")]


def test_viewer_may_preview(testbed: Testbed) -> None:
    desk = staging(testbed)
    viewer = testbed.network.member(desk.partner.enterprise.id, user_id="eve", role="viewer")
    answer = viewer.post(PATH, without_signature(desk.signed()), version=2)
    assert ok(answer)["preview"]["accepted"] is True


@dataclass(frozen=True)
class _World:
    testbed: Testbed
    second: OperatorClient
    partner: PartnerHandle
    connections: list[ConnectionHandle]


QUANTITIES = st.integers(-90, 90).filter(lambda quantity: quantity != 0)
FLAT = st.dictionaries(
    st.integers(0, 2), st.dictionaries(st.sampled_from(sorted(NAMES)), QUANTITIES, min_size=1), min_size=1
)
PAIRS = st.dictionaries(
    st.sampled_from([(0, 1), (1, 0), (1, 2), (2, 0)]),
    st.dictionaries(st.sampled_from(sorted(NAMES)), QUANTITIES, min_size=1),
    min_size=1,
)


@given(data=st.data(), broker=st.booleans())
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_preview_and_staging_never_disagree(
    cluster: TestCluster, served_app: tuple[FastAPI, str], *, data: st.DataObject, broker: bool
) -> None:
    """Random settlements, disputes, closures and limits: each preview is compared with the staging after it."""
    with ExitStack() as stack:
        world = _world(stack, cluster, *served_app, broker=broker)
        for _ in range(data.draw(st.integers(2, 5))):
            amounts = _drawn(data, world, broker=broker)
            settlement = _stage_as_previewed(world, amounts)
            if settlement is not None and data.draw(st.booleans()):
                _close_disputes(data, world, settlement)
            elif data.draw(st.booleans()):
                _limit(data, world)
            world.testbed.pass_minutes(data.draw(st.sampled_from([0.01, 10, 20])))


def _world(stack: ExitStack, cluster: TestCluster, app: FastAPI, base_url: str, *, broker: bool) -> _World:
    testbed, second = stack.enter_context(isolated_testbed(cluster, app, base_url))
    partner = testbed.network.partner(
        currencies=NAMES, broker=broker, deposits=dict.fromkeys(NAMES.values(), 10**6)
    )
    connections = [
        testbed.network.funded(partner, dict.fromkeys(NAMES.values(), 100), name=name) for name in ("a", "b", "c")
    ]
    return _World(testbed, second, partner, connections)


def _drawn(data: st.DataObject, world: _World, *, broker: bool) -> Json:
    ids = [connection.id for connection in world.connections]
    wire: Json = {}
    if broker:
        for (source, destination), quantities in data.draw(PAIRS).items():
            texts = {name: str(quantity) for name, quantity in quantities.items()}
            wire.setdefault(ids[source], {})[ids[destination]] = texts
        return wire
    for who, quantities in data.draw(FLAT).items():
        wire[ids[who]] = {name: str(quantity) for name, quantity in quantities.items()}
    return wire


def _stage_as_previewed(world: _World, amounts: Json) -> Json | None:
    """Stages the amounts, and compares everything that the preview said. Returns the settlement."""
    testbed, partner = world.testbed, world.partner
    body = partner.enterprise.sign({**fields_of({}), "settlementAmounts": amounts, "externalId": uuid4().hex})
    with nothing_written(testbed.runtime):
        found = ok(try_preview(partner, without_signature(body), pageSize=500))["preview"]
    response = post(partner, body)
    assert found["accepted"] is (response.status_code == 200), (found, response.text)
    if response.status_code != 200:
        told = response.json()
        first = found["refusals"][0]
        assert (first["name"], first["details"]) == (told["name"], told["details"])
        return None
    settlement: Json = ok(response)["settlement"]
    for name in ("disputeDeadlineAt", "topUpDeadlineAt"):
        assert found[name] == settlement[name]
    taken = {one["id"] for one in settlement["settlingDisputes"]}
    assert {one["id"] for one in found["settlingDisputes"]} == taken
    liabilities = {
        (one["connectionId"], one["currency"]): int(one["liability"])
        for one in found["balances"]
        if int(one["liability"])
    }
    assert liabilities == _held(testbed, settlement["id"])
    assert sum(int(total["liability"]) for total in found["currencies"]) == sum(liabilities.values())
    return settlement


def _held(testbed: Testbed, settlement_id: str) -> dict[tuple[str, str], int]:
    with testbed.runtime.transaction() as tx:
        rows = tx.records(
            "SELECT connection.id::text AS connection_id, hold.currency, hold.quantity FROM hold"
            " JOIN connection ON connection.network_account_id = hold.account_id WHERE hold.cause_id = %(id)s",
            id=settlement_id,
        )
    return {(str(row["connection_id"]), str(row["currency"])): int(str(row["quantity"])) for row in rows}


def _close_disputes(data: st.DataObject, world: _World, settlement: Json) -> None:
    """Some clients dispute, the window ends, and the disputes are closed with any amounts and approved."""
    raised = []
    for connection in world.connections:
        if data.draw(st.booleans()):
            answer = dispute(connection, settlement["id"])
            if answer.status_code == 200:
                raised.append(ok(answer)["dispute"]["id"])
    world.testbed.pass_minutes(20)
    for dispute_id in raised:
        adjusted = data.draw(st.dictionaries(st.sampled_from(sorted(NAMES.values())), QUANTITIES))
        texts = {currency: str(quantity) for currency, quantity in adjusted.items()}
        body = {"adjustedTransfers": texts, "notes": f"of {dispute_id}"}
        closed = world.testbed.operator.post(f"/disputes/{dispute_id}/close", body)
        if closed.status_code == 200:
            closure_id = closed.json()["disputeClosure"]["id"]
            world.second.post(f"/dispute-closures/{closure_id}/review", {"decision": "approved", "notes": "yes"})


def _limit(data: st.DataObject, world: _World) -> None:
    connection = data.draw(st.sampled_from(world.connections))
    limit = {"perSettlement": str(data.draw(st.integers(0, 90))), "perDay": str(data.draw(st.integers(0, 200)))}
    connection.client.api.put(f"{connection.path}/loss-limits", {"lossLimits": {"btc": limit}})
