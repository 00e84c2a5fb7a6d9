"""What happens to an on-chain settlement: payments are handed over, confirmed and retried; its end. Protocol §7.

A step is two transactions with the calls to the chain between them. The first records the payments before they are
handed over, the second the chain's reports. If a worker dies between the two, the next one hands over the same
payments again, and the chain pays them once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from clearwindow.core.clock import wire_time
from clearwindow.core.ids import NIL
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.identity import audit
from clearwindow.identity.acts import Scene
from clearwindow.identity.models import Operator
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import BalanceKey, Entry, EntryKind, Movement
from clearwindow.network import parties
from clearwindow.network.models import Partner
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import events
from clearwindow.settlements import store as settlements
from clearwindow.settlements.models import DueSettlement, Settlement, SettlementState
from clearwindow.settlements.onchain import deposits, initiation, rules, store
from clearwindow.settlements.onchain.chain import Chain, ChainState, Payment, PaymentReport, Side
from clearwindow.settlements.onchain.models import Paid, Phase, Progress, Tally
from clearwindow.settlements.onchain.rules import Step


def advance(runtime: Runtime, chain: Chain, due: DueSettlement) -> bool:
    """Takes the next step of a due settlement. Returns False if another worker takes it."""
    payments = _record_payments(runtime, due)
    if payments is None:
        return False
    reports: list[PaymentReport] = []
    if payments:
        chain.pay(payments)
        reports = chain.payments([payment.id for payment in payments])
    _record_reports(runtime, due, reports)
    return True


def _record_payments(runtime: Runtime, due: DueSettlement) -> list[Payment] | None:
    """Returns the recorded payments that the chain must have. None: another worker has the step."""
    with runtime.transaction() as tx:
        partner = parties.claim_partner(tx, due.partner_id)
        if partner is None:
            return None
        settlement = settlements.lock(tx, due.id)
        now = tx.now()
        if settlement.due_at is None or settlement.due_at > now:
            return None
        progress = store.progress(tx, settlement.id)
        settlement = _alert(tx, partner, settlement, progress)
        if settlement.state is not SettlementState.ONCHAIN:
            return []
        settlements.claim_step(tx, settlement.id, now + timedelta(seconds=rules.CLAIM_SECONDS))
        if progress.phase is not Phase.DEPOSITS:
            room = rules.PAYMENTS_UNDER_WAY - store.count_under_way(tx, settlement.id)
            store.initiate(tx, settlement.id, rules.side_of(progress.phase), room)
        return store.payments_under_way(tx, settlement.id, settlement.rt_id, rules.PAYMENTS_UNDER_WAY)


def _record_reports(runtime: Runtime, due: DueSettlement, reports: Sequence[PaymentReport]) -> None:
    """Records the chain's reports, moves the money of confirmed payments, and takes all steps that this allows."""
    with runtime.transaction() as tx:
        partner = parties.lock_partner(tx, due.partner_id)
        settlement = settlements.lock(tx, due.id)
        if settlement.state in (SettlementState.COMPLETED, SettlementState.REJECTED):
            return
        by_state: dict[ChainState, list[PaymentReport]] = {state: [] for state in ChainState}
        for report in reports:
            by_state[report.state].append(report)
        store.record_transaction_ids(tx, by_state[ChainState.PENDING])
        store.fail(tx, settlement.id, by_state[ChainState.FAILED])
        paid = store.complete(tx, settlement.id, by_state[ChainState.CONFIRMED])
        _move(tx, partner, settlement, paid)
        _proceed(tx, partner, settlement)


def _move(tx: Transaction, partner: Partner, settlement: Settlement, paid: Sequence[Paid]) -> None:
    losses = {
        BalanceKey(row.network_account_id, row.currency): row.quantity for row in paid if row.side is Side.LOSS
    }
    gains = {
        BalanceKey(row.network_account_id, row.currency): row.quantity for row in paid if row.side is Side.GAIN
    }
    if losses:
        entry = Entry(tx.new_id(), EntryKind.ONCHAIN_LOSS_PAID, settlement.id, partner.id)
        taken = [Movement(key, held=-quantity) for key, quantity in losses.items()]
        given = [
            Movement(BalanceKey(NIL, currency), available=total) for currency, total in _by_currency(losses).items()
        ]
        _post(tx, entry, [*taken, *given], losses)
    if gains:
        entry = Entry(tx.new_id(), EntryKind.ONCHAIN_GAIN_PAID, settlement.id, partner.id)
        sources = {BalanceKey(partner.go_account_id, c): total for c, total in _by_currency(gains).items()}
        taken = [Movement(key, held=-total) for key, total in sources.items()]
        given = [Movement(key, available=quantity) for key, quantity in gains.items()]
        _post(tx, entry, [*taken, *given], sources)


def _post(
    tx: Transaction, entry: Entry, movements: Sequence[Movement], from_holds: Mapping[BalanceKey, int]
) -> None:
    ledger.lock_balances(tx, [movement.key for movement in movements])
    ledger.post(tx, entry, movements)
    ledger.reduce_holds(tx, entry.cause_id, from_holds)


def _by_currency(quantities: Mapping[BalanceKey, int]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for key, quantity in quantities.items():
        totals[key.currency] = totals.get(key.currency, 0) + quantity
    return totals


def _proceed(tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    """Takes steps until the settlement must wait or has ended."""
    progress = store.progress(tx, settlement.id)
    while True:
        tallies = store.tallies(tx, settlement.id)
        gains = store.gains(tx, settlement.id)
        deposited = deposits.confirmed_quantities(store.confirmed_deposits(tx, settlement.id))
        gaps = rules.funding_gaps(gains, deposited)
        step = rules.next_step(progress.phase, tallies, funded=not gaps)
        if settlement.state is SettlementState.FAILED or step is Step.WAIT:
            _wait(tx, settlement, progress, tallies)
            return
        if step is Step.COMPLETE:
            done = settlements.change_state(
                tx, settlement, SettlementState.COMPLETED, due_at=None, finalized_at=tx.now()
            )
            events.notify_all(tx, EventType.SETTLEMENT_COMPLETED, partner, done, balances_changed=True)
            return
        if step is Step.FAIL:
            _fail(tx, partner, settlement, progress, tallies)
            return
        if step is Step.TAKE_DEPOSITS:
            progress = store.change_phase(tx, progress, Phase.DEPOSITS)
            if gaps:
                events.notify_partner(tx, EventType.SETTLEMENT_TOP_UP_REQUIRED, partner, settlement, gaps)
        else:
            deposits.spend_on_gains(tx, partner, settlement, gains)
            progress = store.change_phase(tx, progress, Phase.GAINS)


def _wait(tx: Transaction, settlement: Settlement, progress: Progress, tallies: Mapping[Side, Tally]) -> None:
    alerts = [at for at in rules.coming_alerts(settlement, progress, tallies).values() if at is not None]
    if settlement.state is SettlementState.FAILED:
        settlements.set_due(tx, settlement.id, min(alerts, default=None))
        return
    due_at = rules.next_look_at(tx.now(), progress.phase, tallies[rules.side_of(progress.phase)], alerts)
    settlements.set_due(tx, settlement.id, due_at)


def _fail(
    tx: Transaction, partner: Partner, settlement: Settlement, progress: Progress, tallies: Mapping[Side, Tally]
) -> None:
    """Fails a settlement whose remaining transfers of a side have all failed too often."""
    side = rules.side_of(progress.phase)
    failure = store.last_failure(tx, settlement.id, side)
    reason = rules.failure_reason(side, tallies[side].exhausted, failure)
    alerts = [at for at in rules.coming_alerts(settlement, progress, tallies).values() if at is not None]
    due_at = min(alerts, default=None)
    failed = settlements.change_state(tx, settlement, SettlementState.FAILED, due_at=due_at, reason=reason)
    events.notify_all(tx, EventType.SETTLEMENT_FAILED, partner, failed)


def _alert(tx: Transaction, partner: Partner, settlement: Settlement, progress: Progress) -> Settlement:
    """Alerts the partner, once for each side, that a side is close to its promised end."""
    sides = rules.alerts_due(tx.now(), settlement, progress, store.tallies(tx, settlement.id))
    if not sides:
        return settlement
    settlements.mark_sla_alerts(tx, settlement.id, loss=Side.LOSS in sides, gain=Side.GAIN in sides)
    until = {Side.LOSS: progress.loss_sla_at, Side.GAIN: progress.gain_sla_at}
    for side in sides:
        breach_at = until[side]
        payload = events.head(settlement) | {
            "side": side.value,
            "slaAt": wire_time(breach_at) if breach_at else None,
        }
        outbox.record(tx, [Event(EventType.SETTLEMENT_SLA_ALERT, partner.enterprise_id, settlement.id, payload)])
    return settlements.lock(tx, settlement.id)


def retry(runtime: Runtime, operator: Operator, settlement_id: UUID, reason: str | None) -> Settlement:
    """Sends failed transfers again at once. Transfers under way stay as they are."""
    with runtime.transaction() as tx:
        _, settlement = _lock(tx, settlement_id)
        if settlement.state is SettlementState.FAILED:
            settlement = initiation.retry(tx, settlement)
        elif settlement.state is SettlementState.ONCHAIN:
            if store.retry_failed(tx, settlement.id) == 0:
                return settlement
            settlements.set_due(tx, settlement.id, tx.now())
            settlement = settlements.lock(tx, settlement.id)
        else:
            rules.require_open(settlement)
        audit.record(tx, operator, "settlement.retry", settlement.id, reason=reason)
        return settlement


def reject(scene: Scene, settlement_id: UUID, reason: str) -> Settlement:
    """Ends a settlement without transactions on the chain and releases what it and its deposits hold.

    Raises:
        ConflictError: the chain has a transaction that did not fail, or the settlement has ended.
    """
    tx = scene.tx
    partner, settlement = _lock(tx, settlement_id)
    if settlement.state is SettlementState.REJECTED:
        return settlement
    rules.require_rejectable(settlement, store.tallies(tx, settlement.id).values())
    deposits.release(tx, partner, settlement.id)
    ledger.release_holds(tx, Entry(tx.new_id(), EntryKind.SETTLEMENT_REJECTED, settlement.id, partner.id))
    now = tx.now()
    ended = settlements.change_state(
        tx, settlement, SettlementState.REJECTED, due_at=None, reason=reason, finalized_at=now
    )
    events.notify_all(tx, EventType.SETTLEMENT_REJECTED, partner, ended, balances_changed=True)
    audit.record(tx, scene.operator, "settlement.reject", settlement.id, reason=reason)
    return ended


def _lock(tx: Transaction, settlement_id: UUID) -> tuple[Partner, Settlement]:
    found = settlements.require(tx, settlement_id)
    partner = parties.lock_partner(tx, found.partner_id)
    return partner, settlements.lock(tx, found.id)
