"""Rounds of trades: what is traded, what is staged, and which final amounts are expected. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from clearwindow.simulator.exchange.accounts import Account, Amounts
from clearwindow.simulator.exchange.faults import Faults, altered
from clearwindow.simulator.market import Market, external_id


@dataclass(frozen=True, slots=True)
class Round:
    """A round of trades.

    Attributes:
        external_id: the settlement's external id; it contains the round's number.
        amounts: by connection, the gains and losses.
        cutoff_at: the end of the trading period. It is kept, because a repeated request must have the same bytes.
        attempt: counts the versions of the round. The network keeps nothing of a rejected version.
        fills: the number of trades.
        withheld: the connections that could not cover their losses and therefore did not trade.
        wrong: the connections with other amounts than the market's.
    """

    number: int
    external_id: str
    amounts: Mapping[str, Amounts]
    cutoff_at: datetime
    attempt: int = 1
    fills: int = 0
    withheld: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    @property
    def nonce(self) -> str:
        """The nonce of the signed request: the same for a repeat, another one for another version."""
        return f"{self.external_id}-{self.attempt}"

    def without(self, short: Collection[str]) -> Round:
        """Returns the round without the trades of these connections."""
        amounts = {connection_id: net for connection_id, net in self.amounts.items() if connection_id not in short}
        return replace(
            self,
            amounts=amounts,
            attempt=self.attempt + 1,
            withheld=(*self.withheld, *sorted(self.amounts.keys() & set(short))),
            wrong=tuple(connection_id for connection_id in self.wrong if connection_id in amounts),
        )


@dataclass(slots=True)
class _DraftRound:
    """A round that is being built."""

    amounts: dict[str, Amounts] = field(default_factory=dict)
    fills: int = 0
    withheld: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def draw(
    number: int, prefix: str, accounts: Collection[Account], market: Market, faults: Faults, cutoff_at: datetime
) -> Round:
    """Returns a round of trades on these accounts. Each connection makes all its trades of the market or none."""
    draft = _DraftRound()
    for account in accounts:
        _trade(draft, account, number, market, faults)
    return Round(
        number,
        external_id(prefix, number),
        draft.amounts,
        cutoff_at,
        fills=draft.fills,
        withheld=tuple(draft.withheld),
        wrong=tuple(draft.wrong),
    )


def _trade(draft: _DraftRound, account: Account, number: int, market: Market, faults: Faults) -> None:
    connection_id = account.connection_id
    net: Amounts = market.net(connection_id, number)
    if not net:
        return
    is_wrong = faults.of_amounts(connection_id, number)
    if is_wrong:
        net = altered(net, market.currencies)
    if not account.covers(net):
        draft.withheld.append(connection_id)
        return
    if is_wrong:
        draft.wrong.append(connection_id)
    draft.amounts[connection_id] = net
    draft.fills += len(market.fills(connection_id, number))


def expected_finals(staged: Mapping[str, Amounts], disputed: Collection[str]) -> dict[str, Amounts]:
    """Returns the final amounts to expect: the staged amounts, without disputed connections."""
    return {connection_id: net for connection_id, net in staged.items() if connection_id not in disputed}


def required_funds(finals: Mapping[str, Amounts]) -> dict[str, Decimal]:
    """Returns, by currency, what the exchange must pay from its own account because gains exceed losses."""
    sums: dict[str, Decimal] = {}
    for net in finals.values():
        for currency, amount in net.items():
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    return {currency: amount for currency, amount in sums.items() if amount > 0}
