"""A trader at work: every settlement is checked against the trader's own trades, and disputed where it is wrong.

Nothing of it is kept between two runs. The network knows everything, so that a new start begins by looking.
"""

from __future__ import annotations

from collections.abc import Sequence

from clearwindow.client import AsyncClient, ConflictError, UnprocessableError, WebhookEvent
from clearwindow.client.answers.disputes import Dispute
from clearwindow.client.answers.settlements import ClientSettlementDetail, ClientTransfer, Settlement
from clearwindow.sandbox import market
from clearwindow.sandbox.trader.accounts import TradingAccounts
from clearwindow.sandbox.trader.checking import Judgement, Net, is_put_right, said_of
from clearwindow.sandbox.trader.faults import Faults
from clearwindow.sandbox.trader.reports import Reports
from clearwindow.sandbox.trader.tally import Tally

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
"""What a desk wants to hear of."""


class Desk:
    """Decides for one trader. Everything here may be done twice: the second time finds it done."""

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
        """Looks into everything that happened while nobody was here to hear of it."""
        await self._accounts.learn()
        await self._accounts.fill_up()
        async for settlement in self._client.settlements.list():
            await self.look_into(settlement.id)
        async for dispute in self._client.disputes.list(closed=False):
            await self.reconsider(dispute.id)

    async def hear(self, event: WebhookEvent) -> None:
        """Does what an event asks for."""
        about = event.data
        match event.type:
            case "settlement.initiated":
                await self.look_into(about["settlementId"])
            case "settlement.completed":
                await self.look_into(about["settlementId"])
                await self._accounts.fill_up()
            case "settlement.failed" | "settlement.rejected":
                ended = event.type.removeprefix("settlement.")
                self._say(ended, settlement=about["externalId"], reason=about.get("reason"))
            case "dispute.created" | "dispute.closed" | "dispute.reviewed":
                await self.reconsider(about["disputeId"])
            case "connection.created" | "connection.updated":
                await self._accounts.learn()
                await self._accounts.fill_up()

    async def look_into(self, settlement_id: str) -> None:
        """Checks a settlement on every connection, disputes what is wrong, and counts what it has moved."""
        if settlement_id in self._tally.completed:
            return
        detail = await self._client.settlements.get(settlement_id)
        transfers = await self._transfers(settlement_id)
        if settlement_id not in self._tally.settlements:
            disputed = {dispute.connection_id for dispute in detail.settlement_disputes}
            for judgement in self._judge(detail.settlement, transfers):
                await self._decide(detail, judgement, disputed=judgement.connection_id in disputed)
            self._tally.settlements.add(settlement_id)
        if detail.settlement.status == "completed":
            self._note_completed(detail, transfers)

    async def reconsider(self, dispute_id: str) -> None:
        """Looks at a dispute again, and takes it back if the settlement was right."""
        dispute = await self._dispute(dispute_id)
        if dispute is None or dispute.retracted:
            return
        entry = (dispute.disputed_settlement_id, dispute.connection_id)
        closure = dispute.dispute_closure
        if closure is not None and closure.status != "rejected":
            as_expected = is_put_right(dispute)
            self._say("closed", dispute=dispute.id, by=closure.closed_by, status=closure.status, right=as_expected)
            return
        detail = await self._client.settlements.get(dispute.disputed_settlement_id)
        for judgement in self._judge(detail.settlement, await self._transfers(detail.settlement.id)):
            if judgement.connection_id == dispute.connection_id and judgement.right:
                await self._withdraw(dispute)
                self._tally.withdrawn.add(entry)

    def _note_completed(self, detail: ClientSettlementDetail, transfers: Sequence[ClientTransfer]) -> None:
        """Counts what an executed settlement moved, and which disputes it settled."""
        own = self._accounts.of_partner(detail.settlement.partner_id)
        received: Net = {}
        for transfer in transfers:
            if transfer.status == "completed":
                sign = 1 if transfer.destination_network_account_id in own else -1
                received[transfer.currency] = received.get(transfer.currency, 0) + sign * transfer.quantity
        self._tally.received.update(received)
        self._tally.completed.add(detail.settlement.id)
        for dispute in detail.settling_disputes:
            if is_put_right(dispute):
                self._tally.put_right.add((dispute.disputed_settlement_id, dispute.connection_id))
        put_right = len(detail.settling_disputes) or None
        self._say("completed", settlement=detail.settlement.external_id, received=received, settles=put_right)

    def _judge(self, settlement: Settlement, transfers: Sequence[ClientTransfer]) -> list[Judgement]:
        """What the settlement says of each connection that it is about, beside what was traded there."""
        round_number = market.round_of(settlement.external_id)
        if round_number is None:
            self._tally.unknown.add(settlement.id)
            self._say("unknown", settlement=settlement.external_id)
            return []
        own = self._accounts.of_partner(settlement.partner_id)
        said = said_of(transfers, {network_account_id: account.id for network_account_id, account in own.items()})
        return [
            Judgement(account.id, said[account.id], account.market.net_base_units(account.id, round_number))
            for account in own.values()
            if account.id in said
        ]

    async def _decide(self, detail: ClientSettlementDetail, judgement: Judgement, *, disputed: bool) -> None:
        settlement = detail.settlement
        entry = (settlement.id, judgement.connection_id)
        about = {"settlement": settlement.external_id, "connection": judgement.connection_id}
        (self._tally.right if judgement.right else self._tally.wrong).add(entry)
        mistaken = judgement.right and self._faults.mistakes(settlement.external_id, judgement.connection_id)
        if judgement.right and not mistaken:
            self._say("right", **about)
            return
        if mistaken:
            if settlement.status != "pending":
                return
            self._tally.mistaken.add(entry)
            about["mistake"] = "yes"
        if not disputed:
            disputed = await self._object(settlement.id, judgement, mistaken=mistaken)
        if not mistaken:
            (self._tally.disputed if disputed else self._tally.late).add(entry)
        self._say("disputed" if disputed else "too late", **about, reason=judgement.reason or None)

    async def _object(self, settlement_id: str, judgement: Judgement, *, mistaken: bool) -> bool:
        """Disputes; False where the window has ended."""
        try:
            await self._client.disputes.create(
                settlement_id,
                connection_id=judgement.connection_id,
                expected_transfers={} if mistaken else judgement.expected,
                reason=judgement.reason or "no such trades",
            )
        except ConflictError:
            # An answer was lost, or this was done before the last start.
            return True
        except UnprocessableError as error:
            self._say("refused", settlement=settlement_id, reason=error.error)
            return False
        return True

    async def _withdraw(self, dispute: Dispute) -> None:
        """Takes a dispute back: by a retraction while the window is open, by a closure after it."""
        why = "our mistake: the settlement says what we traded"
        try:
            await self._client.disputes.update(
                dispute.id, connection_id=dispute.connection_id, retracted=True, reason=why
            )
        except (ConflictError, UnprocessableError):
            await self._client.disputes.close(dispute.id, notes=why)
            self._say("given up", dispute=dispute.id)
        else:
            self._say("retracted", dispute=dispute.id)

    async def _dispute(self, dispute_id: str) -> Dispute | None:
        async for dispute in self._client.disputes.list(dispute_ids=[dispute_id]):
            return dispute
        return None

    async def _transfers(self, settlement_id: str) -> list[ClientTransfer]:
        return [transfer async for transfer in self._client.settlements.transfers(settlement_ids=[settlement_id])]

    def _say(self, happened: str, **details: object) -> None:
        self._reports.say(self._name, happened, **details)
