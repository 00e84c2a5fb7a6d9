"""A trader: a webhook endpoint, and a desk that handles the events."""

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
from clearwindow.simulator.trader.accounts import TradingAccounts
from clearwindow.simulator.trader.desk import EVENT_TYPES, Desk
from clearwindow.simulator.trader.faults import Fault, Faults
from clearwindow.simulator.trader.inbox import FaultDurations, Inbox
from clearwindow.simulator.trader.reports import Reports
from clearwindow.simulator.trader.tally import Tally

_FIRST_WAIT_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A trader's identity on the network, and its signer."""

    name: str
    url: str
    enterprise_id: str
    token: str = field(repr=False)
    signer: AsyncSigner = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The options of traders.

    Attributes:
        seed: the seed of the market and of the faults.
        worth: the amount to allocate of each currency on each connection, in dollars at the market's prices.
        faults: the faults to inject.
        fault_percent: how many of a hundred deliveries or decisions have a fault.
        fault_durations: how long faults take.
    """

    seed: str
    worth: Decimal
    faults: Sequence[Fault] = ()
    fault_percent: float = 0
    fault_durations: FaultDurations = field(default_factory=FaultDurations)


class Trader:
    """One trader. ``inbox`` receives its webhooks; ``run`` handles them."""

    def __init__(self, access: Access, terms: Terms, client: AsyncClient, reports: Reports) -> None:
        self.name = access.name
        self.tally = Tally()
        faults = Faults(terms.faults, terms.fault_percent, terms.seed, access.name)
        accounts = TradingAccounts(access.name, client, terms.seed, terms.worth, reports)
        self.inbox = Inbox(access.name, faults, terms.fault_durations, self.tally, reports)
        self._desk = Desk(access.name, client, accounts, faults, self.tally, reports)
        self._client = client
        self._reports = reports

    async def run(self, address: str, stopping: asyncio.Event) -> None:
        """Registers the address for webhooks, and handles events until ``stopping`` is set.

        It finishes the current event. Queued events are lost, but the next start checks everything again.
        """
        await self._with_retries(lambda: self._listen_at(address))
        await self._with_retries(self._desk.catch_up)
        self._reports.report(self.name, "ready")
        stop = asyncio.create_task(stopping.wait())
        while not stopping.is_set():
            next_event = asyncio.create_task(self.inbox.next())
            await asyncio.wait((next_event, stop), return_when=asyncio.FIRST_COMPLETED)
            if not next_event.done():
                next_event.cancel()
                break
            await self._handle(next_event.result())

    async def _listen_at(self, address: str) -> None:
        """Registers the address: updates the webhook endpoint of an earlier start, or creates one.

        The secret of an earlier endpoint is not kept, but its public keys can be read and verify deliveries too.
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

        self.inbox.set_keys(keys, read_keys)
        self._reports.report(self.name, "listening", address=address, endpoint=endpoint.id)

    async def _handle(self, event: WebhookEvent) -> None:
        try:
            await self._with_retries(lambda: self._desk.handle_event(event))
        except ApiError as error:
            # A rejected request will not succeed later, so the next event must not wait for it.
            self._reports.report(self.name, "failed", type=event.type, id=event.id, problem=error)

    async def _with_retries(self, work: Callable[[], Awaitable[None]]) -> None:
        """Repeats the work until the network answers. All work may safely be repeated."""
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            try:
                return await work()
            except (NoAnswerError, ServerError, RateLimitedError) as error:
                self._reports.report(self.name, "waiting", seconds=wait_seconds, problem=error)
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)
