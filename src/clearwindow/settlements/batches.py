"""The due steps of many settlements of one partner, in one transaction with few statements. Protocol §5.

A batch takes only settlements whose steps nothing can change: nobody disputes them, they are not withdrawn and have
taken no closures, no attempt has failed, and the partner's account covers all of them in any order. ``execution``
takes every other one on its own. Both do the same, in the same order. What is paused is finalised and not executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from clearwindow.events.models import EventType
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import BalanceKey, Entry, EntryKind
from clearwindow.network.models import Partner
from clearwindow.pauses import store as pauses
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements import events, finalization, funding, rules, store
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.models import Candidate, Settlement, SettlementState
from clearwindow.settlements.transfers import store as transfers

MOST_SETTLEMENTS: Final = 500
"""With ``rules.BATCH_TRANSFERS``, this is meant to keep the partner locked for less than half a second."""
_FEWEST: Final = 2


def take(tx: Transaction, partner: Partner, most: int = MOST_SETTLEMENTS) -> int:
    """Takes the steps of a locked partner's first due settlements, up to the first that is no case for a batch.

    Returns how many settlements took a step: none, unless at least two can.
    """
    due = store.lock_due(tx, partner.id, most + 1)
    if len(due) < _FEWEST:
        return 0
    candidates = _candidates(tx, due)
    batch = rules.batch_of(candidates[:most], _available(tx, partner, candidates))
    if len(batch) < _FEWEST:
        return 0
    following = due[len(batch)] if len(batch) < len(due) else None
    opened = _finalise(tx, partner, batch)
    _execute(tx, partner, rules.executed_before(opened, following, tx.now()))
    return len(batch)


def _candidates(tx: Transaction, due: Sequence[Settlement]) -> list[Candidate]:
    ids = [settlement.id for settlement in due]
    with tx.together():
        # Whoever raises a dispute has locked a party: after this, all disputes of these settlements are seen.
        transfers.lock_parties_of(tx, ids)
        # After this, nothing more is paused until the batch has executed.
        asked_paused = pauses.ask_paused_settlements(tx, ids)
        asked_involved = disputes.involved_in_disputes(tx, ids)
        asked_sizes = transfers.sizes(tx, ids, rules.BATCH_TRANSFERS + 1)
    paused, involved, sizes = asked_paused(), asked_involved(), asked_sizes()
    net = transfers.nets_of(tx, [each for each, size in sizes.items() if size <= rules.BATCH_TRANSFERS])
    return [
        Candidate(
            settlement,
            transfers=sizes.get(settlement.id, 0),
            in_dispute=settlement.id in involved,
            paused=settlement.id in paused,
            change=funding.seen_by_partner(net.get(settlement.id, {})),
        )
        for settlement in due
    ]


def _available(tx: Transaction, partner: Partner, candidates: Sequence[Candidate]) -> dict[str, int]:
    """Locks the partner's balances and returns what it has available of each currency."""
    currencies = {currency for candidate in candidates for currency in candidate.change}
    locked = ledger.lock_balances(tx, [BalanceKey(partner.go_account_id, currency) for currency in currencies])
    return {key.currency: balance.available for key, balance in locked.items()}


def _finalise(tx: Transaction, partner: Partner, batch: Sequence[Candidate]) -> list[Candidate]:
    """Ends the dispute windows. Returns the batch as it is then."""
    now = tx.now()
    ended = [each.settlement for each in batch if each.settlement.state is SettlementState.DISPUTE_WINDOW]
    if not ended:
        return list(batch)
    due_at = {one.id: now if one.execute_when_funded else one.top_up_deadline_at for one in ended}
    final = store.change_states(tx, ended, SettlementState.TOP_UP_WINDOW, due_at=due_at)
    events.notify_all_of_each(tx, EventType.SETTLEMENT_FINALIZING, partner, final)
    finalization.owe_final_amounts_of_each(tx, partner, final)
    return rules.with_settlements(batch, final)


def _execute(tx: Transaction, partner: Partner, batch: Sequence[Candidate]) -> None:
    if not batch:
        return
    settlements = [each.settlement for each in batch]
    entries = [Entry(tx.new_id(), EntryKind.SETTLEMENT_EXECUTED, one.id, partner.id) for one in settlements]
    moves = transfers.runs([one.id for one in settlements])
    ledger.settle_each(tx, partner.id, entries, moves, partner.go_account_id)
    done = store.change_states(tx, settlements, SettlementState.COMPLETED, due_at={}, finalized_at=tx.now())
    events.notify_all_of_each(tx, EventType.SETTLEMENT_COMPLETED, partner, done, balances_changed=True)
    if any(quantity > 0 for each in batch for quantity in each.change.values()):
        funding.wake_waiting(tx, [partner.id])
