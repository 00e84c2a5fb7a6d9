"""The partner's deposits for the gains of an on-chain settlement: submitted, confirmed, spent or released."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from clearwindow.core.errors import ConflictError, InvalidRequestError, NotFoundError, PermissionDeniedError
from clearwindow.core.ids import NIL
from clearwindow.custody import signatures
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import BalanceKey, Entry, EntryKind, Hold, HoldCause, Movement
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.network.models import CurrencyMap, Partner
from clearwindow.pauses import rules as pause_rules
from clearwindow.pauses import store as pauses
from clearwindow.pauses.models import Touched
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import funding
from clearwindow.settlements import store as settlements
from clearwindow.settlements.models import Settlement, SettlementState, SettlementType
from clearwindow.settlements.onchain import initiation, rules, store
from clearwindow.settlements.onchain.chain import Chain, ChainState, DepositReport
from clearwindow.settlements.onchain.models import Deposit, DepositStatus, NewDeposits
from clearwindow.signing import nonces
from clearwindow.signing.models import SignedRequest


@dataclass(frozen=True, slots=True)
class SubmittedDeposits:
    """The deposits in the order of the request. ``replayed``: all were known already."""

    deposits: list[Deposit]
    replayed: bool


def submit(runtime: Runtime, member: Member, asked: NewDeposits, signed: SignedRequest) -> SubmittedDeposits:
    """Stores the transactions that fund a settlement. The settlement may not exist yet.

    Raises:
        PermissionDeniedError: the caller is no active partner with on-chain settlement enabled, or something is
            paused.
        InvalidRequestError: a currency is unmapped, a transaction is there twice, or the payload differs.
        NotFoundError: the partner has no settlement with this settlementId.
        NotAuthenticatedError: the signature is not the partner's.
        ConflictError: a transaction belongs to another settlement, or the settlement takes no deposits.
    """
    signed = signatures.require_match(signed)
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        stored = store.find_deposits_of_request(tx, partner.id, signed.sha256, asked.transactions)
        if stored:
            return SubmittedDeposits(stored, replayed=True)
        partner = initiation.allowed_onchain(partner)
        wanted = _in_our_names(network.currency_map(tx, partner), asked.transactions)
        if asked.settlement_id is not None:
            _require_known(tx, partner, asked)
        verified = signatures.verify(tx, partner.go_account_id, signed)
        partner = initiation.allowed_onchain(parties.lock_partner(tx, partner.id))
        settlement_id = _settlement_id(tx, partner, asked)
        known = store.find_deposits(tx, partner.id, list(wanted))
        _require_same_settlement(known.values(), settlement_id)
        new = {key: name for key, name in wanted.items() if key not in known}
        if new:
            _require_open(tx, settlement_id)
            _require_not_paused(tx, partner, new)
            given = {tx.new_id(): (currency, name, tx_id) for (currency, tx_id), name in new.items()}
            external_id = asked.external_settlement_id
            store.insert_deposits(tx, partner.id, settlement_id, external_id, given, signed.sha256)
            audit.record(
                tx,
                member,
                "settlement.deposits_given",
                settlement_id,
                externalSettlementId=external_id,
                transactions=[[currency, tx_id] for currency, tx_id in new],
            )
            known = store.find_deposits(tx, partner.id, list(wanted))
        nonces.keep_text(tx, member.enterprise_id, verified, ConflictError, settlement_id)
        return SubmittedDeposits([known[key] for key in wanted], replayed=not new)


def require_onchain_partner(runtime: Runtime, member: Member) -> None:
    """Requires that the caller is a partner that settles on chain, before it gets a text to sign."""
    with runtime.transaction() as tx:
        initiation.allowed_onchain(parties.require_partner(tx, member.enterprise_id))


def check(runtime: Runtime, chain: Chain, due: Deposit) -> bool:
    """Asks the chain for a deposit and credits the partner once it is confirmed.

    Returns False if another worker has the partner.
    """
    report = chain.deposit(due.partner_id, due.currency, due.on_chain_tx_id)
    with runtime.transaction() as tx:
        partner = parties.claim_partner(tx, due.partner_id)
        if partner is None:
            return False
        settlement = settlements.find(tx, due.settlement_id)
        if settlement is not None:
            settlement = settlements.lock(tx, settlement.id)
        deposit = store.lock_deposit(tx, due.id)
        if deposit.status is not DepositStatus.PENDING:
            return True
        if report is None or report.state is ChainState.PENDING:
            attempts = deposit.attempts + 1 if report is None else 0
            wait = timedelta(seconds=rules.unseen_seconds(attempts))
            store.postpone_deposit(tx, deposit.id, tx.now() + wait, attempts)
        elif report.state is ChainState.FAILED:
            failure = report.failure or "the chain gave no reason"
            store.decide_deposit(tx, deposit.id, DepositStatus.FAILED, failure=failure)
        else:
            _credit(tx, partner, settlement, deposit, report)
        return True


def postpone(runtime: Runtime, deposit: Deposit, error: str) -> None:
    with runtime.transaction() as tx:
        attempts = deposit.attempts + 1
        due_at = tx.now() + timedelta(seconds=rules.unseen_seconds(attempts))
        store.postpone_deposit(tx, deposit.id, due_at, attempts, error)


def spend_on_gains(tx: Transaction, partner: Partner, settlement: Settlement, gains: dict[str, int]) -> None:
    """Holds the gains out of the confirmed deposits, which cover them. The rest becomes available."""
    deposits = store.confirmed_deposits(tx, settlement.id)
    surplus = {
        currency: quantity - gains.get(currency, 0) for currency, quantity in confirmed_quantities(deposits).items()
    }
    keys = {currency: BalanceKey(partner.go_account_id, currency) for currency in surplus}
    ledger.lock_balances(tx, keys.values())
    ledger.drop_holds(tx, [deposit.id for deposit in deposits])
    ledger.put_holds(
        tx,
        [
            Hold(HoldCause.SETTLEMENT, settlement.id, partner.id, keys[currency], quantity)
            for currency, quantity in gains.items()
        ],
    )
    store.end_deposits(tx, deposits, DepositStatus.SPENT)
    _make_available(tx, partner, settlement.id, {keys[c]: quantity for c, quantity in surplus.items()})


def release(tx: Transaction, partner: Partner, settlement_id: UUID) -> None:
    """Makes the deposits of a settlement that does not need them available to the partner."""
    deposits = store.confirmed_deposits(tx, settlement_id)
    if deposits:
        _release(tx, partner, deposits)


def release_one(tx: Transaction, partner: Partner, deposit: Deposit) -> None:
    """Makes one locked, confirmed deposit available to the partner."""
    _release(tx, partner, [deposit])


def _release(tx: Transaction, partner: Partner, deposits: Sequence[Deposit]) -> None:
    held = {
        BalanceKey(partner.go_account_id, currency): quantity
        for currency, quantity in confirmed_quantities(deposits).items()
    }
    ledger.lock_balances(tx, held)
    ledger.drop_holds(tx, [deposit.id for deposit in deposits])
    store.end_deposits(tx, deposits, DepositStatus.RELEASED)
    _make_available(tx, partner, deposits[0].settlement_id, held)


def confirmed_quantities(deposits: Sequence[Deposit]) -> dict[str, int]:
    """Returns what confirmed deposits brought, by currency."""
    quantities: dict[str, int] = {}
    for deposit in deposits:
        if deposit.quantity is None:
            raise AssertionError("a confirmed deposit has its quantity")
        quantities[deposit.currency] = quantities.get(deposit.currency, 0) + deposit.quantity
    return quantities


def _in_our_names(currency_map: CurrencyMap, given: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Returns the partner's names of the currencies, by our name and the transaction id."""
    wanted: dict[tuple[str, str], str] = {}
    for position, (currency, tx_id) in enumerate(given):
        ours = currency_map.to_ours(currency)
        if ours is None:
            raise InvalidRequestError(
                "currency_unmapped", f"deposits.{position}.currency: your configuration maps no such currency"
            )
        key = (ours[0], tx_id)
        if key in wanted:
            raise InvalidRequestError(
                "deposit_twice", f"deposits.{position}: this transaction and currency are in the request twice"
            )
        wanted[key] = currency
    return wanted


def _require_known(tx: Transaction, partner: Partner, asked: NewDeposits) -> None:
    """Requires that a settlementId is of a settlement of the partner, or reserved by earlier deposits."""
    if asked.settlement_id is None or store.reserved_external_id(tx, partner.id, asked.settlement_id) is not None:
        return
    found = settlements.find(tx, asked.settlement_id)
    if found is None or found.partner_id != partner.id:
        raise NotFoundError("settlement_not_found", "settlementId: you have no such settlement")


def _settlement_id(tx: Transaction, partner: Partner, asked: NewDeposits) -> UUID:
    """Returns the id that the settlement has or will have."""
    existing = settlements.find_by_external_id(tx, partner.id, asked.external_settlement_id)()
    if existing is not None and existing.settlement_type is not SettlementType.ONCHAIN:
        raise ConflictError(
            "settlement_offchain", "externalSettlementId: this settlement is not on chain and takes no deposits"
        )
    settlement_id = store.reserve(tx, partner.id, asked.external_settlement_id, tx.new_id())
    if asked.settlement_id not in (None, settlement_id):
        raise ConflictError(
            "settlement_differs", "settlementId and externalSettlementId name two different settlements"
        )
    return settlement_id


def _require_same_settlement(known: Iterable[Deposit], settlement_id: UUID) -> None:
    others = [deposit for deposit in known if deposit.settlement_id != settlement_id]
    if others:
        raise ConflictError(
            "deposit_taken",
            f"the transaction {others[0].on_chain_tx_id} already belongs to another settlement",
            {"transactions": [[other.partner_currency, other.on_chain_tx_id] for other in others]},
        )


def _require_open(tx: Transaction, settlement_id: UUID) -> None:
    settlement = settlements.find(tx, settlement_id)
    if settlement is not None and settlement.state in (SettlementState.COMPLETED, SettlementState.REJECTED):
        raise ConflictError("settlement_ended", f"the settlement is {settlement.state} and takes no more deposits")


def _require_not_paused(tx: Transaction, partner: Partner, new: Iterable[tuple[str, str]]) -> None:
    currencies = sorted({currency for currency, _ in new})
    touched = Touched([partner.id], [partner.client_id], currencies, [partner.go_account_id])
    pause_rules.require_open(pauses.standing_among(tx, touched), PermissionDeniedError)


def _credit(
    tx: Transaction,
    partner: Partner,
    settlement: Settlement | None,
    deposit: Deposit,
    report: DepositReport,
) -> None:
    """Credits a confirmed deposit. Holds it for its settlement if that still needs deposits."""
    held = _still_needed(tx, settlement)
    key = BalanceKey(partner.go_account_id, deposit.currency)
    outside = BalanceKey(NIL, deposit.currency)
    ledger.lock_balances(tx, [key, outside])
    entry = Entry(tx.new_id(), EntryKind.ONCHAIN_DEPOSIT_CREDITED, deposit.id, partner.id)
    came_in = Movement(key, held=report.quantity) if held else Movement(key, available=report.quantity)
    holds = [Hold(HoldCause.ONCHAIN_DEPOSIT, deposit.id, partner.id, key, report.quantity)] if held else []
    ledger.post(tx, entry, [came_in, Movement(outside, available=-report.quantity)], holds)
    status = DepositStatus.CONFIRMED if held else DepositStatus.RELEASED
    store.decide_deposit(tx, deposit.id, status, quantity=report.quantity, entry_id=entry.id)
    _notify(tx, partner, deposit.settlement_id)
    if not held:
        funding.wake_waiting(tx, [partner.id])
    elif settlement is not None and settlement.state is SettlementState.ONCHAIN:
        settlements.set_due(tx, settlement.id, tx.now())


def _still_needed(tx: Transaction, settlement: Settlement | None) -> bool:
    if settlement is None:
        return True
    ended = settlement.state in (SettlementState.COMPLETED, SettlementState.REJECTED)
    return not ended and not rules.has_its_deposits(store.progress(tx, settlement.id).phase)


def _make_available(
    tx: Transaction, partner: Partner, settlement_id: UUID, quantities: dict[BalanceKey, int]
) -> None:
    movements = [
        Movement(key, available=quantity, held=-quantity) for key, quantity in quantities.items() if quantity
    ]
    if not movements:
        return
    entry = Entry(tx.new_id(), EntryKind.ONCHAIN_DEPOSIT_RELEASED, settlement_id, partner.id)
    ledger.post(tx, entry, movements)
    _notify(tx, partner, settlement_id)
    funding.wake_waiting(tx, [partner.id])


def _notify(tx: Transaction, partner: Partner, settlement_id: UUID) -> None:
    payload = {"cause": "settlement", "settlementId": str(settlement_id)}
    outbox.record(tx, [Event(EventType.BALANCE_CHANGED, partner.enterprise_id, settlement_id, payload)])
