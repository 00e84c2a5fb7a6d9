"""Traders in a thread of the test process, and what they said."""

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
from clearwindow.sandbox.market import Market, external_id
from clearwindow.sandbox.trader.reports import Reports
from clearwindow.sandbox.trader.running import Place, trade
from clearwindow.sandbox.trader.trader import Access, Terms
from tests.support.networks import ClientHandle, ConnectionHandle, Network, PartnerHandle
from tests.support.settling import Floor, stage

SEED = "1"
NAMES = {"BTC": "ofcbtc", "USD": "ofcusd"}
MARKET = Market.of(SEED, NAMES)
PATIENCE_SECONDS = 20
Said = dict[str, Any]


@dataclass
class Trading:
    """Traders at work; ``said`` is every line that they wrote."""

    said: list[Said] = field(default_factory=list)
    address: str = ""

    def of(self, happened: str, **details: object) -> list[Said]:
        """What was said of this, with these details."""
        return [
            line
            for line in self.said
            if line["happened"] == happened and all(line.get(name) == want for name, want in details.items())
        ]

    def wait_for(self, happened: str, count: int = 1, **details: object) -> list[Said]:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while len(found := self.of(happened, **details)) < count:
            assert time.monotonic() < give_up_at, (happened, details, self.said)
            time.sleep(0.01)
        return found

    @property
    def tally(self) -> Said:
        """After the end: what the only trader has seen and done."""
        (line,) = self.of("tally")
        return line


@contextmanager
def trading(accesses: Sequence[Access], **terms: Any) -> Iterator[Trading]:  # noqa: ANN401 - terms of a trader
    """Traders that are ready, until the block ends."""
    trading = Trading()
    started = threading.Event()
    given: Mapping[str, Any] = {"seed": SEED, "worth": Decimal(10_000), **terms}
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()
    reports = Reports(lambda line: trading.said.append(json.loads(line)), as_json=True)

    def run() -> None:
        loop.call_soon(started.set)
        loop.run_until_complete(trade(accesses, Terms(**given), reports, Place(), stopping))

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    try:
        trading.wait_for("ready", len(accesses))
        trading.address = trading.of("serving")[0]["address"]
        yield trading
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        loop.close()


def exchange_of(network: Network) -> PartnerHandle:
    return network.partner(currencies=NAMES, amountUnit="decimal", deposits={"ofcbtc": 10**9, "ofcusd": 10**8})


def connected(network: Network, partner: PartnerHandle) -> ConnectionHandle:
    """A client with funds that it has not allocated."""
    client = network.client("trader", deposits={"ofcbtc": 10**8, "ofcusd": 10**7})
    return network.connect(client, partner)


def access_of(floor: Floor, client: ClientHandle) -> Access:
    return Access(
        name=client.enterprise.id,
        url=floor.operator.base_url,
        enterprise_id=client.enterprise.id,
        token=floor.operator.user_token(client.enterprise.id),
        signer=KeySigner(client.enterprise.account.key.xprv),
    )


def stage_round(connection: ConnectionHandle, number: int, **wrong: str) -> str:
    """Stages the settlement of a round, with ``wrong`` amounts instead of the market's; gives its id."""
    amounts = {name: format(amount, "f") for name, amount in MARKET.net(connection.id, number).items()} | wrong
    made = stage(connection.partner, {connection.id: amounts}, externalId=external_id("exchange", number))
    return str(made["id"])
