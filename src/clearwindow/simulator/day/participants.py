"""Everybody who acts on a day, each with a connection to the server."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

from clearwindow.client import AsyncClient, AsyncOperator, AsyncPartner, KeySigner
from clearwindow.sandbox.day.plan import DayError
from clearwindow.sandbox.network.file import Exchange, Network
from clearwindow.sandbox.network.joining import PATIENCE


@dataclass(frozen=True, slots=True)
class People:
    """``ada`` closes disputes and ``ben`` reviews; where she has to, he closes and she reviews."""

    ada: AsyncOperator
    ben: AsyncOperator
    exchanges: dict[str, AsyncPartner]
    traders: dict[str, AsyncClient]

    @classmethod
    async def of(cls, network: Network, stack: AsyncExitStack) -> Self:
        """Everybody in the file, until the stack is closed.

        Raises:
            DayError: a day needs more people than there are.
        """
        if len(network.operators) < 2:  # noqa: PLR2004 - four eyes
            raise DayError("A day needs two operators: one closes a dispute, the other reviews it.")
        if not network.exchanges or not any(trader.connections for trader in network.traders):
            raise DayError("A day needs at least one exchange with a connection: seed the network first.")
        url = network.url
        ada, ben = (AsyncOperator(url, operator.token, options=PATIENCE) for operator in network.operators[:2])
        exchanges = {
            exchange.name: AsyncPartner(
                url, exchange.token, exchange.enterprise_id, signer=KeySigner(exchange.xprv), options=PATIENCE
            )
            for exchange in network.exchanges
        }
        traders = {
            trader.name: AsyncClient(
                url, trader.token, trader.enterprise_id, signer=KeySigner(trader.xprv), options=PATIENCE
            )
            for trader in network.traders
        }
        for operator in (ada, ben):
            stack.push_async_callback(operator.aclose)
        for member in (*exchanges.values(), *traders.values()):
            stack.push_async_callback(member.aclose)
        return cls(ada, ben, exchanges, traders)


async def windows_minutes(exchange: Exchange, partner: AsyncPartner) -> float:
    """How long a settlement of the exchange's takes from staging to execution."""
    async for listed in partner.partners(ids=[exchange.partner_id]):
        if listed.client_dispute_window_minutes is None or listed.top_up_window_minutes is None:
            raise DayError(f"{exchange.name} has no dispute window: a day settles with disputes, by v2.")
        return float(listed.client_dispute_window_minutes + listed.top_up_window_minutes)
    raise DayError(f"The server does not know {exchange.name} any more: seed the network again.")
