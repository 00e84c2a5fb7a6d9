"""Traders in a thread of the test process, and the lines that they wrote."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from clearwindow.client import KeySigner
from clearwindow.simulator.market import Market, external_id
from clearwindow.simulator.trader.reports import Reports
from clearwindow.simulator.trader.run import ListenAddress, trade
from clearwindow.simulator.trader.trader import Access, Terms
from tests.support.networks import ClientHandle, ConnectionHandle, Network, PartnerHandle
from tests.support.settlements import Testbed, stage

SEED = "1"
NAMES = {"BTC": "ofcbtc", "USD": "ofcusd"}
MARKET = Market.of(SEED, NAMES)
TIMEOUT_SECONDS = 120
Line = dict[str, Any]


@dataclass
class Trading:
    """Running traders; ``lines`` has every line that they wrote."""

    lines: list[Line] = field(default_factory=list)
    address: str = ""

    def find(self, happened: str, **details: object) -> list[Line]:
        """Returns the lines about this, with these details."""
        return [
            line
            for line in self.lines
            if line["happened"] == happened and all(line.get(name) == want for name, want in details.items())
        ]

    def wait_for(self, happened: str, count: int = 1, **details: object) -> list[Line]:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while len(found := self.find(happened, **details)) < count:
            assert time.monotonic() < deadline, (happened, details, self.lines)
            time.sleep(0.01)
        return found

    @property
    def tally(self) -> Line:
        """The tally of the only trader, after its end."""
        (line,) = self.find("tally")
        return line


@contextmanager
def trading(accesses: Sequence[Access], **terms: Any) -> Iterator[Trading]:  # noqa: ANN401 - terms of a trader
    """Runs traders until the block ends; they are ready when it begins."""
    trading = Trading()
    started = threading.Event()
    given: Mapping[str, Any] = {"seed": SEED, "worth": Decimal(10_000), **terms}
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()
    reports = Reports(lambda line: trading.lines.append(json.loads(line)), as_json=True)

    def run() -> None:
        loop.call_soon(started.set)
        loop.run_until_complete(trade(accesses, Terms(**given), reports, ListenAddress(), stopping))

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    try:
        trading.wait_for("ready", len(accesses))
        trading.address = trading.find("serving")[0]["address"]
        yield trading
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        loop.close()


def exchange_of(network: Network) -> PartnerHandle:
    return network.partner(currencies=NAMES, amountUnit="decimal", deposits={"ofcbtc": 10**9, "ofcusd": 10**8})


def connected(network: Network, partner: PartnerHandle) -> ConnectionHandle:
    """Connects a client with funds that it has not allocated."""
    client = network.client("trader", deposits={"ofcbtc": 10**8, "ofcusd": 10**7})
    return network.connect(client, partner)


def access_of(testbed: Testbed, client: ClientHandle) -> Access:
    return Access(
        name=client.enterprise.id,
        url=testbed.operator.base_url,
        enterprise_id=client.enterprise.id,
        token=testbed.operator.user_token(client.enterprise.id),
        signer=KeySigner(client.enterprise.account.key.xprv),
    )


def stage_round(connection: ConnectionHandle, number: int, **wrong: str) -> str:
    """Stages the settlement of a round, with ``wrong`` amounts instead of the market's, and returns its id."""
    amounts = {name: format(amount, "f") for name, amount in MARKET.net(connection.id, number).items()} | wrong
    made = stage(connection.partner, {connection.id: amounts}, externalId=external_id("exchange", number))
    return str(made["id"])
