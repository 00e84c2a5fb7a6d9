"""What is settled in a round: who trades, what of it is staged, and what must come back as final. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from clearwindow.sandbox.exchange.accounts import Account, Amounts
from clearwindow.sandbox.exchange.faults import Faults, altered
from clearwindow.sandbox.market import Market, external_id


@dataclass(frozen=True, slots=True)
class Round:
    """A round as it is staged.

    Attributes:
        external_id: our name of its settlement, which carries the round for whoever checks it.
        amounts: per connection what it gains and loses.
        cutoff_at: up to when trades are in it. Kept, as a repeat must be the same to the byte.
        attempt: counts the forms it had; a network that refused one has kept nothing of it.
        fills: how many trades there were.
        withheld: the connections that could not cover their losses, and so did not trade.
        wrong: the connections whose amounts are not those of the market.
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
        return f"{self.external_id}-{self.attempt}"

    def without(self, short: Collection[str]) -> Round:
        """The same round where these connections have not traded either."""
        amounts = {connection_id: net for connection_id, net in self.amounts.items() if connection_id not in short}
        return replace(
            self,
            amounts=amounts,
            attempt=self.attempt + 1,
            withheld=(*self.withheld, *sorted(self.amounts.keys() & set(short))),
            wrong=tuple(connection_id for connection_id in self.wrong if connection_id in amounts),
        )


@dataclass(slots=True)
class _Drawing:
    """A round while it is drawn."""

    amounts: dict[str, Amounts] = field(default_factory=dict)
    fills: int = 0
    withheld: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def draw(
    number: int, prefix: str, accounts: Collection[Account], market: Market, faults: Faults, cutoff_at: datetime
) -> Round:
    """A round of trades on these accounts: each connection trades all that the market has for it, or not at all."""
    drawing = _Drawing()
    for account in accounts:
        _trade(drawing, account, number, market, faults)
    return Round(
        number,
        external_id(prefix, number),
        drawing.amounts,
        cutoff_at,
        fills=drawing.fills,
        withheld=tuple(drawing.withheld),
        wrong=tuple(drawing.wrong),
    )


def _trade(drawing: _Drawing, account: Account, number: int, market: Market, faults: Faults) -> None:
    connection_id = account.connection_id
    net: Amounts = market.net(connection_id, number)
    if not net:
        return
    is_wrong = faults.of_amounts(connection_id, number)
    if is_wrong:
        net = altered(net, market.currencies)
    if not account.covers(net):
        drawing.withheld.append(connection_id)
        return
    if is_wrong:
        drawing.wrong.append(connection_id)
    drawing.amounts[connection_id] = net
    drawing.fills += len(market.fills(connection_id, number))


def expected_finals(staged: Mapping[str, Amounts], disputed: Collection[str]) -> dict[str, Amounts]:
    """What must be final of a settlement: what was staged, but for the connections that dispute it."""
    return {connection_id: net for connection_id, net in staged.items() if connection_id not in disputed}


def demanded(finals: Mapping[str, Amounts]) -> dict[str, Decimal]:
    """What the exchange's own account must have, per currency, for the gains to be paid out of losses and it."""
    sums: dict[str, Decimal] = {}
    for net in finals.values():
        for currency, amount in net.items():
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    return {currency: amount for currency, amount in sums.items() if amount > 0}
