"""Which settlements the simulated exchange repeats, reduces and gives up, against a scripted network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from clearwindow.client import AsyncPartner, HttpOptions, KeySigner
from clearwindow.simulator.exchange.accounts import Accounts
from clearwindow.simulator.exchange.calls import Finalization
from clearwindow.simulator.exchange.events import Event
from clearwindow.simulator.exchange.faults import Faults
from clearwindow.simulator.exchange.money import Denomination
from clearwindow.simulator.exchange.settlement import Plan, Settler
from clearwindow.simulator.market import Market
from tests.support.operators import make_key

NAMES = {"BTC": "ofcbtc", "USDC": "ofcusdc"}
MARKET = Market.of("7", NAMES)
MOMENT = "2026-01-05T12:00:00.000Z"
Json = dict[str, Any]


def connection(name: str) -> Json:
    times = {"createdAt": MOMENT, "updatedAt": MOMENT}
    ids = {"id": name, "name": name, "clientId": "c", "partnerId": "p", "networkAccountId": f"of-{name}"}
    return {**ids, **times, "active": True, "proof": "", "nonce": "n", "initialized": True}


def settlement(external_id: str, status: str = "pending", **more: object) -> Json:
    fixed = {"partnerId": "p", "settlementType": "offchain", "reconciled": False, "initiatedBy": "u"}
    times = {"createdAt": MOMENT, "updatedAt": MOMENT}
    alerts = {"lossSLAAlertSent": False, "gainSLAAlertSent": False}
    return {
        "id": f"of-{external_id}",
        "externalId": external_id,
        "status": status,
        **fixed,
        **times,
        **alerts,
        **more,
    }


class Network:
    """Answers the exchange's requests; ``staging`` has the answers to the next staging requests."""

    def __init__(self, *connections: str) -> None:
        self.connections = connections
        self.settlements: list[Json] = []
        self.staging: list[Callable[[Json], httpx2.Response]] = []
        self.requests: list[bytes] = []

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if request.method == "POST":
            self.requests.append(request.content)
            return self.staging.pop(0)(json.loads(request.content))
        if path.endswith("/connections"):
            return listed("connections", [connection(name) for name in self.connections])
        if path.endswith("/balances"):
            rich = {name: {"available": str(10**14), "held": "0"} for name in NAMES}
            found = {name: {"clientId": "c", "partnerId": "p", "balances": rich} for name in self.connections}
            return httpx2.Response(200, json={"networkBalances": found}, headers={"X-Total-Count": str(len(found))})
        return listed("settlements", self.settlements)


def listed(name: str, entries: list[Json]) -> httpx2.Response:
    return httpx2.Response(200, json={name: entries}, headers={"X-Total-Count": str(len(entries))})


def staged(body: Json) -> httpx2.Response:
    return httpx2.Response(200, json={"settlement": {**settlement(body["externalId"]), "settlingDisputes": []}})


def lost(_: Json) -> httpx2.Response:
    raise httpx2.ReadTimeout("no answer")


def short_of(*connections: str) -> Callable[[Json], httpx2.Response]:
    shortfalls = [{"connectionId": name, "currency": "ofcbtc", "shortfall": "1"} for name in connections]
    body = {"error": "not covered", "name": "liabilities_exceed_balance", "details": {"shortfalls": shortfalls}}
    return lambda _: httpx2.Response(422, json=body)


def conflict(_: Json) -> httpx2.Response:
    return httpx2.Response(409, json={"error": "there is another one", "name": "external_id_taken"})


def final(external_id: str, amounts: Mapping[str, Json], disputes: Sequence[Json] = ()) -> Finalization:
    fields = {"settlementId": "s", "externalId": external_id, "settlementAmounts": amounts, "disputes": disputes}
    return Finalization.model_validate({**fields, "settlingDisputes": [], "topUpDeadline": MOMENT})


def run(network: Network, steps: int, *, rounds: int | None = None) -> tuple[Settler, list[Event], Accounts]:
    events: list[Event] = []
    accounts = Accounts()
    denomination = Denomination({name: name for name in NAMES}, {"BTC": 8, "USDC": 6}, "decimal")

    async def run_steps() -> Settler:
        options = HttpOptions(repeats=0, trust_env=False)
        transport = httpx2.MockTransport(network.answer)
        signer = KeySigner(make_key().xprv)
        async with AsyncPartner(
            "http://n.test", "t", "x", signer=signer, options=options, transport=transport
        ) as us:
            settler = Settler(us, accounts, MARKET, denomination, Plan("x", 1, Faults("7"), rounds), events.append)
            await settler.load_state()
            for _ in range(steps):
                await settler.step()
            return settler

    return asyncio.run(run_steps()), events, accounts


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events]


def test_after_a_lost_answer_the_same_request_is_sent_again() -> None:
    network = Network("a", "b")
    network.staging = [lost, lost, staged]
    settler, events, _ = run(network, 3, rounds=1)
    assert len(network.requests) == 3
    # Each text is signed anew, as its time has passed; the values and the nonce are the same.
    asked = [json.loads(content) for content in network.requests]
    signed_anew = {"payload": "", "signature": ""}
    assert all({**each, **signed_anew} == {**asked[0], **signed_anew} for each in asked)
    assert names(events) == ["round.traded", "network.silent", "network.silent", "settlement.staged"]
    assert settler.is_done
    body = json.loads(network.requests[0])
    assert body["externalId"] == "x-round-1"
    assert body["settlementAmounts"] == {
        name: {currency: format(amount, "f") for currency, amount in MARKET.net(name, 1).items()} for name in "ab"
    }


def test_connections_that_are_short_are_left_out_and_the_others_are_settled() -> None:
    network = Network("a", "b", "c")
    network.staging = [short_of("b"), short_of("c"), staged]
    _, events, accounts = run(network, 1)
    bodies = [json.loads(content) for content in network.requests]
    assert [sorted(body["settlementAmounts"]) for body in bodies] == [["a", "b", "c"], ["a", "c"], ["a"]]
    assert {body["externalId"] for body in bodies} == {"x-round-1"}
    assert len({body["nonce"] for body in bodies}) == 3
    assert names(events) == ["round.traded", "round.withheld", "round.withheld", "settlement.staged"]
    assert [account.connection_id for account in accounts if account.expected_losses] == ["a"]


def test_after_a_round_that_cannot_be_settled_the_next_one_follows() -> None:
    network = Network("a")
    network.staging = [short_of("a"), short_of("elsewhere"), conflict, staged]
    settler, events, accounts = run(network, 4, rounds=1)
    assert [json.loads(content)["externalId"] for content in network.requests] == [
        f"x-round-{n}" for n in range(1, 5)
    ]
    assert names(events).count("settlement.refused") == 2
    assert settler.is_done
    assert [list(account.expected_losses) for account in accounts] == [["x-round-4"]]


def test_it_continues_after_the_last_round_and_reports_ended_settlements() -> None:
    network = Network("a")
    network.settlements = [
        settlement("x-round-7", "failed"),
        settlement("y-round-9"),
        settlement("x-round-6", "completed"),
    ]

    def stage_and_end_the_first(body: Json) -> httpx2.Response:
        network.settlements[0]["status"] = "completed"
        return staged(body)

    network.staging = [stage_and_end_the_first]
    _, events, _ = run(network, 3, rounds=1)
    assert json.loads(network.requests[0])["externalId"] == "x-round-8"
    assert names(events) == ["round.traded", "settlement.staged", "settlement.completed"]
    assert events[-1].fields["externalId"] == "x-round-7"


def test_final_amounts_are_compared_with_the_staged_amounts() -> None:
    network = Network("a", "b")
    network.staging = [staged]
    settler, events, _ = run(network, 1)
    right = {
        name: {currency: format(amount, "f") for currency, amount in MARKET.net(name, 1).items()} for name in "ab"
    }
    wrong = {**right, "a": {"BTC": "1"}}
    dispute = {"id": "d", "connectionId": "a"}
    for amounts, disputes in ((right, []), ({"b": right["b"]}, [dispute]), (right, [dispute]), (wrong, [])):
        settler.check_finalization(final("x-round-1", amounts, disputes))
    settler.check_finalization(final("day-1", {"z": {"PTS": "1"}}))
    finals = [event.fields for event in events if event.name == "settlement.final"]
    assert [fields["agrees"] for fields in finals] == [True, True, False, False, None]
    required_funds = finals[1]["demanded"]
    assert required_funds == {
        currency: amount for currency, amount in MARKET.net("b", 1).items() if amount > Decimal(0)
    }


@pytest.mark.parametrize(("status", "agrees"), [("completed", [True, None]), ("rejected", [None, None])])
def test_a_round_is_kept_until_it_has_ended_and_was_finalized(status: str, agrees: list[bool | None]) -> None:
    network = Network("a")

    def stage_and_end(body: Json) -> httpx2.Response:
        network.settlements = [settlement(body["externalId"], status)]
        return staged(body)

    network.staging = [stage_and_end]
    settler, events, accounts = run(network, 2, rounds=1)
    assert names(events)[-1] == f"settlement.{status}"
    # The reserved losses are released; the network's balances count from now on.
    assert [account.expected_losses for account in accounts] == [{}]
    amounts = {"a": {currency: format(amount, "f") for currency, amount in MARKET.net("a", 1).items()}}
    for _ in range(2):
        settler.check_finalization(final("x-round-1", amounts))
    assert [event.fields["agrees"] for event in events if event.name == "settlement.final"] == agrees
