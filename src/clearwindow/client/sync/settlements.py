# Made from ../aio by `make sdk`: change it there.
"""Settlements: a partner stages them; the partner and its clients read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias, Unpack

from clearwindow.client.answers.liquidity import ClientDeadline, PartnerDeadline, SettlementForecast, TopUps
from clearwindow.client.answers.settlements import (
    ClientSettlement,
    ClientSettlementDetail,
    ClientTransfer,
    OnchainDeposit,
    Settlement,
    SettlementDetail,
    SettlementPreview,
    SettlementTransfer,
    StagedSettlement,
)
from clearwindow.client.answers.statements import NetOrder
from clearwindow.client.calls import value_of, values_of
from clearwindow.client.filters import (
    CalendarFilters,
    ClientSettlementFilters,
    ClientTransferFilters,
    ForecastFilters,
    NetOrderFilters,
    PartnerForecastFilters,
    PartnerSettlementFilters,
    PartnerTransferFilters,
    TransferPageFilters,
    WholeSettlementFilters,
)
from clearwindow.client.requests import Deposit, Trade, TradeCorrection
from clearwindow.client.sync.desk import AmountUnit, Desk, SigningMethod
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Amounts, Id, amounts_text, fields
from clearwindow.signing.models import Operation

FlatAmounts: TypeAlias = Mapping[str, Amounts]
"""Per connection id and currency: + the connection gains, - it loses. In the partner's names and unit."""

PairAmounts: TypeAlias = Mapping[str, Mapping[str, Amounts]]
"""For a broker: per source connection, destination connection and currency; + the destination gains."""


class PartnerSettlements:
    """The partner's settlements.

    The partner's ``external_id`` identifies a settlement. If the same request is sent again, it gets the first
    answer, and ``replayed`` is true. "The same" means the same values. To be able to repeat a request after a
    crash, choose ``cutoff_at`` yourself and keep it.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def create(
        self,
        *,
        external_id: str,
        settlement_amounts: FlatAmounts | PairAmounts,
        cutoff_at: datetime,
        notes: str | None = None,
        nonce: str | None = None,
        amount_unit: AmountUnit | None = None,
    ) -> StagedSettlement:
        """Stages a settlement with a dispute window (v2).

        Args:
            external_id: the partner's own id of the settlement.
            settlement_amounts: the gains and losses.
            cutoff_at: trades up to this time are included.
            notes: any text.
            nonce: a new one if omitted.
            amount_unit: of the amounts. If it is given and the partner's configuration says otherwise, the server
                refuses the settlement.

        Raises:
            UnprocessableError: losses are not covered; ``details`` names every connection that is short.
            ConflictError: another settlement has this external id.
        """
        asked = _fields(external_id, settlement_amounts, notes, self._desk.nonce(nonce), cutoff_at)
        path = self._desk.path("/partners/settlements", version=2)
        operation, read = Operation.SETTLEMENT_STAGE, value_of(StagedSettlement, "settlement")
        return self._desk.signed("POST", path, read, asked, operation, amount_unit=amount_unit)

    def preview(
        self,
        *,
        external_id: str,
        settlement_amounts: FlatAmounts | PairAmounts,
        cutoff_at: datetime,
        notes: str | None = None,
        page_number: int = 0,
        page_size: int | None = None,
    ) -> SettlementPreview:
        """Returns what `create` would do with these amounts now. It writes nothing, and needs no signer.

        What `create` would refuse is in ``refusals``, all at once, and raises nothing.

        Args:
            external_id: as for `create`.
            settlement_amounts: as for `create`.
            cutoff_at: as for `create`.
            notes: as for `create`.
            page_number: which page of the balances, from 0.
            page_size: how many balances a page has; the server has its own limit.
        """
        asked = fields(
            external_id=external_id,
            notes=notes,
            settlement_amounts=amounts_text(settlement_amounts),
            cutoff_at=cutoff_at,
        )
        page = {"page_number": page_number, "page_size": page_size}
        path = self._desk.path("/partners/settlements/preview", version=2)
        read = value_of(SettlementPreview, "preview")
        return self._desk.send("POST", path, read, asked, repeatable=True, options=page)

    def create_v1(
        self,
        *,
        external_id: str,
        settlement_amounts: FlatAmounts | PairAmounts,
        notes: str | None = None,
        nonce: str | None = None,
        amount_unit: AmountUnit | None = None,
    ) -> Settlement:
        """Settles at once, all or nothing, for a partner without a dispute window (v1).

        Raises:
            NotAuthenticatedError: if it has a ``settlement``, which failed: the partner is short of funds. Send
                the same request again to retry.
            ServerError: nothing has moved, and its ``settlement`` is pending. Send the same request again to
                continue.
        """
        asked = _fields(external_id, settlement_amounts, notes, self._desk.nonce(nonce))
        path = self._desk.path("/partners/settlements")
        operation, read = Operation.SETTLEMENT_IMMEDIATE, value_of(Settlement, "settlement")
        return self._desk.signed("POST", path, read, asked, operation, amount_unit=amount_unit)

    def create_non_reconciled(
        self,
        *,
        external_id: str,
        settlement_amounts: FlatAmounts | PairAmounts,
        notes: str | None = None,
        nonce: str | None = None,
        amount_unit: AmountUnit | None = None,
    ) -> Settlement:
        """The older name of `create_v1` on the wire."""
        asked = _fields(external_id, settlement_amounts, notes, self._desk.nonce(nonce))
        path = self._desk.path("/partners/settlements/nonReconciled")
        operation, read = Operation.SETTLEMENT_IMMEDIATE, value_of(Settlement, "settlement")
        return self._desk.signed("POST", path, read, asked, operation, amount_unit=amount_unit)

    def create_onchain(
        self,
        *,
        external_id: str,
        settlement_amounts: FlatAmounts,
        notes: str | None = None,
        nonce: str | None = None,
    ) -> Settlement:
        """Starts a settlement that moves on chain; amounts are base units."""
        asked = _fields(external_id, settlement_amounts, notes, self._desk.nonce(nonce))
        path = self._desk.path("/partners/settlements/onchain")
        operation, read = Operation.SETTLEMENT_ONCHAIN, value_of(Settlement, "settlement")
        return self._desk.signed("POST", path, read, asked, operation, amount_unit="base")

    def payload(
        self,
        *,
        external_id: str,
        settlement_amounts: FlatAmounts | PairAmounts,
        cutoff_at: datetime | None = None,
        notes: str | None = None,
        nonce: str | None = None,
        method: SigningMethod = "POST",
    ) -> str:
        """Returns the exact text to sign for a settlement. The server writes it; `create` does not need it."""
        asked = _fields(external_id, settlement_amounts, notes, self._desk.nonce(nonce), cutoff_at)
        path = self._desk.path("/partners/settlements-signing")
        return self._desk.payload(method, path, asked)

    def withdraw(self, settlement_id: Id, *, reason: str, nonce: str | None = None) -> Settlement:
        """Takes a settlement back inside its dispute window.

        It is ``rejected`` then, or ``pending`` until the closed disputes that it has taken are settled.

        Raises:
            UnprocessableError: its dispute window has ended.
            ConflictError: it has ended already, or was withdrawn for another reason.
        """
        path = self._desk.path("/partners/settlements/{}/withdraw", settlement_id)
        asked = fields(reason=reason, nonce=self._desk.nonce(nonce))
        operation, read = Operation.SETTLEMENT_WITHDRAW, value_of(Settlement, "settlement")
        return self._desk.signed("POST", path, read, asked, operation, settlementId=settlement_id)

    def list(self, **filters: Unpack[PartnerSettlementFilters]) -> Pages[Settlement]:
        path = self._desk.path("/partners/settlements")
        return self._desk.pages(path, "settlements", Settlement, filters)

    def get(self, settlement_id: Id, **filters: Unpack[PartnerTransferFilters]) -> SettlementDetail:
        """Returns one settlement with its disputes and one page of its transfers; `transfers` reads all of them."""
        path = self._desk.path("/partners/settlements/{}", settlement_id)
        return self._desk.get(path, value_of(SettlementDetail), filters)

    def summary(self, settlement_id: Id) -> Settlement:
        """Returns the settlement alone: `get` without the transfers and disputes."""
        return (self.get(settlement_id, page_size=1)).settlement

    def forecast(self, settlement_id: Id, **filters: Unpack[PartnerForecastFilters]) -> SettlementForecast:
        """Returns what each deadline brings if nothing changes, with one page of the network accounts."""
        path = self._desk.path("/partners/settlements/{}/forecast", settlement_id)
        return self._desk.get(path, value_of(SettlementForecast), filters)

    def calendar(self, **filters: Unpack[CalendarFilters]) -> Pages[PartnerDeadline]:
        """Lists when the windows of open settlements end, the earliest first, with what each settlement takes."""
        return self._desk.pages(self._desk.path("/partners/calendar"), "deadlines", PartnerDeadline, filters)

    def top_ups(self, *, worst_case: bool | None = None) -> TopUps:
        """Returns what must be topped up on the partner's account, and by when.

        Args:
            worst_case: whether every client may still dispute what it would lose, as long as it can.
        """
        path = self._desk.path("/partners/top-ups")
        return self._desk.get(path, value_of(TopUps), {"worst_case": worst_case})

    def transfers(
        self, settlement_id: Id, **filters: Unpack[PartnerTransferFilters]
    ) -> Iterator[SettlementTransfer]:
        """Reads all transfers of a settlement, page by page from ``page_number`` on."""
        page_number = filters.pop("page_number", 0)
        first, seen = page_number, 0
        while True:
            wanted: PartnerTransferFilters = {**filters, "page_number": page_number}
            detail = self.get(settlement_id, **wanted)
            for transfer in detail.settlement_transfers:
                yield transfer
            seen += len(detail.settlement_transfers)
            whole = first == 0 and detail.meta.total is not None and seen >= detail.meta.total
            if whole or not detail.settlement_transfers:
                return
            page_number += 1

    def list_transfers(
        self, settlement_id: Id, **filters: Unpack[WholeSettlementFilters]
    ) -> Pages[SettlementTransfer]:
        """Lists all transfers of a settlement, sorted by connection. It can be exported."""
        path = self._desk.path("/partners/settlements/{}/transfers", settlement_id)
        return self._desk.pages(path, "settlementTransfers", SettlementTransfer, filters)

    def net_orders(self, settlement_id: Id, **filters: Unpack[NetOrderFilters]) -> Pages[NetOrder]:
        """Lists who pays whom how much of what in a settlement."""
        path = self._desk.path("/partners/settlements/{}/net-orders", settlement_id)
        return self._desk.pages(path, "netOrders", NetOrder, filters)

    def record_deposits(
        self, *, external_settlement_id: str, deposits: Sequence[Deposit], settlement_id: Id | None = None
    ) -> tuple[OnchainDeposit, ...]:
        """Names the transactions that pay for an on-chain settlement, before or after its start.

        Raises:
            ConflictError: a transaction belongs to another settlement.
        """
        asked = _deposit_fields(external_settlement_id, deposits, settlement_id)
        path = self._desk.path("/partners/settlements/onchain/deposits")
        read = values_of(OnchainDeposit, "deposits")
        return self._desk.signed("POST", path, read, asked, Operation.SETTLEMENT_DEPOSITS)

    def deposits_payload(
        self,
        *,
        external_settlement_id: str,
        deposits: Sequence[Deposit],
        settlement_id: Id | None = None,
    ) -> str:
        """Returns the exact text to sign for deposits."""
        asked = _deposit_fields(external_settlement_id, deposits, settlement_id)
        path = self._desk.path("/partners/settlements/onchain/deposits/signing")
        return self._desk.payload("GET", path, asked)

    def trade_payload(
        self, *, trade: Trade, trade_correction: TradeCorrection | None = None, nonce: str | None = None
    ) -> str:
        """Returns the exact text to sign for a trade."""
        correction = None if trade_correction is None else trade_correction.wire()
        asked = fields(trade=trade.wire(), trade_correction=correction, nonce=self._desk.nonce(nonce))
        return self._desk.payload("GET", self._desk.path("/partners/trades/signing"), asked)


class ClientSettlements:
    """The settlements with connections of the client."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[ClientSettlementFilters]) -> Pages[ClientSettlement]:
        path = self._desk.path("/clients/settlements")
        return self._desk.pages(path, "settlements", ClientSettlement, filters)

    def get(self, settlement_id: Id, **filters: Unpack[TransferPageFilters]) -> ClientSettlementDetail:
        """Returns one settlement with the client's disputes and one page of the client's transfers."""
        path = self._desk.path("/clients/settlements/{}", settlement_id)
        return self._desk.get(path, value_of(ClientSettlementDetail), filters)

    def summary(self, settlement_id: Id) -> Settlement:
        """Returns the settlement alone: `get` without the transfers and disputes."""
        return (self.get(settlement_id, page_size=1)).settlement

    def forecast(self, settlement_id: Id, **filters: Unpack[ForecastFilters]) -> SettlementForecast:
        """Returns what each deadline brings to the client's connections if nothing changes."""
        path = self._desk.path("/clients/settlements/{}/forecast", settlement_id)
        return self._desk.get(path, value_of(SettlementForecast), filters)

    def calendar(self, **filters: Unpack[CalendarFilters]) -> Pages[ClientDeadline]:
        """Lists when the windows of open settlements end, with what each takes from the client."""
        return self._desk.pages(self._desk.path("/clients/calendar"), "deadlines", ClientDeadline, filters)

    def net_orders(self, settlement_id: Id, **filters: Unpack[NetOrderFilters]) -> Pages[NetOrder]:
        """Lists what the client's connections pay and get in a settlement."""
        path = self._desk.path("/clients/settlements/{}/net-orders", settlement_id)
        return self._desk.pages(path, "netOrders", NetOrder, filters)

    def transfers(self, **filters: Unpack[ClientTransferFilters]) -> Pages[ClientTransfer]:
        """Lists the client's transfers of all settlements."""
        path = self._desk.path("/clients/settlementTransfers")
        return self._desk.pages(path, "settlementTransfers", ClientTransfer, filters)


def _fields(
    external_id: str,
    settlement_amounts: FlatAmounts | PairAmounts,
    notes: str | None,
    nonce: str,
    cutoff_at: datetime | None = None,
) -> dict[str, object]:
    return fields(
        external_id=external_id,
        notes=notes,
        settlement_amounts=amounts_text(settlement_amounts),
        nonce=nonce,
        cutoff_at=cutoff_at,
    )


def _deposit_fields(
    external_settlement_id: str, deposits: Sequence[Deposit], settlement_id: Id | None
) -> dict[str, object]:
    made = [deposit.wire() for deposit in deposits]
    return fields(external_settlement_id=external_settlement_id, settlement_id=settlement_id, deposits=made)
