"""The simulated chain, and the deposits of partners for on-chain settlements."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.aio.operator_desk import AsyncOperatorDesk
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.chain import ChainTransaction, KeptDeposit
from clearwindow.client.calls import value_of
from clearwindow.client.filters import ChainFilters, KeptDepositFilters
from clearwindow.client.text import Id, Quantity, fields, quantity_text


class AsyncOperatorChain:
    """Controls the simulated chain. Amounts are base units under the network's names."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def transactions(self, **filters: Unpack[ChainFilters]) -> AsyncPages[ChainTransaction]:
        """Lists the transactions, newest first."""
        return self._desk.pages("/chain/transactions", "transactions", ChainTransaction, filters)

    async def send_deposit(
        self, *, partner_id: Id, currency: str, quantity: Quantity, tx_id: str, withheld: bool = False
    ) -> ChainTransaction:
        """Sends a partner's transaction to its deposit address. The same again returns the same transaction.

        Args:
            partner_id: of the sender.
            currency: such as ``ofcbtc``.
            quantity: in base units, above 0.
            tx_id: of the transaction.
            withheld: whether it waits for `confirm` instead of confirming after a while.
        """
        asked = fields(
            partner_id=partner_id,
            currency=currency,
            quantity=quantity_text(quantity),
            tx_id=tx_id,
            withheld=withheld,
        )
        path, read = self._desk.path("/chain/deposits"), value_of(ChainTransaction, "transaction")
        return await self._desk.send("POST", path, read, asked, repeatable=True)

    async def confirm(self, transaction_id: Id) -> ChainTransaction:
        """Confirms a transaction now, even if it is withheld."""
        return await self._decide("confirm", transaction_id)

    async def withhold(self, transaction_id: Id) -> ChainTransaction:
        """Withholds a transaction: it waits for `confirm`."""
        return await self._decide("withhold", transaction_id)

    async def fail(self, transaction_id: Id, *, reason: str | None = None) -> ChainTransaction:
        """Fails a pending transaction. Its payment is sent again in a new one."""
        return await self._decide("fail", transaction_id, fields(reason=reason))

    async def _decide(
        self, verdict: str, transaction_id: Id, asked: dict[str, object] | None = None
    ) -> ChainTransaction:
        path = self._desk.path("/chain/transactions/{}/", transaction_id) + verdict
        read = value_of(ChainTransaction, "transaction")
        return await self._desk.send("POST", path, read, asked, repeatable=True)


class AsyncOperatorOnchainDeposits:
    """The deposits of partners for on-chain settlements."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[KeptDepositFilters]) -> AsyncPages[KeptDeposit]:
        """Lists the deposits with their status, newest first."""
        return self._desk.pages("/onchain-deposits", "deposits", KeptDeposit, filters)

    async def release(self, deposit_id: Id) -> KeptDeposit:
        """Makes a deposit available on the partner's Go Account.

        Raises:
            ConflictError: the deposit is not held, or its settlement needs it.
        """
        path = self._desk.path("/onchain-deposits/{}/release", deposit_id)
        return await self._desk.send("POST", path, value_of(KeptDeposit, "deposit"), repeatable=True)
