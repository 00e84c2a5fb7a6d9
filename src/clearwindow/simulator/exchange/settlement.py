"""Settles the rounds of the market, with the SDK only.

If the answer to a round was lost, the same request is sent again, with the same bytes, before the next round. If
the network rejects a round because it is not covered, it is sent again without the connections that are short.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from clearwindow.client import (
    ApiError,
    AsyncPartner,
    ConflictError,
    UnprocessableError,
)
from clearwindow.client.answers.base import Balance
from clearwindow.client.answers.settlements import Settlement, StagedSettlement
from clearwindow.simulator.exchange.accounts import Accounts, NetworkBalance
from clearwindow.simulator.exchange.calls import Finalization
from clearwindow.simulator.exchange.events import Emit, Event, Tone
from clearwindow.simulator.exchange.failures import TRANSIENT_ERRORS, reported_failures
from clearwindow.simulator.exchange.faults import Faults
from clearwindow.simulator.exchange.money import Denomination
from clearwindow.simulator.exchange.paging import MOST_IDS_IN_A_QUERY, PAGE_SIZE, in_queries
from clearwindow.simulator.exchange.rounds import Round, draw, expected_finals, required_funds
from clearwindow.simulator.market import Market, round_of

_ENDED: Final = frozenset({"completed", "rejected"})
_TONES: Final = {"completed": Tone.GOOD, "failed": Tone.BAD, "rejected": Tone.BAD}


@dataclass(frozen=True, slots=True)
class Plan:
    """When to settle, the prefix of external ids, and the faults.

    ``rounds`` is how many rounds to settle, None for no limit. A round with nothing to settle does not count.
    """

    prefix: str
    every_seconds: float
    faults: Faults
    rounds: int | None = None


class Settler:
    """Trades and settles in steps."""

    def __init__(
        self,
        partner: AsyncPartner,
        accounts: Accounts,
        market: Market,
        denomination: Denomination,
        plan: Plan,
        emit: Emit,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._partner = partner
        self._accounts = accounts
        self._market = market
        self._denomination = denomination
        self._plan = plan
        self._emit = emit
        self._now = now
        self._next_round = 1
        self._settled_rounds = 0
        self._unanswered: Round | None = None
        self._staged: dict[str, Round] = {}
        self._finalized_rounds: set[str] = set()
        self._ended: set[str] = set()
        self._open: dict[str, Settlement] = {}

    @property
    def is_done(self) -> bool:
        """Whether all planned rounds are settled."""
        return self._plan.rounds is not None and self._settled_rounds >= self._plan.rounds

    async def load_state(self) -> None:
        """Reads connections and settlements from the network, so that the exchange continues after a restart."""
        async for connection in self._partner.connections.list(page_size=PAGE_SIZE):
            self._accounts.open(
                connection.id,
                connection.client_id,
                own_client_id=connection.partners_client_id,
                own_connection_id=connection.partners_connection_id,
                opened_before_start=True,
            )
        await self._load_settlements()

    async def run(self) -> None:
        """Runs a step every ``every_seconds``. It may be cancelled at any point: the network keeps the state."""
        fields = {"connections": len(self._accounts), "nextRound": self._next_round, "open": len(self._open)}
        sentence = "{connections} connections, {open} open settlements, next round: {nextRound}".format(**fields)
        self._emit(Event("started", sentence, fields))
        was_done = False
        while True:
            await self.step()
            if self.is_done and not was_done:
                was_done = True
                self._emit(Event("rounds.done", f"{self._settled_rounds} rounds", {"rounds": self._settled_rounds}))
            await asyncio.sleep(self._plan.every_seconds)

    async def step(self) -> None:
        """Polls the open settlements, reads stale balances, then trades and settles a round."""
        with reported_failures(self._emit):
            await self._poll_settlements()
            await self._read_balances()
            if self._unanswered is None and not self.is_done:
                self._unanswered = self._draw_round()
            if self._unanswered is not None:
                await self._settle(self._unanswered)

    def check_finalization(self, finalization: Finalization) -> None:
        """Compares the final amounts with the staged amounts, and emits the result."""
        finals = {
            connection_id: self._read_amounts(net) for connection_id, net in finalization.settlement_amounts.items()
        }
        disputed = sorted({dispute.connection_id for dispute in finalization.disputes})
        staged = self._staged.get(finalization.external_id)
        agrees = None if staged is None else finals == expected_finals(staged.amounts, disputed)
        if staged is not None:
            self._finalized_rounds.add(finalization.external_id)
            self._drop_if_finished(finalization.external_id)
        pays = required_funds(finals)
        fields = {
            "settlementId": finalization.settlement_id,
            "externalId": finalization.external_id,
            "agrees": agrees,
            "disputed": disputed,
            "settlingDisputes": [dispute.id for dispute in finalization.settling_disputes],
            "demanded": pays,
            "topUpDeadline": finalization.top_up_deadline,
        }
        result = {None: "unknown settlement", True: "as staged", False: "DIFFERS FROM WHAT WAS STAGED"}[agrees]
        required = ", ".join(f"{amount} {name}" for name, amount in pays.items()) or "nothing"
        sentence = (
            f"{finalization.external_id}: {result}; {len(disputed)} disputed; "
            f"to pay: {required}, by {finalization.top_up_deadline}"
        )
        self._emit(Event("settlement.final", sentence, fields, Tone.BAD if agrees is False else Tone.GOOD))

    async def _load_settlements(self) -> None:
        """Finds the next round's number and the open settlements."""
        async for settlement in self._partner.settlements.list(page_size=PAGE_SIZE):
            number = round_of(settlement.external_id, self._plan.prefix)
            if number is not None:
                self._next_round = max(self._next_round, number + 1)
            if settlement.status not in _ENDED:
                self._open.setdefault(settlement.id, settlement)

    async def _poll_settlements(self) -> None:
        """Reads the statuses of the open settlements."""
        for some in in_queries(list(self._open)):
            async for settlement in self._partner.settlements.list(settlement_ids=some):
                self._record_status(settlement)

    def _record_status(self, settlement: Settlement) -> None:
        before = self._open.get(settlement.id)
        if before is None or settlement.status == before.status:
            return
        self._open[settlement.id] = settlement
        fields = {"settlementId": settlement.id, "externalId": settlement.external_id, "reason": settlement.reason}
        sentence = settlement.external_id + (f": {settlement.reason}" if settlement.reason else "")
        tone = _TONES.get(settlement.status, Tone.PLAIN)
        self._emit(Event(f"settlement.{settlement.status}", sentence, fields, tone))
        if settlement.status in _ENDED:
            del self._open[settlement.id]
            if settlement.external_id in self._staged:
                self._ended.add(settlement.external_id)
                self._drop_if_finished(settlement.external_id, is_rejected=settlement.status == "rejected")
            self._accounts.end(settlement.external_id)
            # It may also have settled earlier disputes on other connections.
            self._accounts.mark_stale()

    def _drop_if_finished(self, external_id: str, *, is_rejected: bool = False) -> None:
        """Drops a round that has ended and was finalized, in either order. A rejected one is never finalized."""
        if external_id in self._ended and (is_rejected or external_id in self._finalized_rounds):
            self._ended.discard(external_id)
            self._finalized_rounds.discard(external_id)
            del self._staged[external_id]

    async def _read_balances(self) -> None:
        stale = self._accounts.stale()
        if not stale:
            return
        wanted = {"connection_ids": list(stale)} if len(stale) <= MOST_IDS_IN_A_QUERY else {}
        balances = await self._partner.balances(page_size=PAGE_SIZE, **wanted)
        for connection_id, changes in stale.items():
            found = balances.network_balances.get(connection_id)
            known = {} if found is None else self._network_balances(found.balances)
            self._accounts.set_balances(connection_id, known, changes)

    def _network_balances(self, balances: Mapping[str, Balance]) -> dict[str, NetworkBalance]:
        """Returns balances in whole units, without currencies that are not traded here. They come in base units."""
        own = self._denomination
        return {
            own.own_name(name): NetworkBalance(own.whole(name, balance.available), own.whole(name, balance.held))
            for name, balance in balances.items()
            if name in own.names
        }

    def _read_amounts(self, amounts: Mapping[str, str | Decimal]) -> dict[str, Decimal]:
        """Returns the network's amounts in whole units, without currencies that are not traded here."""
        own = self._denomination
        return {own.own_name(name): own.read(name, amount) for name, amount in amounts.items() if name in own.names}

    def _draw_round(self) -> Round | None:
        """Draws the next round; None if no account has funds, or if there is nothing to settle."""
        ready = [account for account in self._accounts if not account.stale and any(account.allocated.values())]
        if not ready:
            return None
        drawn = draw(self._next_round, self._plan.prefix, ready, self._market, self._plan.faults, self._now())
        fields = {
            "round": drawn.number,
            "connections": len(drawn.amounts),
            "fills": drawn.fills,
            "withheld": list(drawn.withheld),
        }
        sentence = "round {round}: {fills} trades on {connections} connections".format(**fields)
        short = f", {len(drawn.withheld)} left out because not covered" if drawn.withheld else ""
        self._emit(Event("round.traded", sentence + short, fields))
        for connection_id in drawn.wrong:
            wrong = {"fault": "wrong-settlement", "round": drawn.number, "connectionId": connection_id}
            self._emit(
                Event("fault", f"wrong-settlement in round {drawn.number}: {connection_id}", wrong, Tone.NOTICE)
            )
        return self._hold_losses(drawn)

    def _hold_losses(self, drawn: Round) -> Round | None:
        """Reserves the losses of the round. If the round has no amounts, it ends, and the result is None."""
        if not drawn.amounts:
            self._finish(drawn)
            return None
        self._accounts.stage(drawn.external_id, drawn.amounts)
        self._staged[drawn.external_id] = drawn
        return drawn

    async def _settle(self, wanted: Round) -> None:
        """Stages the round. Repeats it without connections that are short, until the network accepts it."""
        pending: Round | None = wanted
        while pending is not None:
            self._unanswered = pending
            try:
                made = await self._stage(pending)
            except UnprocessableError as error:
                pending = self._without_uncovered(pending, error)
            except ConflictError as error:
                # Another process of this exchange has settled the round, perhaps one that crashed.
                await self._load_settlements()
                self._give_up(pending, error)
                return
            except TRANSIENT_ERRORS:
                raise
            except ApiError as error:
                self._give_up(pending, error)
                return
            else:
                self._record_staged(pending, made)
                return

    async def _stage(self, pending: Round) -> StagedSettlement:
        return await self._partner.settlements.create(
            external_id=pending.external_id,
            settlement_amounts={
                connection_id: {name: self._denomination.written(name, amount) for name, amount in net.items()}
                for connection_id, net in pending.amounts.items()
            },
            cutoff_at=pending.cutoff_at,
            nonce=pending.nonce,
        )

    def _record_staged(self, done: Round, made: StagedSettlement) -> None:
        self._open[made.id] = made
        self._settled_rounds += 1
        self._finish(done)
        settling = [dispute.id for dispute in made.settling_disputes]
        fields = {
            "settlementId": made.id,
            "externalId": made.external_id,
            "connections": len(done.amounts),
            "replayed": made.replayed,
            "settlingDisputes": settling,
        }
        disputes = f", with {len(settling)} closed disputes" if settling else ""
        replayed = " (an earlier request had arrived)" if made.replayed else ""
        sentence = f"{made.external_id}: {len(done.amounts)} connections{disputes}{replayed}"
        self._emit(Event("settlement.staged", sentence, fields, Tone.GOOD))

    def _without_uncovered(self, refused: Round, error: UnprocessableError) -> Round | None:
        """Returns the round without the connections that the network reports as short, and without their trades."""
        listed = error.details.get("shortfalls", [])
        short = {entry["connectionId"] for entry in listed} & refused.amounts.keys()
        self._accounts.end(refused.external_id)
        if not short:
            self._give_up(refused, error)
            return None
        fields = {"externalId": refused.external_id, "withheld": sorted(short)}
        sentence = f"{refused.external_id}: {len(short)} connections are left out because not covered"
        self._emit(Event("round.withheld", sentence, fields, Tone.NOTICE))
        return self._hold_losses(refused.without(short))

    def _give_up(self, refused: Round, error: ApiError) -> None:
        fields = {"externalId": refused.external_id, "name": error.name, "why": error.error}
        self._emit(Event("settlement.refused", f"{refused.external_id}: {error}", fields, Tone.BAD))
        self._accounts.end(refused.external_id)
        self._staged.pop(refused.external_id, None)
        self._finish(refused)

    def _finish(self, done: Round) -> None:
        self._unanswered = None
        self._next_round = max(self._next_round, done.number + 1)
