"""What a pause stops, for each operation and each thing that can be paused. Protocol §5 and §10."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import uuid4

import httpx2
import pytest

from tests.pauses.conftest import World
from tests.support.chains import PATH as ONCHAIN
from tests.support.networks import TOKEN_KEY, Json, ok, sign_body
from tests.support.pauses import pause, resume
from tests.support.settlements import (
    change_dispute,
    close_dispute,
    dispute,
    fields_of,
    post,
    stage,
    try_settle,
    try_stage,
)

TARGETS: Final = ("network", "partner", "client", "currency", "client's account", "partner's account")
ALL: Final = frozenset(TARGETS)
OF_CLIENT: Final = ALL - {"partner's account"}
OF_PARTNERS_ACCOUNT: Final = frozenset({"network", "partner", "currency", "partner's account"})
OF_CLIENTS_ACCOUNT: Final = frozenset({"network", "client", "currency", "client's account"})


def pause_named(details: Json) -> Json:
    """Returns the pause that an error names. An allocation is recorded, and its error has one pause alone."""
    found: Json = details["pauses"][0] if "pauses" in details else details
    return found


def stage_v2(world: World) -> httpx2.Response:
    return try_stage(world.exchange, {world.connection.id: {"BTC": "-5"}})


def settle_v1(world: World) -> httpx2.Response:
    return try_settle(world.at_once.partner, {world.at_once.id: {"BTC": "-5"}})


def settle_onchain(world: World) -> httpx2.Response:
    fields = {"externalId": uuid4().hex, "settlementAmounts": {world.connection.id: {"BTC": "-5"}}}
    return world.exchange.api.post(ONCHAIN, world.exchange.enterprise.sign(fields))


def give_onchain_deposit(world: World) -> httpx2.Response:
    deposits = [{"currency": "BTC", "onChainTxId": uuid4().hex}]
    fields = {"externalSettlementId": "later", "deposits": deposits}
    body = sign_body(fields, world.exchange.enterprise.account.key)
    return world.exchange.api.post(f"{ONCHAIN}/deposits", body)


def connect(world: World) -> httpx2.Response:
    fields = {"partnerId": world.exchange.id, "name": "another", "connectionKey": TOKEN_KEY}
    client = world.connection.client
    return client.api.post("/clients/connections", client.enterprise.sign(fields))


def withdraw_of_client(world: World) -> httpx2.Response:
    return world.operator.move("withdrawals", world.connection.client.enterprise.account.id, "ofcbtc", 5)


def withdraw_of_partner(world: World) -> httpx2.Response:
    return world.operator.move("withdrawals", world.exchange.enterprise.account.id, "ofcbtc", 5)


def top_up(world: World) -> httpx2.Response:
    return world.operator.move("deposits", world.exchange.enterprise.account.id, "ofcbtc", 5)


def deposit_of_client(world: World) -> httpx2.Response:
    return world.operator.move("deposits", world.connection.client.enterprise.account.id, "ofcbtc", 5)


def rename_connection(world: World) -> httpx2.Response:
    return world.connection.client.api.put(world.connection.path, {"name": "renamed"})


OPERATIONS: Final[dict[str, tuple[Callable[[World], httpx2.Response], frozenset[str], int]]] = {
    "a settlement": (stage_v2, ALL, 422),
    "a settlement of version 1": (settle_v1, ALL, 403),
    "an on-chain settlement": (settle_onchain, ALL, 403),
    "an on-chain deposit": (give_onchain_deposit, OF_PARTNERS_ACCOUNT, 403),
    "an allocation": (lambda world: world.connection.allocate("ofcbtc", 5), OF_CLIENT, 422),
    "a deallocation": (lambda world: world.connection.deallocate("ofcbtc", 5), OF_CLIENT - {"partner"}, 422),
    "a connection": (connect, OF_CLIENT - {"currency"}, 422),
    "a client's withdrawal": (withdraw_of_client, OF_CLIENTS_ACCOUNT, 422),
    "a partner's withdrawal": (withdraw_of_partner, OF_PARTNERS_ACCOUNT, 422),
    "a top-up": (top_up, OF_PARTNERS_ACCOUNT, 422),
    "a client's deposit": (deposit_of_client, frozenset(), 422),
    "a change of a connection": (rename_connection, frozenset(), 422),
}


@pytest.mark.parametrize("target", TARGETS)
def test_each_operation_is_stopped_by_what_it_touches_and_goes_on_afterwards(world: World, target: str) -> None:
    kind, subject = world.subject(target)
    paused = {pause(world.operator, kind, subject)["id"]}
    if target in ("partner", "partner's account"):
        paused.add(pause(world.operator, *world.subject(target, world.at_once))["id"])
    before = world.connection.balances(), world.connection.go_balances(), world.at_once.balances()
    for name, (send, stopped_by, status) in OPERATIONS.items():
        answer = send(world)
        if target not in stopped_by:
            assert answer.status_code in (200, 201, 202), (name, answer.text)
            continue
        assert (answer.status_code, answer.json()["name"]) == (status, "paused"), (name, answer.text)
        told = pause_named(answer.json()["details"])
        assert (told["kind"], told["since"]) == (kind, "2026-01-05T12:00:00.000Z"), name
        assert subject is None or subject in told.values() or name.endswith("version 1"), name
    if target == "network":
        after = world.connection.balances(), world.connection.go_balances(), world.at_once.balances()
        # The client's deposit is the only one that goes through.
        before[1]["ofcbtc"] = (before[1]["ofcbtc"][0] + 5, before[1]["ofcbtc"][1])
        assert after == before
    for pause_id in paused:
        resume(world.operator, world.second, pause_id)
    for name, (send, _, _) in OPERATIONS.items():
        assert send(world).status_code in (200, 201, 202), name
    world.testbed.assert_proven()


def test_pause_of_something_else_stops_nothing(world: World) -> None:
    network = world.testbed.network
    other_partner = network.partner("other-exchange")
    other = network.client("other", deposits={"ofcbtc": 10})
    for kind, subject in (
        ("partner", other_partner.id),
        ("client", other.id),
        ("currency", "ofcusd"),
        ("account", other.enterprise.account.id),
    ):
        pause(world.operator, kind, subject)
    for name, (send, _, _) in OPERATIONS.items():
        answer = send(world)
        assert answer.status_code in (200, 201, 202), (name, answer.text)


@pytest.mark.parametrize("target", TARGETS)
def test_what_protects_a_client_stays_open(world: World, target: str) -> None:
    settlements = [stage(world.exchange, {world.connection.id: {"BTC": "-5"}}) for _ in range(2)]
    pause(world.operator, *world.subject(target))
    raised = [ok(dispute(world.connection, one["id"]))["dispute"] for one in settlements]
    ok(change_dispute(world.connection, raised[0]["id"], retracted=True))
    ok(change_dispute(world.connection, raised[0]["id"], retracted=False))
    world.testbed.pass_minutes(11)
    ok(close_dispute(world.connection, raised[1]["id"]))
    client = world.connection.client
    for path in ("/clients/settlements", "/clients/balances", world.connection.path, "/clients/allocations"):
        ok(client.api.get(path))
    account = client.enterprise.account
    assert world.operator.delete(f"/go-accounts/{account.id}/keys/{account.key_id}").status_code == 204
    token = world.operator.token(client.enterprise.id, f"user-of-{client.enterprise.id}")
    assert world.operator.delete(f"/tokens/{token['id']}").status_code == 204


def test_accepted_request_is_answered_as_before_during_a_pause(world: World) -> None:
    staged = world.exchange.enterprise.sign(fields_of({world.connection.id: {"BTC": "-5"}}))
    client = world.connection.client
    allocated = client.enterprise.sign(world.connection.allocation_fields("ofcbtc", 5))
    path = f"{world.connection.path}/allocations"
    before = post(world.exchange, staged), client.api.post(path, allocated)
    moved = world.operator.withdraw(client.enterprise.account.id, "ofcbtc", 1, "the-reference")
    pause(world.operator, "network")
    after = post(world.exchange, staged), client.api.post(path, allocated)
    assert [ok(answer) for answer in after] == [ok(answer) for answer in before]
    assert after[0].headers["Idempotent-Replayed"] == "true"
    again = world.operator.withdraw(client.enterprise.account.id, "ofcbtc", 1, "the-reference")
    assert again["entry"] == moved["entry"]


def test_error_names_all_that_is_paused_and_since_when(world: World) -> None:
    pause(world.operator, "currency", "btc")
    world.testbed.clock.advance(minutes=1)
    pause(world.operator, "client", world.connection.client.id)
    answer = stage_v2(world)
    assert answer.json()["error"] == (
        "the currency ofcbtc is paused since 2026-01-05T12:00:00.000Z and 1 more: nothing was written; send it"
        " again once it is resumed"
    )
    assert answer.json()["details"] == {
        "pauses": [
            {"kind": "currency", "currency": "ofcbtc", "since": "2026-01-05T12:00:00.000Z"},
            {"kind": "client", "clientId": world.connection.client.id, "since": "2026-01-05T12:01:00.000Z"},
        ],
        "pauseCount": 2,
    }


def test_settlement_refused_in_a_pause_can_be_sent_again_byte_for_byte(world: World) -> None:
    body = world.exchange.enterprise.sign(fields_of({world.connection.id: {"BTC": "-5"}}))
    paused = pause(world.operator, "network")
    assert post(world.exchange, body).status_code == 422
    resume(world.operator, world.second, paused["id"])
    assert "Idempotent-Replayed" not in post(world.exchange, body).headers


def test_used_nonce_is_told_before_a_pause_a_pause_before_limits_and_limits_before_funds(world: World) -> None:
    amounts = {world.connection.id: {"BTC": "-5000"}}
    used = fields_of({world.connection.id: {"BTC": "-1"}})
    ok(post(world.exchange, world.exchange.enterprise.sign(used)))
    limits = {"lossLimits": {"ofcbtc": {"perSettlement": "10", "perDay": None}}}
    ok(world.connection.client.api.put(f"{world.connection.path}/loss-limits", limits))
    paused = pause(world.operator, "currency", "ofcbtc")
    answers = [try_stage(world.exchange, amounts, nonce=used["nonce"]), try_stage(world.exchange, amounts)]
    resume(world.operator, world.second, paused["id"])
    answers.append(try_stage(world.exchange, amounts))
    told = [(answer.status_code, answer.json()["name"]) for answer in answers]
    assert told == [(409, "nonce_used"), (422, "paused"), (422, "loss_limit_exceeded")]
    assert world.connection.balances()["ofcbtc"] == (999, 1)


def test_paused_client_of_a_closure_lets_others_settlement_be_staged_and_wait(world: World) -> None:
    network = world.testbed.network
    other = network.connect(network.client("other", deposits={"ofcbtc": 100}), world.exchange)
    ok(other.allocate("ofcbtc", 100))
    raised = ok(dispute(world.connection, stage(world.exchange, {world.connection.id: {"BTC": "-5"}})["id"]))
    world.testbed.pass_minutes(11)
    closing = {"adjustedTransfers": {"ofcbtc": "-2"}, "notes": "two of them"}
    closure = ok(world.operator.post(f"/disputes/{raised['dispute']['id']}/close", closing))["disputeClosure"]
    approval = {"decision": "approved", "notes": "as the trades say"}
    ok(world.second.post(f"/dispute-closures/{closure['id']}/review", approval))
    pause(world.operator, "client", world.connection.client.id)
    assert stage_v2(world).json()["name"] == "paused"
    taking = stage(world.exchange, {other.id: {"BTC": "-1"}})
    world.testbed.pass_minutes(60)
    assert world.testbed.state(taking["id"]) == "top_up_window"
    assert world.connection.balances()["ofcbtc"] == (998, 2)
