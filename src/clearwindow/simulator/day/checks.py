"""Checks a day: compares the balances with the trades."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from clearwindow.client.answers.base import Balance
from clearwindow.client.answers.network import PartnerBalances
from clearwindow.simulator.concurrency import map_concurrently
from clearwindow.simulator.day.participants import Participants
from clearwindow.simulator.day.plan import DayError
from clearwindow.simulator.day.rounds import Tally
from clearwindow.simulator.network.file import Exchange, Network

_LARGEST_PAGE: Final = 500
_TIMEOUT_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.2
_NAMED_AT_MOST: Final = 5

Holdings = Mapping[str, PartnerBalances]
"""By exchange: the balances of its own account and of its connections, as the exchange reads them."""


@dataclass(frozen=True, slots=True)
class Sums:
    """The changes of a day in one currency, in whole units.

    Attributes:
        currency: the network's name of it.
        paid_in: what operators deposited for exchanges that could not pay.
        to_clients: the change of all connections.
        to_exchanges: the change of all exchanges' own accounts.
    """

    currency: str
    paid_in: Decimal
    to_clients: Decimal
    to_exchanges: Decimal

    @property
    def unaccounted(self) -> Decimal:
        return self.to_clients + self.to_exchanges - self.paid_in


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a day. ``wrong`` has one text for each problem."""

    statuses: Mapping[str, int]
    sums: Sequence[Sums]
    ledger_ok: bool
    wrong: Sequence[str]


async def require_nothing_pending(network: Network, participants: Participants) -> None:
    """Checks that no settlement or dispute is pending, because its changes would mix with those of the day.

    Raises:
        DayError: something is pending; the message names it.
    """
    partners = {exchange.partner_id for exchange in network.exchanges}
    connections = {connection.connection_id for trader in network.traders for connection in trader.connections}
    listed = participants.ada.settlements.list(statuses=["pending", "failed"], page_size=_LARGEST_PAGE)
    pending = [found.external_id async for found in listed if found.partner_id in partners]
    disputes = [
        dispute.id
        async for dispute in participants.ada.disputes.list(page_size=_LARGEST_PAGE)
        if dispute.connection_id in connections
        and not dispute.retracted
        and dispute.settled_in_settlement_id is None
    ]
    if pending or disputes:
        raise DayError(
            f"{len(pending)} settlements have not ended {pending[:_NAMED_AT_MOST]}, and"
            f" {len(disputes)} disputes are not settled {disputes[:_NAMED_AT_MOST]}. Wait until they have ended,"
            " or start again with clearwindow sandbox reset and clearwindow sandbox seed."
        )


async def holdings(participants: Participants, *, at_once: int) -> Holdings:
    names = list(participants.exchanges)
    found = await map_concurrently(
        names, lambda name: participants.exchanges[name].balances(page_size=_LARGEST_PAGE), at_once=at_once
    )
    return dict(zip(names, found, strict=True))


async def examine(
    network: Network,
    participants: Participants,
    tally: Tally,
    before: Holdings,
    decimals: Mapping[str, int],
    *,
    at_once: int,
) -> Outcome:
    """Compares settlements, disputes, balances and the ledger with the plan of the day."""
    statuses = await _statuses(participants, tally)
    wrong = [
        f"{count} settlements are {status}" for status, count in statuses.items() if status != "completed" and count
    ]
    unsettled = await _unsettled(participants, tally)
    if unsettled:
        wrong.append(f"disputes that no settlement has settled: {_first_few(unsettled)}")
    after = await holdings(participants, at_once=at_once)
    exchanges = {exchange.name: exchange for exchange in network.exchanges}
    differing = [
        (name, connection_id)
        for name, connection_id in _connections(before)
        if not _as_traded(exchanges[name], connection_id, before, after, tally, decimals)
    ]
    if differing:
        wrong.append(f"connections whose balances differ from their trades: {_first_few(differing)}")
    sums = _sums(network, tally, before, after, decimals)
    wrong += [f"{each.currency}: {each.unaccounted} is unaccounted for" for each in sums if each.unaccounted]
    ledger = await participants.ada.check_ledger()
    wrong += [f"the ledger: {finding.message}" for finding in ledger.findings]
    return Outcome(statuses, sums, ledger.ok, wrong)


async def _statuses(participants: Participants, tally: Tally) -> Mapping[str, int]:
    """Returns how many settlements of the day have each status, after the worker has done the due work."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        statuses: Counter[str] = Counter()
        async for settlement in participants.ada.settlements.list(page_size=_LARGEST_PAGE):
            if settlement.id in tally.settlements:
                statuses[settlement.status] += 1
            if statuses.total() == len(tally.settlements):
                break
        missing = len(tally.settlements) - statuses.total()
        if not statuses["pending"] or time.monotonic() > deadline:
            return {**statuses, **({"missing": missing} if missing else {})}
        await asyncio.sleep(_POLL_SECONDS)


async def _unsettled(participants: Participants, tally: Tally) -> list[str]:
    left = set(tally.dispute_ids)
    async for dispute in participants.ada.disputes.list(page_size=_LARGEST_PAGE):
        if not left:
            break
        if dispute.id in left and (dispute.retracted or dispute.settled_in_settlement_id is not None):
            left.discard(dispute.id)
    return sorted(left)


def _connections(holdings: Holdings) -> list[tuple[str, str]]:
    return [(name, connection_id) for name, of in holdings.items() for connection_id in of.network_balances]


def _as_traded(
    exchange: Exchange,
    connection_id: str,
    before: Holdings,
    after: Holdings,
    tally: Tally,
    decimals: Mapping[str, int],
) -> bool:
    """Returns whether the balances changed by exactly the traded amounts, and nothing is held."""
    had = before[exchange.name].network_balances[connection_id].balances
    has = after[exchange.name].network_balances[connection_id].balances
    moved = {
        name: amount if exchange.amount_unit == "base" else amount.scaleb(decimals[exchange.currencies[name]])
        for name, amount in tally.moved.get(connection_id, {}).items()
    }
    return all(
        _available(has, name) - _available(had, name) == moved.get(name, 0)
        and (name not in has or not has[name].held)
        for name in {*had, *has, *moved}
    )


def _sums(
    network: Network, tally: Tally, before: Holdings, after: Holdings, decimals: Mapping[str, int]
) -> list[Sums]:
    paid_in: Counter[str] = Counter()
    to_clients: dict[str, Decimal] = {}
    to_exchanges: dict[str, Decimal] = {}
    for exchange in network.exchanges:
        paid_in.update(tally.topped_up.get(exchange.name, {}))
        had, has = before[exchange.name], after[exchange.name]
        for connection_id, now in has.network_balances.items():
            was = had.network_balances[connection_id].balances if connection_id in had.network_balances else {}
            _add_change(to_clients, exchange, was, now.balances, decimals)
        _add_change(to_exchanges, exchange, had.balances or {}, has.balances or {}, decimals)
    return [
        Sums(
            currency,
            Decimal(paid_in[currency]).scaleb(-decimals[currency]),
            to_clients.get(currency, Decimal(0)),
            to_exchanges.get(currency, Decimal(0)),
        )
        for currency in sorted(to_clients.keys() | to_exchanges.keys())
    ]


def _add_change(
    changes: dict[str, Decimal],
    exchange: Exchange,
    was: Mapping[str, Balance],
    now: Mapping[str, Balance],
    decimals: Mapping[str, int],
) -> None:
    for name in {*was, *now}:
        currency = exchange.currencies[name]
        change = Decimal(_whole(now, name) - _whole(was, name)).scaleb(-decimals[currency])
        changes[currency] = changes.get(currency, Decimal(0)) + change


def _available(balances: Mapping[str, Balance], name: str) -> int:
    return balances[name].available if name in balances else 0


def _whole(balances: Mapping[str, Balance], name: str) -> int:
    return balances[name].available + balances[name].held if name in balances else 0


def _first_few(listed: Sequence[object]) -> str:
    named = ", ".join(map(str, listed[:_NAMED_AT_MOST]))
    more = len(listed) - _NAMED_AT_MOST
    return f"{named} and {more} more" if more > 0 else named
