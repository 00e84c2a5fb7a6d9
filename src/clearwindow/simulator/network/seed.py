"""Makes a network of a given size, over HTTP, as operators, exchanges and traders would.

It may be stopped at any point and run again. The file keeps tokens and keys, the server finds everything else by
its name, and only what is missing is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from clearwindow.client import AsyncClient, AsyncOperator, KeySigner
from clearwindow.simulator.concurrency import map_concurrently
from clearwindow.simulator.network import membership
from clearwindow.simulator.network.file import (
    Connection,
    Exchange,
    Network,
    NetworkFileError,
    OperatorAccess,
    Trader,
)
from clearwindow.simulator.network.membership import OPTIONS
from clearwindow.simulator.network.plan import CURRENCIES, OPERATORS, Funds, Plan, base_units, connection_name
from clearwindow.simulator.network.roll import Roll
from clearwindow.simulator.progress import Meter, Steps

DEFAULT_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Seeded:
    """The network, and how much of it this run made."""

    network: Network
    made: Mapping[str, int]


async def seed(
    url: str,
    plan: Plan,
    path: Path,
    meter: Meter,
    *,
    operator_token: str | None = None,
    at_once: int = DEFAULT_AT_ONCE,
) -> Seeded:
    """Makes what is missing of the planned network, and writes the file as it goes.

    Args:
        url: the server's address.
        plan: the network that should exist at the end.
        path: the network file; what it lists is kept.
        meter: shows the progress.
        operator_token: any operator's; needed if the file has none that the server knows.
        at_once: how many requests run at a time.

    Raises:
        NetworkFileError: the file cannot be used, or there is no operator token.
        ClearwindowError: the server refused a request, or does not answer.
    """
    roll = Roll(path, url)
    try:
        for name in OPERATORS:
            await _ensure_operator(roll, url, name, operator_token)
        async with AsyncOperator(url, roll.operators[OPERATORS[0]].token, options=OPTIONS) as operator:
            decimals = {currency.name: currency.decimals for currency in await operator.currencies.list()}
            seeding = _Seeding(url, plan, roll, operator, decimals, at_once)
            await seeding.run(meter)
    finally:
        roll.write()
    return Seeded(roll.network, dict(seeding.made))


async def _ensure_operator(roll: Roll, url: str, name: str, starter_token: str | None) -> None:
    known = roll.operators.get(name)
    if known is not None and await membership.is_known_operator(url, known.token):
        return
    if starter_token is None:
        raise NetworkFileError(
            f"There is no token for the operator {name}. Set CLEARWINDOW_OPERATOR_TOKEN or --operator-token to the"
            f" token of any operator of {url}: the other operators are made with it."
        )
    async with AsyncOperator(url, starter_token, options=OPTIONS) as starter:
        roll.add(OperatorAccess(name, await membership.new_operator_token(starter, name)))


class _Seeding:
    """One run."""

    def __init__(
        self,
        url: str,
        plan: Plan,
        roll: Roll,
        operator: AsyncOperator,
        decimals: Mapping[str, int],
        at_once: int,
    ) -> None:
        self._url = url
        self._plan = plan
        self._roll = roll
        self._operator = operator
        self._decimals = decimals
        self._at_once = at_once
        self.made: Counter[str] = Counter(exchanges=0, traders=0, connections=0, allocations=0)

    async def run(self, meter: Meter) -> None:
        plan = self._plan
        with meter.steps("exchanges", plan.exchanges) as steps:
            await map_concurrently(
                plan.exchange_names, lambda name: self._exchange(name, steps), at_once=self._at_once
            )
        with meter.steps("connections", plan.exchanges * plan.traders) as steps:
            await map_concurrently(plan.trader_names, lambda name: self._trader(name, steps), at_once=self._at_once)

    async def _exchange(self, name: str, steps: Steps) -> None:
        known = self._roll.exchanges.get(name)
        callback_url = self._plan.callback_url(name)
        if known is None or not await membership.is_known(self._url, known.enterprise_id, known.token):
            known = await self._new_exchange(name, callback_url)
            self.made["exchanges"] += 1
        elif known.callback_url != callback_url:
            await membership.configure_exchange(self._operator, name, CURRENCIES, callback_url)
            known = replace(known, callback_url=callback_url)
        self._roll.add(known)
        steps.done()

    async def _new_exchange(self, name: str, callback_url: str | None) -> Exchange:
        joined = await membership.join(self._operator, self._url, name)
        await membership.configure_exchange(self._operator, name, CURRENCIES, callback_url)
        partner_id = await membership.open_exchange(self._url, joined, self._plan.windows)
        await self._deposit(joined.go_account_id, self._plan.exchange_float(), "seed")
        return Exchange(
            name=name,
            enterprise_id=name,
            partner_id=partner_id,
            go_account_id=joined.go_account_id,
            token=joined.token,
            xprv=joined.xprv,
            callback_url=callback_url,
            currencies=dict(CURRENCIES),
            amount_unit="decimal",
        )

    async def _trader(self, name: str, steps: Steps) -> None:
        trader = self._roll.traders.get(name)
        if trader is None or not await membership.is_known(self._url, trader.enterprise_id, trader.token):
            joined = await membership.join(self._operator, self._url, name)
            trader = Trader(
                name=name,
                enterprise_id=name,
                client_id=joined.client_id,
                go_account_id=joined.go_account_id,
                token=joined.token,
                xprv=joined.xprv,
                connections=(),
            )
            self.made["traders"] += 1
        # The deposit's reference names the number of exchanges: a larger network needs a further deposit.
        reference = f"seed for {self._plan.exchanges} exchanges"
        if len(trader.connections) < self._plan.exchanges:
            await self._deposit(trader.go_account_id, self._plan.deposit(name), reference)
        await self._connect(trader, steps)

    async def _connect(self, trader: Trader, steps: Steps) -> None:
        """Connects the trader to every exchange, and adds it to the roll after each finished connection."""
        signer = KeySigner(trader.xprv)
        async with AsyncClient(
            self._url, trader.token, trader.enterprise_id, signer=signer, options=OPTIONS
        ) as client:
            finished = {connection.exchange: connection for connection in trader.connections}
            found: dict[str, str] = {}
            allocated: set[tuple[str, str]] = set()
            if any(name not in finished for name in self._plan.exchange_names):
                found = {connection.name: connection.id async for connection in client.connections.list()}
                async for allocation in client.allocations.list(types=["allocation"]):
                    allocated.add((allocation.connection_id, allocation.client_external_id))
            for name in self._plan.exchange_names:
                if name not in finished:
                    connection_id = found.get(connection_name(trader.name, name))
                    if connection_id is None:
                        connection_id = await self._new_connection(client, trader.name, name)
                    await self._allocate(client, trader.name, name, connection_id, allocated)
                    finished[name] = Connection(name, connection_id)
                    self._roll.add(replace(trader, connections=tuple(finished[each] for each in sorted(finished))))
                steps.done()

    async def _new_connection(self, client: AsyncClient, trader: str, exchange: str) -> str:
        connection_id = await membership.connect(
            client, self._roll.exchanges[exchange].partner_id, connection_name(trader, exchange)
        )
        self.made["connections"] += 1
        return connection_id

    async def _allocate(
        self,
        client: AsyncClient,
        trader: str,
        exchange: str,
        connection_id: str,
        allocated: set[tuple[str, str]],
    ) -> None:
        """Makes the first allocations. If the exchange has endpoints, the trader's program makes them."""
        if self._roll.exchanges[exchange].callback_url is not None:
            return
        for currency, amount in self._plan.allocation(trader, exchange).items():
            reference = f"seed {currency}"
            if (connection_id, reference) in allocated:
                continue
            quantity = base_units(amount, self._decimals[currency])
            await client.allocations.allocate(
                connection_id, currency=currency, quantity=quantity, client_external_id=reference
            )
            self.made["allocations"] += 1

    async def _deposit(self, go_account_id: str, funds: Funds, reference: str) -> None:
        for currency, amount in funds.items():
            quantity = base_units(amount, self._decimals[currency])
            await self._operator.go_accounts.deposit(
                go_account_id, currency=currency, quantity=quantity, reference=f"{reference}, {currency}"
            )
