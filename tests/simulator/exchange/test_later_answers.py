"""The decisions of an exchange that answers later, against a scripted network."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2

from clearwindow.client import AsyncPartner, HttpOptions, KeySigner
from clearwindow.simulator.exchange.accounts import Accounts
from clearwindow.simulator.exchange.events import Event
from clearwindow.simulator.exchange.faults import Faults
from clearwindow.simulator.exchange.later_answers import Answerer
from clearwindow.simulator.exchange.money import Denomination
from tests.support.operators import make_key

Json = dict[str, Any]


def reserved(number: int) -> Json:
    moment = f"2026-01-05T12:00:0{number}.000Z"
    return {
        "id": f"allocation-{number}",
        "connectionId": "k",
        "clientExternalId": str(number),
        "initiatedBy": "u",
        "createdAt": moment,
        "updatedAt": moment,
        "retriable": False,
        "status": "reserved",
        "type": "allocation",
        "amount": {"currency": "BTC", "quantity": "1"},
    }


def test_a_rejected_decision_does_not_delay_the_others() -> None:
    events: list[Event] = []
    waiting = [reserved(number) for number in (2, 1, 3)]

    def network(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return httpx2.Response(200, json={"allocations": waiting}, headers={"X-Total-Count": "3"})
        decision = json.loads(request.content)
        if decision["allocationId"] == "allocation-1":
            return httpx2.Response(409, json={"error": "it was released", "name": "allocation_ended"})
        return httpx2.Response(
            200, json={name: decision[name] for name in decision if name not in ("payload", "signature")}
        )

    async def run_steps() -> None:
        accounts = Accounts()
        accounts.open("k", "c")
        denomination = Denomination({"BTC": "BTC"}, {"BTC": 8}, "decimal")
        options = HttpOptions(repeats=0, trust_env=False)
        transport = httpx2.MockTransport(network)
        signer = KeySigner(make_key().xprv)
        async with AsyncPartner(
            "http://n.test", "t", "x", signer=signer, options=options, transport=transport
        ) as us:
            await Answerer(us, accounts, denomination, Faults("7"), events.append).step()

    asyncio.run(run_steps())
    assert [(event.name, event.fields["allocationId"]) for event in events] == [
        ("network.refused", "allocation-1"),
        ("allocation.cleared", "allocation-2"),
        ("allocation.cleared", "allocation-3"),
    ]
