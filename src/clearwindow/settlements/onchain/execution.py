"""The course of an on-chain settlement: payments handed over, confirmed, retried; its end. Protocol §7.

One step is two transactions with the chain's calls between them. The first writes down what is about to be handed
over; the second what the chain says. Whoever dies in between leaves payments that the chain may or may not have:
the next worker hands over the very same ones again, which the chain pays once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from clearwindow.access.values import Operator
from clearwindow.accounts import batches
from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import BalanceKey, Entry, EntryKind, Movement
from clearwindow.audit import service as audit
from clearwindow.clock import wire_time
from clearwindow.database.pool import Transaction
from clearwindow.ids import NIL
from clearwindow.network import lookups
from clearwindow.network import service as network
from clearwindow.network.values import Partner
from clearwindow.notices import service as notices
from clearwindow.notices.values import Event, EventType
from clearwindow.onchain import depositing, initiating, rules, store
from clearwindow.onchain.chain import Chain, ChainState, Payment, PaymentReport, Side
from clearwindow.onchain.rules import Step
from clearwindow.onchain.values import Course, Paid, Phase, Tally
from clearwindow.runtime import Runtime
from clearwindow.settlements import notifying
from clearwindow.settlements import service as settlements
from clearwindow.settlements.values import DueSettlement, Settlement, SettlementState


def advance(runtime: Runtime, chain: Chain, due: DueSettlement) -> bool:
    """Takes the next step of a settlement whose time has come; False where another worker takes it."""
    payments = _write_down(runtime, due)
    if payments is None:
        return False
    reports: list[PaymentReport] = []
    if payments:
        chain.pay(payments)
        reports = chain.payments([payment.id for payment in payments])
    _note(runtime, due, reports)
    return True


def _write_down(runtime: Runtime, due: DueSettlement) -> list[Payment] | None:
    """The payments that the chain must have, written down first; None where another worker has the step."""
    with runtime.transaction() as tx:
        partner = lookups.try_lock_partner(tx, due.partner_id)
        if partner is None:
            return None
        settlement = settlements.lock(tx, due.id)
        now = tx.now()
        if settlement.due_at is None or settlement.due_at > now:
            return None
        course = store.course(tx, settlement.id)
        settlement = _alert(tx, partner, settlement, course)
        if settlement.state is not SettlementState.ONCHAIN:
            return []
        settlements.claim_step(tx, settlement.id, now + timedelta(seconds=rules.CLAIM_SECONDS))
        if course.phase is not Phase.DEPOSITS:
            room = rules.PAYMENTS_UNDER_WAY - store.count_under_way(tx, settlement.id)
            store.initiate(tx, settlement.id, rules.side_of(course.phase), room)
        return store.payments_under_way(tx, settlement.id, settlement.rt_id, rules.PAYMENTS_UNDER_WAY)


def _note(runtime: Runtime, due: DueSettlement, reports: Sequence[PaymentReport]) -> None:
    """Writes down what the chain says, moves the money that it moved, and goes on as far as that allows."""
    with runtime.transaction() as tx:
        partner = network.lock_partner(tx, due.partner_id)
        settlement = settlements.lock(tx, due.id)
        if settlement.state in (SettlementState.COMPLETED, SettlementState.REJECTED):
            return
        of: dict[ChainState, list[PaymentReport]] = {state: [] for state in ChainState}
        for report in reports:
            of[report.state].append(report)
        store.name_transactions(tx, of[ChainState.PENDING])
        store.fail(tx, settlement.id, of[ChainState.FAILED])
        paid = store.complete(tx, settlement.id, of[ChainState.CONFIRMED])
        _move(runtime, tx, partner, settlement, paid)
        _proceed(runtime, tx, partner, settlement)


def _move(
    runtime: Runtime, tx: Transaction, partner: Partner, settlement: Settlement, paid: Sequence[Paid]
) -> None:
    losses = {
        BalanceKey(row.network_account_id, row.currency): int(row.quantity) for row in paid if row.side == Side.LOSS
    }
    gains = {
        BalanceKey(row.network_account_id, row.currency): int(row.quantity) for row in paid if row.side == Side.GAIN
    }
    if losses:
        entry = Entry(runtime.ids.new(), EntryKind.ONCHAIN_LOSS_PAID, settlement.id, partner.id)
        taken = [Movement(key, held=-quantity) for key, quantity in losses.items()]
        given = [
            Movement(BalanceKey(NIL, currency), available=total) for currency, total in _by_currency(losses).items()
        ]
        _post(tx, entry, [*taken, *given], losses)
    if gains:
        entry = Entry(runtime.ids.new(), EntryKind.ONCHAIN_GAIN_PAID, settlement.id, partner.id)
        sources = {BalanceKey(partner.go_account_id, c): total for c, total in _by_currency(gains).items()}
        taken = [Movement(key, held=-total) for key, total in sources.items()]
        given = [Movement(key, available=quantity) for key, quantity in gains.items()]
        _post(tx, entry, [*taken, *given], sources)


def _post(
    tx: Transaction, entry: Entry, movements: Sequence[Movement], from_holds: Mapping[BalanceKey, int]
) -> None:
    accounts.lock_balances(tx, [movement.key for movement in movements])
    accounts.post(tx, entry, movements)
    accounts.reduce_holds(tx, entry.cause_id, from_holds)


def _by_currency(quantities: Mapping[BalanceKey, int]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for key, quantity in quantities.items():
        totals[key.currency] = totals.get(key.currency, 0) + quantity
    return totals


def _proceed(runtime: Runtime, tx: Transaction, partner: Partner, settlement: Settlement) -> None:
    """Goes from phase to phase until something must be waited for, or the settlement ends."""
    course = store.course(tx, settlement.id)
    while True:
        tallies = store.tallies(tx, settlement.id)
        gains = store.gains(tx, settlement.id)
        deposited = depositing.confirmed_quantities(store.confirmed_deposits(tx, settlement.id))
        gaps = rules.funding_gaps(gains, deposited)
        step = rules.next_step(course.phase, tallies, funded=not gaps)
        if settlement.state is SettlementState.FAILED or step is Step.WAIT:
            _wait(tx, settlement, course, tallies)
            return
        if step is Step.COMPLETE:
            done = settlements.change_state(
                tx, settlement, SettlementState.COMPLETED, due_at=None, finalized_at=tx.now()
            )
            notifying.notify_all(tx, EventType.SETTLEMENT_COMPLETED, partner, done, balances_changed=True)
            return
        if step is Step.FAIL:
            _fail(tx, partner, settlement, course, tallies)
            return
        if step is Step.TAKE_DEPOSITS:
            course = store.change_phase(tx, course, Phase.DEPOSITS)
            if gaps:
                notifying.notify_partner(tx, EventType.SETTLEMENT_TOP_UP_REQUIRED, partner, settlement, gaps)
        else:
            depositing.spend_on_gains(runtime, tx, partner, settlement, gains)
            course = store.change_phase(tx, course, Phase.GAINS)


def _wait(tx: Transaction, settlement: Settlement, course: Course, tallies: Mapping[Side, Tally]) -> None:
    alerts = [at for at in rules.coming_alerts(settlement, course, tallies).values() if at is not None]
    if settlement.state is SettlementState.FAILED:
        settlements.set_due(tx, settlement.id, min(alerts, default=None))
        return
    due_at = rules.next_look_at(tx.now(), course.phase, tallies[rules.side_of(course.phase)], alerts)
    settlements.set_due(tx, settlement.id, due_at)


def _fail(
    tx: Transaction, partner: Partner, settlement: Settlement, course: Course, tallies: Mapping[Side, Tally]
) -> None:
    """The chain has nothing of the side any more, and what it gave up was tried often enough."""
    side = rules.side_of(course.phase)
    failure = store.last_failure(tx, settlement.id, side)
    reason = rules.failure_reason(side, tallies[side].exhausted, failure)
    alerts = [at for at in rules.coming_alerts(settlement, course, tallies).values() if at is not None]
    due_at = min(alerts, default=None)
    failed = settlements.change_state(tx, settlement, SettlementState.FAILED, due_at=due_at, reason=reason)
    notifying.notify_all(tx, EventType.SETTLEMENT_FAILED, partner, failed)


def _alert(tx: Transaction, partner: Partner, settlement: Settlement, course: Course) -> Settlement:
    """Tells the partner, once for each side, that a side is close to the end of the time it was promised in."""
    sides = rules.alerts_due(tx.now(), settlement, course, store.tallies(tx, settlement.id))
    if not sides:
        return settlement
    settlements.mark_sla_alerts(tx, settlement.id, loss=Side.LOSS in sides, gain=Side.GAIN in sides)
    until = {Side.LOSS: course.loss_sla_at, Side.GAIN: course.gain_sla_at}
    for side in sides:
        breach_at = until[side]
        payload = notifying.head(settlement) | {
            "side": side.value,
            "slaAt": wire_time(breach_at) if breach_at else None,
        }
        notices.record(tx, [Event(EventType.SETTLEMENT_SLA_ALERT, partner.enterprise_id, settlement.id, payload)])
    return settlements.lock(tx, settlement.id)


def retry(runtime: Runtime, operator: Operator, settlement_id: UUID, reason: str | None) -> Settlement:
    """Has what failed on the chain sent again at once; what is under way is left as it is."""
    with runtime.transaction() as tx:
        _, settlement = _lock(tx, settlement_id)
        if settlement.state is SettlementState.FAILED:
            settlement = initiating.revive(tx, settlement)
        elif settlement.state is SettlementState.ONCHAIN:
            if store.retry_failed(tx, settlement.id) == 0:
                return settlement
            settlements.set_due(tx, settlement.id, tx.now())
            settlement = settlements.lock(tx, settlement.id)
        else:
            rules.require_open(settlement)
        audit.record(tx, operator, "settlement.retry", settlement.id, reason=reason)
        return settlement


def reject(runtime: Runtime, operator: Operator, settlement_id: UUID, reason: str) -> Settlement:
    """Ends a settlement of which the chain has nothing; releases what it and its deposits hold.

    Raises:
        ConflictError: a transaction was handed to the chain that it has not given up, or the settlement is done.
    """
    with runtime.transaction() as tx:
        partner, settlement = _lock(tx, settlement_id)
        if settlement.state is SettlementState.REJECTED:
            return settlement
        rules.require_rejectable(settlement, store.tallies(tx, settlement.id).values())
        depositing.release(runtime, tx, partner, settlement.id)
        batches.release_holds(
            tx, Entry(runtime.ids.new(), EntryKind.SETTLEMENT_REJECTED, settlement.id, partner.id)
        )
        now = tx.now()
        ended = settlements.change_state(
            tx, settlement, SettlementState.REJECTED, due_at=None, reason=reason, finalized_at=now
        )
        notifying.notify_all(tx, EventType.SETTLEMENT_REJECTED, partner, ended, balances_changed=True)
        audit.record(tx, operator, "settlement.reject", settlement.id, reason=reason)
        return ended


def _lock(tx: Transaction, settlement_id: UUID) -> tuple[Partner, Settlement]:
    found = settlements.require(tx, settlement_id)
    partner = network.lock_partner(tx, found.partner_id)
    return partner, settlements.lock(tx, found.id)
