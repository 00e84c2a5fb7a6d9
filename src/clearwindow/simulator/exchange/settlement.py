"""Settling the rounds of the market, with nothing but the SDK.

A step never leaves the exchange in doubt about what it has asked for: a round whose answer was lost is sent again,
the same to the byte, before anything new is traded; one that is not covered is sent without those who are short.
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
from clearwindow.client.answers.base import PartnerBalance
from clearwindow.client.answers.settlements import Settlement, StagedSettlement
from clearwindow.sandbox.exchange.accounts import Accounts, NetworkBalance
from clearwindow.sandbox.exchange.calls import Finalization
from clearwindow.sandbox.exchange.events import Event, Say, Tone
from clearwindow.sandbox.exchange.failures import MAY_PASS, survived
from clearwindow.sandbox.exchange.faults import Faults
from clearwindow.sandbox.exchange.money import Denomination
from clearwindow.sandbox.exchange.rounds import Round, demanded, draw, expected_finals
from clearwindow.sandbox.market import Market, round_of

_PAGE_SIZE: Final = 500
_MOST_IDS_IN_A_QUERY: Final = 50
_ENDED: Final = frozenset({"completed", "rejected"})
_TONES: Final = {"completed": Tone.GOOD, "failed": Tone.BAD, "rejected": Tone.BAD}


@dataclass(frozen=True, slots=True)
class Plan:
    """When to settle, under which names, and what shall go wrong.

    ``rounds`` is how many to settle, None for no end; one of which nothing could be settled does not count.
    """

    prefix: str
    every_seconds: float
    faults: Faults
    rounds: int | None = None


class Settler:
    """Trades and settles, a step at a time."""

    def __init__(
        self,
        partner: AsyncPartner,
        accounts: Accounts,
        market: Market,
        denomination: Denomination,
        plan: Plan,
        say: Say,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._partner = partner
        self._accounts = accounts
        self._market = market
        self._denomination = denomination
        self._plan = plan
        self._say = say
        self._now = now
        self._next_round = 1
        self._settled_rounds = 0
        self._unanswered: Round | None = None
        self._staged: dict[str, Round] = {}
        self._told_final: set[str] = set()
        self._ended: set[str] = set()
        self._open: dict[str, Settlement] = {}

    @property
    def is_done(self) -> bool:
        """Whether all rounds of the plan were settled."""
        return self._plan.rounds is not None and self._settled_rounds >= self._plan.rounds

    async def learn(self) -> None:
        """What the network knows of us: so an exchange that has forgotten everything goes on where it was."""
        async for connection in self._partner.connections.list(page_size=_PAGE_SIZE):
            self._accounts.open(
                connection.id,
                connection.client_id,
                own_client_id=connection.partners_client_id,
                own_connection_id=connection.partners_connection_id,
                is_older=True,
            )
        await self._learn_settlements()

    async def run(self) -> None:
        """A step every so many seconds. May be cancelled anywhere: the network knows what it was asked for."""
        fields = {"connections": len(self._accounts), "nextRound": self._next_round, "open": len(self._open)}
        said = "{connections} connections, {open} settlements under way, round {nextRound} is next".format(**fields)
        self._say(Event("started", said, fields))
        was_done = False
        while True:
            await self.step()
            if self.is_done and not was_done:
                was_done = True
                self._say(Event("rounds.done", f"{self._settled_rounds} rounds", {"rounds": self._settled_rounds}))
            await asyncio.sleep(self._plan.every_seconds)

    async def step(self) -> None:
        """Looks how settlements stand, reads anew what is unsure, then trades and settles a round."""
        with survived(self._say):
            await self._watch()
            await self._read_balances()
            if self._unanswered is None and not self.is_done:
                self._unanswered = self._trade()
            if self._unanswered is not None:
                await self._settle(self._unanswered)

    def finalized(self, told: Finalization) -> None:
        """Holds what the network says is final against what was staged."""
        finals = {connection_id: self._in_own_terms(net) for connection_id, net in told.settlement_amounts.items()}
        disputed = sorted({dispute.connection_id for dispute in told.disputes})
        staged = self._staged.get(told.external_id)
        agrees = None if staged is None else finals == expected_finals(staged.amounts, disputed)
        if staged is not None:
            self._told_final.add(told.external_id)
            self._forget_if_over(told.external_id)
        pays = demanded(finals)
        fields = {
            "settlementId": told.settlement_id,
            "externalId": told.external_id,
            "agrees": agrees,
            "disputed": disputed,
            "settlingDisputes": [dispute.id for dispute in told.settling_disputes],
            "demanded": pays,
            "topUpDeadline": told.top_up_deadline,
        }
        verdict = {None: "not known here any more", True: "as staged", False: "NOT WHAT WAS STAGED"}[agrees]
        owed = ", ".join(f"{amount} {name}" for name, amount in pays.items()) or "nothing"
        said = f"{told.external_id}: {verdict}; {len(disputed)} disputed; we pay {owed} by {told.top_up_deadline}"
        self._say(Event("settlement.final", said, fields, Tone.BAD if agrees is False else Tone.GOOD))

    async def _learn_settlements(self) -> None:
        """The last of our rounds, and what is still under way."""
        async for settlement in self._partner.settlements.list(page_size=_PAGE_SIZE):
            number = round_of(settlement.external_id, self._plan.prefix)
            if number is not None:
                self._next_round = max(self._next_round, number + 1)
            if settlement.status not in _ENDED:
                self._open.setdefault(settlement.id, settlement)

    async def _watch(self) -> None:
        """Notices what has become of settlements that are under way."""
        ids = list(self._open)
        for start in range(0, len(ids), _MOST_IDS_IN_A_QUERY):
            some = ids[start : start + _MOST_IDS_IN_A_QUERY]
            async for settlement in self._partner.settlements.list(settlement_ids=some):
                self._note(settlement)

    def _note(self, settlement: Settlement) -> None:
        before = self._open.get(settlement.id)
        if before is None or settlement.status == before.status:
            return
        self._open[settlement.id] = settlement
        fields = {"settlementId": settlement.id, "externalId": settlement.external_id, "reason": settlement.reason}
        said = settlement.external_id + (f": {settlement.reason}" if settlement.reason else "")
        tone = _TONES.get(settlement.status, Tone.PLAIN)
        self._say(Event(f"settlement.{settlement.status}", said, fields, tone))
        if settlement.status in _ENDED:
            del self._open[settlement.id]
            if settlement.external_id in self._staged:
                self._ended.add(settlement.external_id)
                self._forget_if_over(settlement.external_id, is_rejected=settlement.status == "rejected")
            self._accounts.end(settlement.external_id)
            # It may have settled earlier disputes too, on connections that are not in it.
            self._accounts.doubt()

    def _forget_if_over(self, external_id: str, *, is_rejected: bool = False) -> None:
        """Lets a round go that has ended and was told final, whichever came first; one rejected is never final."""
        if external_id in self._ended and (is_rejected or external_id in self._told_final):
            self._ended.discard(external_id)
            self._told_final.discard(external_id)
            del self._staged[external_id]

    async def _read_balances(self) -> None:
        unsure = self._accounts.unsure()
        if not unsure:
            return
        wanted = {"connection_ids": list(unsure)} if len(unsure) <= _MOST_IDS_IN_A_QUERY else {}
        balances = await self._partner.balances(page_size=_PAGE_SIZE, **wanted)
        for connection_id, changes in unsure.items():
            found = balances.network_balances.get(connection_id)
            known = {} if found is None else self._known(found.balances)
            self._accounts.adopt(connection_id, known, changes)

    def _known(self, balances: Mapping[str, PartnerBalance]) -> dict[str, NetworkBalance]:
        available = self._in_own_terms({name: balance.available for name, balance in balances.items()})
        held = self._in_own_terms({name: balance.held for name, balance in balances.items()})
        return {name: NetworkBalance(available[name], held[name]) for name in available}

    def _in_own_terms(self, amounts: Mapping[str, str | Decimal]) -> dict[str, Decimal]:
        """What the network tells, in whole units; currencies that are not traded here are left alone."""
        own = self._denomination
        return {own.own_name(name): own.read(name, amount) for name, amount in amounts.items() if name in own.names}

    def _trade(self) -> Round | None:
        """The next round; None where nobody has anything to trade with, or nothing to settle comes of it."""
        ready = [account for account in self._accounts if not account.unsure and any(account.allocated.values())]
        if not ready:
            return None
        drawn = draw(self._next_round, self._plan.prefix, ready, self._market, self._plan.faults, self._now())
        fields = {
            "round": drawn.number,
            "connections": len(drawn.amounts),
            "fills": drawn.fills,
            "withheld": list(drawn.withheld),
        }
        said = "round {round}: {fills} trades on {connections} connections".format(**fields)
        short = f", {len(drawn.withheld)} not covered and left out" if drawn.withheld else ""
        self._say(Event("round.traded", said + short, fields))
        for connection_id in drawn.wrong:
            wrong = {"fault": "wrong-settlement", "round": drawn.number, "connectionId": connection_id}
            self._say(
                Event("fault", f"wrong-settlement in round {drawn.number}: {connection_id}", wrong, Tone.NOTICE)
            )
        return self._stageable(drawn)

    def _stageable(self, drawn: Round) -> Round | None:
        """The round with its losses kept back; None, and the round is over, where nothing is left of it."""
        if not drawn.amounts:
            self._finish(drawn)
            return None
        self._accounts.stage(drawn.external_id, drawn.amounts)
        self._staged[drawn.external_id] = drawn
        return drawn

    async def _settle(self, wanted: Round) -> None:
        """Stages the round, without those who turn out to be short, until the network takes it."""
        pending: Round | None = wanted
        while pending is not None:
            self._unanswered = pending
            try:
                made = await self._stage(pending)
            except UnprocessableError as error:
                pending = self._shorter(pending, error)
            except ConflictError as error:
                # Another process of this exchange, or one before a crash, has settled the round.
                await self._learn_settlements()
                self._give_up(pending, error)
                return
            except MAY_PASS:
                raise
            except ApiError as error:
                self._give_up(pending, error)
                return
            else:
                self._staged_well(pending, made)
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

    def _staged_well(self, done: Round, made: StagedSettlement) -> None:
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
        carried = f", with {len(settling)} disputes that ended" if settling else ""
        again = " (it had come through before)" if made.replayed else ""
        said = f"{made.external_id}: {len(done.amounts)} connections{carried}{again}"
        self._say(Event("settlement.staged", said, fields, Tone.GOOD))

    def _shorter(self, refused: Round, error: UnprocessableError) -> Round | None:
        """The round without the connections that the network says are short; their trades did not take place."""
        listed = error.details.get("shortfalls", [])
        short = {entry["connectionId"] for entry in listed} & refused.amounts.keys()
        self._accounts.end(refused.external_id)
        if not short:
            self._give_up(refused, error)
            return None
        fields = {"externalId": refused.external_id, "withheld": sorted(short)}
        said = f"{refused.external_id}: {len(short)} connections are not covered and are left out"
        self._say(Event("round.withheld", said, fields, Tone.NOTICE))
        return self._stageable(refused.without(short))

    def _give_up(self, refused: Round, error: ApiError) -> None:
        fields = {"externalId": refused.external_id, "name": error.name, "why": error.error}
        self._say(Event("settlement.refused", f"{refused.external_id}: {error}", fields, Tone.BAD))
        self._accounts.end(refused.external_id)
        self._staged.pop(refused.external_id, None)
        self._finish(refused)

    def _finish(self, done: Round) -> None:
        self._unanswered = None
        self._next_round = max(self._next_round, done.number + 1)
