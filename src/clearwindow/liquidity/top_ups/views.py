"""The top-ups of a partner's account. Protocol §5."""

from __future__ import annotations

from dataclasses import replace

from clearwindow.identity.models import Member
from clearwindow.ledger import store as ledger
from clearwindow.liquidity.forecasts import store as forecasts
from clearwindow.liquidity.forecasts.models import Pending
from clearwindow.liquidity.forecasts.views import MOST_SETTLEMENTS
from clearwindow.liquidity.top_ups import rules
from clearwindow.liquidity.top_ups.models import TopUps
from clearwindow.network import parties
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements.models import SettlementState
from clearwindow.standing_top_ups import use


def of_partner(runtime: Runtime, member: Member, *, worst_case: bool) -> TopUps:
    """Returns what must be topped up on the partner's account.

    ``worst_case``: every client disputes what it would lose, as long as it can.
    """
    with runtime.transaction() as tx:
        tx.read_one_snapshot()
        partner = parties.require_partner(tx, member.enterprise_id)
        found = forecasts.pending_of_partner(tx, partner.id, limit=MOST_SETTLEMENTS + 1)
        pending = found[:MOST_SETTLEMENTS]
        if worst_case:
            pending = _at_worst(tx, pending)
        balances = ledger.balances_of(tx, [partner.go_account_id])[partner.go_account_id]
        available = {currency: balance.available for currency, balance in balances.items()}
        return TopUps(
            go_account_id=partner.go_account_id,
            as_of=tx.now(),
            needed=rules.needed(pending, available, tx.now(), use.seen_usable(tx, partner)),
            external_ids={one.id: one.external_id for one in pending},
            considered=len(pending),
            whole=len(found) <= MOST_SETTLEMENTS,
        )


def _at_worst(tx: Transaction, pending: list[Pending]) -> list[Pending]:
    """Returns the settlements with the least that those in their dispute window can do for the account."""
    open_ids = [one.id for one in pending if one.state is SettlementState.DISPUTE_WINDOW]
    most = forecasts.most_needed(tx, open_ids)
    return [
        replace(one, change={currency: -quantity for currency, quantity in most[one.id].items()})
        if one.id in most
        else one
        for one in pending
    ]
