"""Decisions that come later: the exchange acknowledges a request, and sends its decision in a signed call.

The exchange does not keep acknowledged requests: the network lists those that are open, also after a restart. The
network accepts the same decision twice, so a decision whose answer was lost is sent again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal

from clearwindow.client import ApiError, AsyncPartner, ConflictError
from clearwindow.client.answers.allocations import PartnerAllocation
from clearwindow.client.requests import PartnersWord
from clearwindow.simulator.exchange.accounts import (
    Account,
    Accounts,
    Answer,
    Kind,
    Outcome,
    StaleBalancesError,
    own_id,
)
from clearwindow.simulator.exchange.calls import ended, read_funds_request
from clearwindow.simulator.exchange.events import Emit, Event, Tone
from clearwindow.simulator.exchange.failures import TRANSIENT_ERRORS, reported_failures
from clearwindow.simulator.exchange.faults import Fault, Faults
from clearwindow.simulator.exchange.money import Denomination, UnknownAmountError
from clearwindow.simulator.exchange.paging import PAGE_SIZE, in_queries


class Answerer:
    """Decides the open requests, some seconds after they came in."""

    def __init__(
        self, partner: AsyncPartner, accounts: Accounts, denomination: Denomination, faults: Faults, emit: Emit
    ) -> None:
        self._partner = partner
        self._accounts = accounts
        self._denomination = denomination
        self._faults = faults
        self._emit = emit
        self._wake_up = asyncio.Event()

    def notify(self) -> None:
        """Reports that there is a new request."""
        self._wake_up.set()

    async def run(self, later_seconds: float, every_seconds: float) -> None:
        """Runs a step at the start, after each request, and every ``every_seconds`` for what is left."""
        while True:
            await self.step()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake_up.wait(), every_seconds)
            self._wake_up.clear()
            await asyncio.sleep(later_seconds)

    async def step(self) -> None:
        """Decides all open requests."""
        with reported_failures(self._emit):
            await self._load_outcomes()
            waiting = [
                allocation
                async for allocation in self._partner.allocations.list(statuses=["reserved"], page_size=PAGE_SIZE)
                if _waits_for_us(allocation)
            ]
            # The oldest first: it decides how much is left for the next one.
            for allocation in sorted(waiting, key=lambda one: one.created_at):
                await self._decide_unless_refused(allocation)

    async def _load_outcomes(self) -> None:
        """Applies the outcomes of decisions whose answers were lost. Open requests get the same decision again."""
        for some in in_queries([request_id for account in self._accounts for request_id in account.pending]):
            async for allocation in self._partner.allocations.list(allocation_ids=some):
                if allocation.status == "cleared":
                    self._carry_out(allocation, Outcome.CLEARED)
                elif allocation.status == "released":
                    self._carry_out(allocation, Outcome.RELEASED)

    async def _decide_unless_refused(self, allocation: PartnerAllocation) -> None:
        """Decides a request. If the network rejects the decision, the other requests are still decided."""
        try:
            await self._decide(allocation)
        except TRANSIENT_ERRORS:
            raise
        except ApiError as error:
            fields = {f"{_kind(allocation)}Id": allocation.id, "why": error.error}
            self._emit(Event("network.refused", f"the decision on {allocation.id}: {error}", fields, Tone.BAD))

    async def _decide(self, allocation: PartnerAllocation) -> None:
        account = self._accounts.find(allocation.connection_id)
        if account is None:
            # The call that opens this connection was not answered before a restart. The network repeats it.
            return
        try:
            answer = self._answer(allocation)
        except StaleBalancesError:
            return
        if not await self._fails(allocation, account, answer):
            await self._send_decision(allocation, account, answer, allocation.amount.quantity)
            self._carry_out(allocation, Outcome.CLEARED if answer.refusal is None else Outcome.RELEASED, answer)

    def _answer(self, allocation: PartnerAllocation) -> Answer:
        kind = _kind(allocation)
        try:
            request = read_funds_request(
                self._denomination,
                kind,
                allocation.id,
                allocation.connection_id,
                allocation.amount.currency,
                allocation.amount.quantity,
            )
        except UnknownAmountError as error:
            return Answer(own_id(kind, allocation.id), str(error))
        return self._accounts.decide(request)

    async def _fails(self, allocation: PartnerAllocation, account: Account, answer: Answer) -> bool:
        """Applies a fault to the decision. Returns whether the exchange must regard it as not delivered."""
        fault, _ = self._faults.of_call(f"the word on {allocation.id}") or (None, 0)
        if fault is None:
            return False
        subject = f"{_kind(allocation)} {allocation.id}"
        self._emit(Event("fault", f"{fault} in the decision on {subject}", {"fault": str(fault)}, Tone.NOTICE))
        if fault is Fault.SLOW:
            await asyncio.sleep(self._faults.slow_seconds)
        if fault is Fault.GARBAGE:
            with suppress(ConflictError):
                await self._send_decision(allocation, account, answer, allocation.amount.quantity * 2)
        if fault is Fault.TIMEOUT_AFTER_WORK:
            # The network accepts it, but the exchange does not learn that.
            await self._send_decision(allocation, account, answer, allocation.amount.quantity)
        return fault in (Fault.ERROR_500, Fault.TIMEOUT_AFTER_WORK)

    async def _send_decision(
        self, allocation: PartnerAllocation, account: Account, answer: Answer, quantity: Decimal
    ) -> None:
        decision: PartnersWord = {
            "currency": allocation.amount.currency,
            "quantity": quantity,
            "client_id": account.client_id,
            "connection_id": account.connection_id,
            "partners_client_id": account.own_client_id,
            "partners_connection_id": account.own_connection_id,
            "status": "cleared" if answer.refusal is None else "released",
        }
        if answer.refusal is not None:
            decision["reject_reason"] = answer.refusal
        allocations = self._partner.allocations
        if _kind(allocation) is Kind.ALLOCATION:
            await allocations.update_allocation(
                allocation_id=allocation.id, partners_allocation_id=answer.own_id, **decision
            )
        else:
            await allocations.update_deallocation(
                deallocation_id=allocation.id, partners_deallocation_id=answer.own_id, **decision
            )

    def _carry_out(self, allocation: PartnerAllocation, outcome: Outcome, answer: Answer | None = None) -> None:
        kind = _kind(allocation)
        if answer is None or answer.refusal is None:
            self._accounts.apply_outcome(allocation.connection_id, allocation.id, outcome)
        # Balances that were read before the decision have the funds as held.
        self._accounts.mark_stale(allocation.connection_id)
        refusal = {} if answer is None or answer.refusal is None else {"rejectReason": answer.refusal}
        fields = {f"{kind}Id": allocation.id, "connectionId": allocation.connection_id, **refusal}
        sentence = f"{allocation.amount.quantity:f} {allocation.amount.currency} on {allocation.connection_id}"
        self._emit(ended(kind, outcome, sentence + "".join(f": {why}" for why in refusal.values()), fields))


def _waits_for_us(allocation: PartnerAllocation) -> bool:
    """Returns whether the request waits for our decision: no approval is pending, and the call was acknowledged."""
    is_approved = allocation.pending_approval_id is None or allocation.policy_result is not None
    return is_approved and not allocation.retriable and allocation.type in tuple(Kind)


def _kind(allocation: PartnerAllocation) -> Kind:
    return Kind(str(allocation.type))
