"""A trader from its start to its end: an endpoint to hear at, a desk that works on what was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from clearwindow.client import (
    ApiError,
    AsyncClient,
    AsyncSigner,
    NoAnswerError,
    RateLimitedError,
    ServerError,
    WebhookEvent,
)
from clearwindow.sandbox.trader.accounts import TradingAccounts
from clearwindow.sandbox.trader.desk import EVENT_TYPES, Desk
from clearwindow.sandbox.trader.faults import Fault, Faults
from clearwindow.sandbox.trader.inbox import Inbox, Pace
from clearwindow.sandbox.trader.reports import Reports
from clearwindow.sandbox.trader.tally import Tally

_FIRST_WAIT_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who a trader is on the network, and what it signs with."""

    name: str
    url: str
    enterprise_id: str
    token: str = field(repr=False)
    signer: AsyncSigner = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How traders behave.

    Attributes:
        seed: of the market, and of the faults.
        worth: what is allocated of each currency on each connection, in dollars at the market's prices.
        faults: what goes wrong on purpose.
        fault_percent: how often.
        pace: how long faults take.
    """

    seed: str
    worth: Decimal
    faults: Sequence[Fault] = ()
    fault_percent: float = 0
    pace: Pace = field(default_factory=Pace)


class Trader:
    """One trader. ``inbox`` takes its deliveries; ``run`` does the rest."""

    def __init__(self, access: Access, terms: Terms, client: AsyncClient, reports: Reports) -> None:
        self.name = access.name
        self.tally = Tally()
        faults = Faults(terms.faults, terms.fault_percent, terms.seed, access.name)
        accounts = TradingAccounts(access.name, client, terms.seed, terms.worth, reports)
        self.inbox = Inbox(access.name, faults, terms.pace, self.tally, reports)
        self._desk = Desk(access.name, client, accounts, faults, self.tally, reports)
        self._client = client
        self._reports = reports

    async def run(self, address: str, stopping: asyncio.Event) -> None:
        """Hears at the address and works until it is told to stop; the event in hand is finished.

        What was heard and not worked on yet is found again by the next start, which looks at everything.
        """
        await self._patiently(lambda: self._listen_at(address))
        await self._patiently(self._desk.catch_up)
        self._reports.say(self.name, "ready")
        stop = asyncio.create_task(stopping.wait())
        while not stopping.is_set():
            next_event = asyncio.create_task(self.inbox.next())
            await asyncio.wait((next_event, stop), return_when=asyncio.FIRST_COMPLETED)
            if not next_event.done():
                next_event.cancel()
                break
            await self._work_on(next_event.result())

    async def _listen_at(self, address: str) -> None:
        """Has events sent to the address: to the endpoint of the last start, if there is one.

        Its secret was shown once and is not kept. Its public keys can be read at any time, and verify as well.
        """
        description = f"clearwindow trader {self.name}"
        endpoints = self._client.webhook_endpoints
        async for known in endpoints.list():
            if known.description == description:
                endpoint = await endpoints.update(known.id, url=address, event_types=EVENT_TYPES, enabled=True)
                keys: Sequence[str] = endpoint.public_keys
                break
        else:
            made = await endpoints.create(url=address, event_types=EVENT_TYPES, description=description)
            endpoint, keys = made.webhook_endpoint, [made.secret]

        async def read_keys() -> Sequence[str]:
            return (await endpoints.get(endpoint.id)).public_keys

        self.inbox.trust(keys, read_keys)
        self._reports.say(self.name, "listening", address=address, endpoint=endpoint.id)

    async def _work_on(self, event: WebhookEvent) -> None:
        try:
            await self._patiently(lambda: self._desk.hear(event))
        except ApiError as error:
            # Asked wrongly, or too late: the next event must not wait for what will not get better.
            self._reports.say(self.name, "failed", type=event.type, id=event.id, problem=error)

    async def _patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Does it, again and again while the network does not answer: all of it may be done twice."""
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            try:
                return await work()
            except (NoAnswerError, ServerError, RateLimitedError) as error:
                self._reports.say(self.name, "waiting", seconds=wait_seconds, problem=error)
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)
