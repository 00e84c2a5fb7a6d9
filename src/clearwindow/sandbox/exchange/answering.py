"""Answers that come later: a question is only acknowledged, and decided afterwards with a signed word of our own.

Nothing is kept of what was acknowledged. The network lists what waits for us, so that a question is decided after a
restart too; and it takes the same word twice, so that one whose answer was lost is said again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Final

from clearwindow.client import ApiError, AsyncPartner, ConflictError
from clearwindow.client.answers.allocations import PartnerAllocation
from clearwindow.client.requests import PartnersWord
from clearwindow.sandbox.exchange.accounts import (
    Account,
    Accounts,
    Answer,
    Kind,
    NotSureError,
    Outcome,
    own_id,
)
from clearwindow.sandbox.exchange.calls import ended, question_of
from clearwindow.sandbox.exchange.events import Event, Say, Tone
from clearwindow.sandbox.exchange.failures import MAY_PASS, survived
from clearwindow.sandbox.exchange.faults import Fault, Faults
from clearwindow.sandbox.exchange.money import Denomination, UnknownAmountError

_PAGE_SIZE: Final = 500
_MOST_IDS_IN_A_QUERY: Final = 50


class Answerer:
    """Decides what waits for the exchange, some seconds after it was asked."""

    def __init__(
        self, partner: AsyncPartner, accounts: Accounts, denomination: Denomination, faults: Faults, say: Say
    ) -> None:
        self._partner = partner
        self._accounts = accounts
        self._denomination = denomination
        self._faults = faults
        self._say = say
        self._heard = asyncio.Event()

    def heard(self) -> None:
        """Something was asked."""
        self._heard.set()

    async def run(self, later_seconds: float, every_seconds: float) -> None:
        """A step at the start, one after each question, and one every so many seconds for what was left."""
        while True:
            await self.step()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), every_seconds)
            self._heard.clear()
            await asyncio.sleep(later_seconds)

    async def step(self) -> None:
        """Decides all that waits for us."""
        with survived(self._say):
            await self._learn_outcomes()
            waiting = [
                found
                async for found in self._partner.allocations.list(statuses=["reserved"], page_size=_PAGE_SIZE)
                if _waits_for_us(found)
            ]
            # The oldest first: what it leaves is what the next one may have.
            for found in sorted(waiting, key=lambda one: one.created_at):
                await self._decide_unless_refused(found)

    async def _learn_outcomes(self) -> None:
        """What became of a word whose answer was lost; what still waits is decided again, as it was."""
        for some in _in_queries([question_id for account in self._accounts for question_id in account.asked]):
            async for found in self._partner.allocations.list(allocation_ids=some):
                if found.status == "cleared":
                    self._carry_out(found, Outcome.CLEARED)
                elif found.status == "released":
                    self._carry_out(found, Outcome.RELEASED)

    async def _decide_unless_refused(self, found: PartnerAllocation) -> None:
        """A word that the network does not take keeps none of the others waiting."""
        try:
            await self._decide(found)
        except MAY_PASS:
            raise
        except ApiError as error:
            fields = {f"{_kind(found)}Id": found.id, "why": error.error}
            self._say(Event("network.refused", f"our word on {found.id}: {error}", fields, Tone.BAD))

    async def _decide(self, found: PartnerAllocation) -> None:
        account = self._accounts.find(found.connection_id)
        if account is None:
            # Its opening was not answered before a restart, and is repeated.
            return
        try:
            answer = self._answer(found)
        except NotSureError:
            return
        if not await self._fails(found, account, answer):
            await self._say_word(found, account, answer, found.amount.quantity)
            self._carry_out(found, Outcome.CLEARED if answer.refusal is None else Outcome.RELEASED, answer)

    def _answer(self, found: PartnerAllocation) -> Answer:
        kind = _kind(found)
        try:
            question = question_of(
                self._denomination,
                kind,
                found.id,
                found.connection_id,
                found.amount.currency,
                found.amount.quantity,
            )
        except UnknownAmountError as error:
            return Answer(own_id(kind, found.id), str(error))
        return self._accounts.ask(question)

    async def _fails(self, found: PartnerAllocation, account: Account, answer: Answer) -> bool:
        """What a fault does to a word; whether it has not come through, as far as we know."""
        fault, _ = self._faults.of_call(f"the word on {found.id}") or (None, 0)
        if fault is None:
            return False
        subject = f"{_kind(found)} {found.id}"
        self._say(Event("fault", f"{fault} in the word on {subject}", {"fault": str(fault)}, Tone.NOTICE))
        if fault is Fault.SLOW:
            await asyncio.sleep(self._faults.slow_seconds)
        if fault is Fault.GARBAGE:
            with suppress(ConflictError):
                await self._say_word(found, account, answer, found.amount.quantity * 2)
        if fault is Fault.TIMEOUT_AFTER_WORK:
            # It is taken, and we never hear of that.
            await self._say_word(found, account, answer, found.amount.quantity)
        return fault in (Fault.ERROR_500, Fault.TIMEOUT_AFTER_WORK)

    async def _say_word(
        self, found: PartnerAllocation, account: Account, answer: Answer, quantity: Decimal
    ) -> None:
        word: PartnersWord = {
            "currency": found.amount.currency,
            "quantity": quantity,
            "client_id": account.client_id,
            "connection_id": account.connection_id,
            "partners_client_id": account.own_client_id,
            "partners_connection_id": account.own_connection_id,
            "status": "cleared" if answer.refusal is None else "released",
        }
        if answer.refusal is not None:
            word["reject_reason"] = answer.refusal
        told = self._partner.allocations
        if _kind(found) is Kind.ALLOCATION:
            await told.update_allocation(allocation_id=found.id, partners_allocation_id=answer.own_id, **word)
        else:
            await told.update_deallocation(deallocation_id=found.id, partners_deallocation_id=answer.own_id, **word)

    def _carry_out(self, found: PartnerAllocation, outcome: Outcome, answer: Answer | None = None) -> None:
        kind = _kind(found)
        if answer is None or answer.refusal is None:
            self._accounts.tell(found.connection_id, found.id, outcome)
        # The network held the funds while we thought: balances that were read meanwhile have them as held.
        self._accounts.doubt(found.connection_id)
        refusal = {} if answer is None or answer.refusal is None else {"rejectReason": answer.refusal}
        fields = {f"{kind}Id": found.id, "connectionId": found.connection_id, **refusal}
        said = f"{found.amount.quantity:f} {found.amount.currency} on {found.connection_id}"
        self._say(ended(kind, outcome, said + "".join(f": {why}" for why in refusal.values()), fields))


def _waits_for_us(found: PartnerAllocation) -> bool:
    """Not for the client's own people, and not for us to answer the question itself."""
    is_approved = found.pending_approval_id is None or found.policy_result is not None
    return is_approved and not found.retriable and found.type in tuple(Kind)


def _kind(found: PartnerAllocation) -> Kind:
    return Kind(str(found.type))


def _in_queries(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _MOST_IDS_IN_A_QUERY):
        yield ids[start : start + _MOST_IDS_IN_A_QUERY]
