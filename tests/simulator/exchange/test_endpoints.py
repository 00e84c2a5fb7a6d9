"""The simulated exchange's endpoints, with valid and invalid calls."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from clearwindow.simulator.exchange.accounts import Accounts
from clearwindow.simulator.exchange.calls import Calls, Finalization
from clearwindow.simulator.exchange.endpoints import SMALL_BODY_BYTES, Endpoints, serving
from clearwindow.simulator.exchange.events import Event
from clearwindow.simulator.exchange.faults import Fault, Faults
from clearwindow.simulator.exchange.money import Denomination
from clearwindow.simulator.exchange.signatures import Checker
from tests.simulator.exchange.test_signatures import AUDIENCE, Network, token

BASE = "/partner/bitgo/v1"
HELD = {"clientId": "c-1", "connectionId": "n-1", "partnersClientId": "client-c-1"}
ASKED = {"allocationId": "a-1", "amount": {"currency": "XBT", "quantity": "150000000"}, **HELD}
FINAL = {
    "settlementId": "s-1",
    "externalId": "x-round-1",
    "settlementAmounts": {},
    "disputes": [],
    "settlingDisputes": [],
    "topUpDeadline": "2026-01-05T12:40:00.000Z",
}


class Exchange:
    """The endpoints of an exchange with amounts in base units, and the final amounts that it got."""

    def __init__(self, faults: Faults) -> None:
        self.network = Network("first")
        self.accounts = Accounts()
        self.finals: list[Finalization] = []
        self.events: list[Event] = []
        self.url = ""
        denomination = Denomination({"BTC": "BTC", "XBT": "BTC"}, {"BTC": 8}, "base")
        calls = Calls(self.accounts, denomination, self.finals.append, self.events.append)
        checker = Checker(self.network.keys(), issuer="clearwindow", audience=AUDIENCE)
        self.app = Endpoints(calls, checker, faults, self.events.append).app("http://exchange.example/partner/")

    async def call(self, path: str, body: object, /, *, method: str = "POST", **claims: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON
        """Makes a signed call. Returns the status and the body of the answer."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = {
            "method": method,
            "path": BASE + path,
            "bodySha256": sha256(content),
            "jti": sha256(path.encode() + content),
        }
        headers = {"X-BitGo-Signature": token(**(signed | claims))}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + BASE + path, data=content, headers=headers) as answer,
        ):
            return answer.status, await answer.json()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def run_scenario(scenario: Callable[[Exchange], Awaitable[None]], faults: Faults | None = None) -> None:
    async def run() -> None:
        exchange = Exchange(faults or Faults("7"))
        async with serving(exchange.app, "127.0.0.1", 0) as exchange.url:
            await scenario(exchange)

    asyncio.run(run())


def test_valid_calls_get_the_answers_of_the_protocol() -> None:
    async def scenario(exchange: Exchange) -> None:
        key = {"connectionToken": "from-us", "clientWalletId": "w", "partnerId": "p"}
        new = {"clientId": "c-1", "connectionId": "n-1"}
        named = {"partnersClientId": "client-c-1", "partnersConnectionId": "account-n-1"}
        assert await exchange.call("/connections", {**new, **key}) == (200, {**new, **named})
        status, refused = await exchange.call("/connections", {"clientId": "c-2", "connectionId": "n-2"})
        assert (status, refused["rejectionReason"]) == (200, "the connection key is missing")
        asked = {name: ASKED[name] for name in ("allocationId", "amount", "clientId", "connectionId")}
        yes = (200, {**asked, **named, "partnersAllocationId": "allocation-a-1"})
        assert await exchange.call("/allocations", ASKED) == yes
        assert await exchange.call("/allocations", ASKED, jti="again") == yes
        other = {**ASKED, "amount": {"currency": "XBT", "quantity": "1"}}
        assert (await exchange.call("/allocations", other))[0] == 409
        assert await exchange.call("/allocation/a-1/clear", ASKED, method="PUT") == (200, {})
        account = exchange.accounts.find("n-1")
        assert account is not None
        assert str(account.withdrawable("BTC")) == "1.50000000"
        for currency, quantity in (
            ("XBT", "150000001"),
            ("DOGE", "1"),
            ("XBT", "-1"),
            ("XBT", "NaN"),
            ("XBT", "1e9"),
            ("XBT", ""),
        ):
            leaving = {
                "deallocationId": f"d-{currency}{quantity}",
                "amount": {"currency": currency, "quantity": quantity},
            }
            status, answer = await exchange.call("/deallocations", {**leaving, **HELD})
            assert (status, bool(answer["rejectionReason"])) == (200, True)
        assert (await exchange.call("/settlements/s-1/finalize", FINAL))[0] == 200
        assert [final.external_id for final in exchange.finals] == ["x-round-1"]

    run_scenario(scenario)


def test_unsigned_and_malformed_calls_change_nothing() -> None:
    async def scenario(exchange: Exchange) -> None:
        await exchange.call("/connections", {"clientId": "c-1", "connectionId": "n-1", "connectionToken": "k"})
        assert (await exchange.call("/allocations", ASKED, key="forged"))[0] == 401
        assert (await exchange.call("/allocations", ASKED, exp=1))[0] == 401
        assert (await exchange.call("/allocations", ASKED, bodySha256=sha256(b"{}")))[0] == 401
        assert (await exchange.call("/allocations", ASKED, path=f"{BASE}/deallocations"))[0] == 401
        assert (await exchange.call("/allocations", ASKED, aud="http://elsewhere"))[0] == 401
        for malformed in (
            b"{",
            b"[]",
            b"\xff",
            b"{}",
            {**ASKED, "amount": None},
            {**HELD, "amount": ASKED["amount"]},
        ):
            assert (await exchange.call("/allocations", malformed))[0] == 400
        assert (await exchange.call("/settlements/s-2/finalize", FINAL))[0] == 400
        assert (await exchange.call("/allocations", b" " * (SMALL_BODY_BYTES + 1)))[0] == 413
        large = {**FINAL, "settlementAmounts": {str(number): {"BTC": "1"} for number in range(5_000)}}
        assert (await exchange.call("/settlements/s-1/finalize", large))[0] == 200
        exchange.network.content = None
        exchange.network.seconds += 300
        assert (await exchange.call("/allocations", ASKED))[0] == 503
        account = exchange.accounts.find("n-1")
        assert account is not None
        assert account.pending == {}
        assert (await exchange.call("/connections", b"{}", kid="first", jti="used"))[0] == 503
        exchange.network.content = Network("first").content
        exchange.network.seconds += 5
        assert (await exchange.call("/allocations", ASKED, jti="used"))[0] == 200
        assert (await exchange.call("/allocations", ASKED, jti="used"))[0] == 401

    run_scenario(scenario)


@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.GARBAGE, Fault.TIMEOUT_AFTER_WORK])
def test_a_call_with_a_fault_is_carried_out_at_most_once(fault: Fault) -> None:
    async def scenario(exchange: Exchange) -> None:
        exchange.accounts.open("n-1", "c-1")
        for number in range(3):
            try:
                status, answer = await exchange.call("/allocations", ASKED, jti=f"{number}")
            except (aiohttp.ClientError, ValueError):
                continue
            assert status == 500 or not isinstance(answer, dict)
        account = exchange.accounts.find("n-1")
        assert account is not None
        assert len(account.pending) == (0 if fault is Fault.ERROR_500 else 1)
        assert [event.fields["fault"] for event in exchange.events if event.name == "fault"] == [fault.value] * 3

    run_scenario(scenario, Faults("7", frozenset({fault}), percent=100, late_seconds=0.01))
