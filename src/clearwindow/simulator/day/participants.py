"""The operators, exchanges and traders of a day, each with an SDK client."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

from clearwindow.client import AsyncClient, AsyncOperator, AsyncPartner, KeySigner
from clearwindow.simulator.day.plan import DayError
from clearwindow.simulator.network.file import Exchange, Network
from clearwindow.simulator.network.membership import OPTIONS


@dataclass(frozen=True, slots=True)
class Participants:
    """``ada`` closes disputes and ``ben`` reviews all closures.

    She made the clients' tokens, so that she may not review what they did.
    """

    ada: AsyncOperator
    ben: AsyncOperator
    exchanges: dict[str, AsyncPartner]
    traders: dict[str, AsyncClient]

    @classmethod
    async def of(cls, network: Network, stack: AsyncExitStack) -> Self:
        """Opens a client for everybody in the network file; ``stack`` closes them.

        Raises:
            DayError: the network lacks an operator, an exchange or a connection.
        """
        if len(network.operators) < 2:  # noqa: PLR2004 - four eyes
            raise DayError("A day needs two operators: one closes a dispute, the other reviews the closure.")
        if not network.exchanges or not any(trader.connections for trader in network.traders):
            raise DayError("A day needs an exchange with a connection: create them with clearwindow sandbox seed.")
        url = network.url
        ada, ben = (AsyncOperator(url, operator.token, options=OPTIONS) for operator in network.operators[:2])
        exchanges = {
            exchange.name: AsyncPartner(
                url,
                exchange.token,
                exchange.enterprise_id,
                signer=KeySigner(exchange.xprv),
                options=OPTIONS,
            )
            for exchange in network.exchanges
        }
        traders = {
            trader.name: AsyncClient(
                url, trader.token, trader.enterprise_id, signer=KeySigner(trader.xprv), options=OPTIONS
            )
            for trader in network.traders
        }
        for operator in (ada, ben):
            stack.push_async_callback(operator.aclose)
        for member in (*exchanges.values(), *traders.values()):
            stack.push_async_callback(member.aclose)
        return cls(ada, ben, exchanges, traders)


async def windows_minutes(exchange: Exchange, partner: AsyncPartner) -> float:
    """Returns the minutes from staging to execution of the exchange's settlements.

    Raises:
        DayError: the exchange has no dispute window, or the server does not know it.
    """
    async for listed in partner.partners(ids=[exchange.partner_id]):
        if listed.client_dispute_window_minutes is None or listed.top_up_window_minutes is None:
            raise DayError(
                f"{exchange.name} has no dispute window, but a day needs settlements with disputes (v2)."
            )
        return float(listed.client_dispute_window_minutes + listed.top_up_window_minutes)
    raise DayError(
        f"The server does not know {exchange.name}: create the network again with clearwindow sandbox seed."
    )
