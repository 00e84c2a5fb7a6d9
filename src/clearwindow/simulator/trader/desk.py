"""The decisions of a trader: it compares every settlement with its own trades, and disputes wrong ones.

A trader keeps no state between two runs. After a start it reads everything from the network.
"""

from __future__ import annotations

from collections.abc import Sequence

from clearwindow.client import AsyncClient, ConflictError, UnprocessableError, WebhookEvent
from clearwindow.client.answers.disputes import Dispute
from clearwindow.client.answers.settlements import ClientSettlementDetail, ClientTransfer, Settlement
from clearwindow.simulator import market
from clearwindow.simulator.trader.accounts import TradingAccounts
from clearwindow.simulator.trader.comparison import Comparison, Net, ended_as_expected, settled_amounts
from clearwindow.simulator.trader.faults import Faults
from clearwindow.simulator.trader.reports import Reports
from clearwindow.simulator.trader.tally import Tally

EVENT_TYPES = (
    "connection.created",
    "connection.updated",
    "dispute.closed",
    "dispute.created",
    "dispute.reviewed",
    "settlement.completed",
    "settlement.failed",
    "settlement.initiated",
    "settlement.rejected",
)
"""The event types that a desk subscribes to."""


class Desk:
    """Decides for one trader. Every action may be repeated: a repeat has no effect."""

    def __init__(
        self,
        name: str,
        client: AsyncClient,
        accounts: TradingAccounts,
        faults: Faults,
        tally: Tally,
        reports: Reports,
    ) -> None:
        self._name = name
        self._client = client
        self._accounts = accounts
        self._faults = faults
        self._tally = tally
        self._reports = reports

    async def catch_up(self) -> None:
        """Checks all settlements and open disputes, because events may have been missed."""
        await self._accounts.load_connections()
        await self._accounts.replenish()
        async for settlement in self._client.settlements.list():
            await self.check_settlement(settlement.id)
        async for dispute in self._client.disputes.list(closed=False):
            await self.review_dispute(dispute.id)

    async def handle_event(self, event: WebhookEvent) -> None:
        """Handles an event."""
        about = event.data
        match event.type:
            case "settlement.initiated":
                await self.check_settlement(about["settlementId"])
            case "settlement.completed":
                await self.check_settlement(about["settlementId"])
                await self._accounts.replenish()
            case "settlement.failed" | "settlement.rejected":
                ended = event.type.removeprefix("settlement.")
                self._report(ended, settlement=about["externalId"], reason=about.get("reason"))
            case "dispute.created" | "dispute.closed" | "dispute.reviewed":
                await self.review_dispute(about["disputeId"])
            case "connection.created" | "connection.updated":
                await self._accounts.load_connections()
                await self._accounts.replenish()

    async def check_settlement(self, settlement_id: str) -> None:
        """Checks a settlement on every connection, disputes wrong amounts, and counts executed transfers."""
        if settlement_id in self._tally.completed:
            return
        detail = await self._client.settlements.get(settlement_id)
        transfers = await self._transfers(settlement_id)
        if settlement_id not in self._tally.settlements:
            disputed = {dispute.connection_id for dispute in detail.settlement_disputes}
            for comparison in self._compare(detail.settlement, transfers):
                await self._decide(detail, comparison, disputed=comparison.connection_id in disputed)
            self._tally.settlements.add(settlement_id)
        if detail.settlement.status == "completed":
            self._note_completed(detail, transfers)

    async def review_dispute(self, dispute_id: str) -> None:
        """Checks a dispute again, and withdraws it if the settlement is right."""
        dispute = await self._dispute(dispute_id)
        if dispute is None or dispute.retracted:
            return
        entry = (dispute.disputed_settlement_id, dispute.connection_id)
        closure = dispute.dispute_closure
        if closure is not None and closure.status != "rejected":
            as_expected = ended_as_expected(dispute)
            self._report(
                "closed", dispute=dispute.id, by=closure.closed_by, status=closure.status, right=as_expected
            )
            return
        detail = await self._client.settlements.get(dispute.disputed_settlement_id)
        for comparison in self._compare(detail.settlement, await self._transfers(detail.settlement.id)):
            if comparison.connection_id == dispute.connection_id and comparison.right:
                await self._withdraw(dispute)
                self._tally.withdrawn.add(entry)

    def _note_completed(self, detail: ClientSettlementDetail, transfers: Sequence[ClientTransfer]) -> None:
        """Counts the transfers of an executed settlement and the disputes that it settled."""
        own = self._accounts.of_partner(detail.settlement.partner_id)
        received: Net = {}
        for transfer in transfers:
            if transfer.status == "completed":
                sign = 1 if transfer.destination_network_account_id in own else -1
                received[transfer.currency] = received.get(transfer.currency, 0) + sign * transfer.quantity
        self._tally.received.update(received)
        self._tally.completed.add(detail.settlement.id)
        for dispute in detail.settling_disputes:
            if ended_as_expected(dispute):
                self._tally.put_right.add((dispute.disputed_settlement_id, dispute.connection_id))
        put_right = len(detail.settling_disputes) or None
        self._report("completed", settlement=detail.settlement.external_id, received=received, settles=put_right)

    def _compare(self, settlement: Settlement, transfers: Sequence[ClientTransfer]) -> list[Comparison]:
        """Compares the settlement with the trades on each of its connections."""
        round_number = market.round_of(settlement.external_id)
        if round_number is None:
            self._tally.unknown.add(settlement.id)
            self._report("unknown", settlement=settlement.external_id)
            return []
        own = self._accounts.of_partner(settlement.partner_id)
        settled = settled_amounts(
            transfers, {network_account_id: account.id for network_account_id, account in own.items()}
        )
        return [
            Comparison(account.id, settled[account.id], account.market.net_base_units(account.id, round_number))
            for account in own.values()
            if account.id in settled
        ]

    async def _decide(self, detail: ClientSettlementDetail, comparison: Comparison, *, disputed: bool) -> None:
        settlement = detail.settlement
        entry = (settlement.id, comparison.connection_id)
        about = {"settlement": settlement.external_id, "connection": comparison.connection_id}
        (self._tally.right if comparison.right else self._tally.wrong).add(entry)
        mistaken = comparison.right and self._faults.mistakes(settlement.external_id, comparison.connection_id)
        if comparison.right and not mistaken:
            self._report("right", **about)
            return
        if mistaken:
            if settlement.status != "pending":
                return
            self._tally.mistaken.add(entry)
            about["mistake"] = "yes"
        if not disputed:
            disputed = await self._raise_dispute(settlement.id, comparison, mistaken=mistaken)
        if not mistaken:
            (self._tally.disputed if disputed else self._tally.late).add(entry)
        self._report("disputed" if disputed else "too late", **about, reason=comparison.reason or None)

    async def _raise_dispute(self, settlement_id: str, comparison: Comparison, *, mistaken: bool) -> bool:
        """Raises a dispute. Returns False if the dispute window has ended."""
        try:
            await self._client.disputes.create(
                settlement_id,
                connection_id=comparison.connection_id,
                expected_transfers={} if mistaken else comparison.expected,
                reason=comparison.reason or "no such trades",
            )
        except ConflictError:
            # The dispute exists already: an answer was lost, or it was raised before a restart.
            return True
        except UnprocessableError as error:
            self._report("refused", settlement=settlement_id, reason=error.error)
            return False
        return True

    async def _withdraw(self, dispute: Dispute) -> None:
        """Withdraws a dispute: retracts it while the window is open, closes it afterwards."""
        why = "our mistake: the settlement has the amounts of our trades"
        try:
            await self._client.disputes.update(
                dispute.id, connection_id=dispute.connection_id, retracted=True, reason=why
            )
        except (ConflictError, UnprocessableError):
            await self._client.disputes.close(dispute.id, notes=why)
            self._report("given up", dispute=dispute.id)
        else:
            self._report("retracted", dispute=dispute.id)

    async def _dispute(self, dispute_id: str) -> Dispute | None:
        async for dispute in self._client.disputes.list(dispute_ids=[dispute_id]):
            return dispute
        return None

    async def _transfers(self, settlement_id: str) -> list[ClientTransfer]:
        return [transfer async for transfer in self._client.settlements.transfers(settlement_ids=[settlement_id])]

    def _report(self, happened: str, **details: object) -> None:
        self._reports.report(self._name, happened, **details)
