"""Forecasts as a settlement's partner and its clients may see them. Protocol §5, §6, §10.8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from clearwindow.core.errors import NotFoundError
from clearwindow.identity.models import Member
from clearwindow.ledger import store as ledger
from clearwindow.liquidity.forecasts import rules, store
from clearwindow.liquidity.forecasts.models import (
    Account,
    DisputesAre,
    Forecast,
    SettlementForecast,
    Step,
)
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.network.models import Partner
from clearwindow.postgres.paging import Slice
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import store as settlements
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.models import Settlement, SettlementState
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import NO_OBJECTIONS, Objections
from clearwindow.standing_top_ups import use

MOST_SETTLEMENTS: Final = 1_000
"""How many open settlements of a partner a forecast looks at, those with the earliest deadlines."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """The disputes of a settlement that were not retracted.

    Attributes:
        stopped: the connections whose clients dispute, also where the dispute is closed.
        own: the connections of the reader's part.
    """

    stopped: Sequence[UUID]
    objections: Objections
    own: frozenset[UUID]

    @property
    def open_count(self) -> int:
        """How many disputes of the reader's part have no approved closure."""
        return len(self.own.intersection(self.objections.standing.values()))

    def without_own(self) -> _Standing:
        """Returns the disputes that are left if those of the reader's part are retracted."""
        left = {
            one: connection for one, connection in self.objections.standing.items() if connection not in self.own
        }
        stopped = [each for each in self.stopped if each not in self.own]
        return replace(self, stopped=stopped, objections=Objections(left, self.objections.upheld))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The part of a settlement's balances that a reader wants: of the connections ``among``, or of all."""

    settlement: Settlement
    standing: _Standing
    among: Sequence[UUID] | None
    part: Slice


def for_partner(
    runtime: Runtime, member: Member, settlement_id: UUID | None, among: Sequence[UUID] | None, part: Slice
) -> SettlementForecast:
    """Returns what happens to the partner's settlement if nothing changes, with its account.

    Of the balances, it has the wanted part of those ``among`` these connections, or of all if that is None.

    Raises:
        NotFoundError: the settlement is not the partner's.
    """
    with runtime.transaction() as tx:
        tx.read_one_snapshot()
        partner = parties.require_partner(tx, member.enterprise_id)
        settlement = settlements.require(tx, settlement_id)
        if settlement.partner_id != partner.id:
            raise _not_found()
        standing = _standing(tx, settlement, None)
        wanted = _Wanted(settlement, standing, among, part)
        considered, forecasts = 0, []
        for case in _cases(settlement, standing):
            undisputed = [settlement.id] if case is DisputesAre.RETRACTED else []
            steps, account, considered = _of_account(tx, partner, settlement, undisputed)
            forecasts.append(_forecast(tx, wanted, case, steps, account))
        return SettlementForecast(
            settlement,
            tx.now(),
            open_disputes=standing.open_count,
            considered=min(considered, MOST_SETTLEMENTS),
            whole=considered <= MOST_SETTLEMENTS,
            forecasts=forecasts,
        )


def for_client(runtime: Runtime, member: Member, settlement_id: UUID | None, part: Slice) -> SettlementForecast:
    """Returns what happens to the client's part of a settlement, if its partner has the money.

    Raises:
        NotFoundError: no connection of the client is in the settlement.
    """
    with runtime.transaction() as tx:
        tx.read_one_snapshot()
        client = parties.require_client(tx, member.enterprise_id)
        settlement = settlements.require(tx, settlement_id)
        own = transfers.party_connections(tx, settlement.id, list(network.connections_of_client(tx, client.id)))
        if not own:
            raise _not_found()
        standing = _standing(tx, settlement, own)
        wanted = _Wanted(settlement, standing, own, part)
        steps = rules.steps_for_client(settlement, tx.now())
        forecasts = [_forecast(tx, wanted, case, steps) for case in _cases(settlement, standing)]
        return SettlementForecast(
            settlement, tx.now(), standing.open_count, considered=0, whole=True, forecasts=forecasts
        )


def _standing(tx: Transaction, settlement: Settlement, own: Sequence[UUID] | None) -> _Standing:
    if settlement.withdrawn_at is not None:
        # Its disputes have ended with its own transfers.
        return _Standing([], NO_OBJECTIONS, frozenset())
    stopped = store.stopped_connections(tx, settlement.id)
    return _Standing(stopped, disputes.objections(tx, settlement.id), frozenset(stopped if own is None else own))


def _cases(settlement: Settlement, standing: _Standing) -> list[DisputesAre]:
    """Returns what is forecast: after the window, no dispute can be retracted any more."""
    if not rules.has_steps(settlement):
        return []
    if settlement.state is SettlementState.DISPUTE_WINDOW and standing.open_count:
        return [DisputesAre.STANDING, DisputesAre.RETRACTED]
    return [DisputesAre.STANDING]


def _of_account(
    tx: Transaction, partner: Partner, settlement: Settlement, undisputed: Sequence[UUID]
) -> tuple[list[Step], list[Account], int]:
    """Returns the steps, the partner's account, and how many open settlements there are, up to one too many."""
    limit = MOST_SETTLEMENTS + 1
    found = store.pending_of_partner(tx, partner.id, first=settlement.id, limit=limit, undisputed=undisputed)
    pending = found[:MOST_SETTLEMENTS]
    balances = ledger.balances_of(tx, [partner.go_account_id])[partner.go_account_id]
    available = {currency: balance.available for currency, balance in balances.items()}
    sources = use.seen_usable(tx, partner)
    steps = rules.foresee(pending, available, tx.now(), settlement.id, sources)
    change = next(one.change for one in pending if one.id == settlement.id)
    return steps, _account(tx, settlement, change, available), len(found)


def _account(
    tx: Transaction, settlement: Settlement, change: Mapping[str, int], available: Mapping[str, int]
) -> list[Account]:
    most = {currency: max(0, -quantity) for currency, quantity in change.items()}
    if settlement.state is SettlementState.DISPUTE_WINDOW:
        most |= store.most_needed(tx, [settlement.id])[settlement.id]
    return [
        Account(currency, change.get(currency, 0), available.get(currency, 0), needed)
        for currency, needed in sorted(most.items())
    ]


def _forecast(
    tx: Transaction, wanted: _Wanted, case: DisputesAre, steps: Sequence[Step], account: Sequence[Account] = ()
) -> Forecast:
    seen = wanted.standing.without_own() if case is DisputesAre.RETRACTED else wanted.standing
    page = store.stakes(tx, wanted.settlement, seen.objections, wanted.among, wanted.part, seen.stopped)
    return Forecast(case, steps, account, page)


def _not_found() -> NotFoundError:
    return NotFoundError("settlement_not_found", "there is no such settlement")
