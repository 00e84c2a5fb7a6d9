"""Whether a day came out right: what is on the accounts, against what was traded."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from clearwindow.client.answers.base import PartnerBalance
from clearwindow.client.answers.network import PartnerBalances
from clearwindow.sandbox.day.people import People
from clearwindow.sandbox.day.plan import DayError
from clearwindow.sandbox.day.rounds import Tally
from clearwindow.sandbox.network.file import Exchange, Network
from clearwindow.sandbox.together import together

_LARGEST_PAGE: Final = 500
_PATIENCE_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.2
_NAMED_AT_MOST: Final = 5

Holdings = Mapping[str, PartnerBalances]
"""Per exchange what is on its own account and on its connections, as the exchange reads it."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What a day did to one currency, in whole units; the last three are together zero.

    Attributes:
        currency: the network's name.
        paid_in: what operators gave exchanges that could not pay.
        to_clients: what connections have more than before.
        to_exchanges: what exchanges have more than before.
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
    """How a day came out; ``wrong`` is empty where everything is as it must be."""

    statuses: Mapping[str, int]
    sums: Sequence[Sums]
    ledger_ok: bool
    wrong: Sequence[str]


async def require_rest(network: Network, people: People) -> None:
    """Whether nothing is under way: otherwise the day's own changes could not be told from others.

    Raises:
        DayError: it says what is.
    """
    partners = {exchange.partner_id for exchange in network.exchanges}
    connections = {connection.connection_id for trader in network.traders for connection in trader.connections}
    listed = people.ada.settlements.list(statuses=["pending", "failed"], page_size=_LARGEST_PAGE)
    pending = [found.external_id async for found in listed if found.partner_id in partners]
    disputes = [
        dispute.id
        async for dispute in people.ada.disputes.list(page_size=_LARGEST_PAGE)
        if dispute.connection_id in connections
        and not dispute.retracted
        and dispute.settled_in_settlement_id is None
    ]
    if pending or disputes:
        raise DayError(
            f"The network is not at rest: {len(pending)} settlements have not ended {pending[:_NAMED_AT_MOST]}, and"
            f" {len(disputes)} disputes are not settled {disputes[:_NAMED_AT_MOST]}. Have them ended, or begin anew"
            " with clearwindow sandbox reset and clearwindow sandbox seed."
        )


async def holdings(people: People, *, at_once: int) -> Holdings:
    names = list(people.exchanges)
    found = await together(
        names, lambda name: people.exchanges[name].balances(page_size=_LARGEST_PAGE), at_once=at_once
    )
    return dict(zip(names, found, strict=True))


async def examine(
    network: Network,
    people: People,
    tally: Tally,
    before: Holdings,
    decimals: Mapping[str, int],
    *,
    at_once: int,
) -> Outcome:
    """Compares everything with what it must be."""
    statuses = await _statuses(people, tally)
    wrong = [
        f"{count} settlements are {status}" for status, count in statuses.items() if status != "completed" and count
    ]
    unsettled = await _unsettled(people, tally)
    if unsettled:
        wrong.append(f"disputes that no settlement settled: {_some(unsettled)}")
    after = await holdings(people, at_once=at_once)
    differing = [key for key in _connections(before) if not _as_traded(key, before, after, tally)]
    if differing:
        wrong.append(f"connections that do not have what was traded: {_some(differing)}")
    sums = _sums(network, tally, before, after, decimals)
    wrong += [f"{each.currency}: {each.unaccounted} is unaccounted for" for each in sums if each.unaccounted]
    ledger = await people.ada.check_ledger()
    wrong += [f"the ledger: {finding.message}" for finding in ledger.findings]
    return Outcome(statuses, sums, ledger.ok, wrong)


async def _statuses(people: People, tally: Tally) -> Mapping[str, int]:
    """How many settlements of the day are in which status, once the worker has done what is due."""
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while True:
        statuses: Counter[str] = Counter()
        async for settlement in people.ada.settlements.list(page_size=_LARGEST_PAGE):
            if settlement.id in tally.settlements:
                statuses[settlement.status] += 1
            if statuses.total() == len(tally.settlements):
                break
        missing = len(tally.settlements) - statuses.total()
        if not statuses["pending"] or time.monotonic() > give_up_at:
            return {**statuses, **({"missing": missing} if missing else {})}
        await asyncio.sleep(_POLL_SECONDS)


async def _unsettled(people: People, tally: Tally) -> list[str]:
    left = set(tally.dispute_ids)
    async for dispute in people.ada.disputes.list(page_size=_LARGEST_PAGE):
        if not left:
            break
        if dispute.id in left and (dispute.retracted or dispute.settled_in_settlement_id is not None):
            left.discard(dispute.id)
    return sorted(left)


def _connections(holdings: Holdings) -> list[tuple[str, str]]:
    return [(name, connection_id) for name, of in holdings.items() for connection_id in of.network_balances]


def _as_traded(key: tuple[str, str], before: Holdings, after: Holdings, tally: Tally) -> bool:
    """Whether the connection has exactly what it had and what it traded, and nothing is held any more."""
    exchange, connection_id = key
    had = before[exchange].network_balances[connection_id].balances
    has = after[exchange].network_balances[connection_id].balances
    moved = tally.moved.get(connection_id, {})
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
    was: Mapping[str, PartnerBalance],
    now: Mapping[str, PartnerBalance],
    decimals: Mapping[str, int],
) -> None:
    for name in {*was, *now}:
        currency = exchange.currencies[name]
        change = _whole(now, name) - _whole(was, name)
        if exchange.amount_unit == "base":
            change = change.scaleb(-decimals[currency])
        changes[currency] = changes.get(currency, Decimal(0)) + change


def _available(balances: Mapping[str, PartnerBalance], name: str) -> Decimal:
    return balances[name].available if name in balances else Decimal(0)


def _whole(balances: Mapping[str, PartnerBalance], name: str) -> Decimal:
    return balances[name].available + balances[name].held if name in balances else Decimal(0)


def _some(listed: Sequence[object]) -> str:
    named = ", ".join(map(str, listed[:_NAMED_AT_MOST]))
    more = len(listed) - _NAMED_AT_MOST
    return f"{named} and {more} more" if more > 0 else named
