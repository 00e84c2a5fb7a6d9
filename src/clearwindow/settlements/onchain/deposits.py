"""The partner's deposits for the gains of an on-chain settlement: given by the partner, found on the chain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from clearwindow.access.values import Member
from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import BalanceKey, Entry, EntryKind, Hold, HoldCause, Movement
from clearwindow.audit import service as audit
from clearwindow.database.pool import Transaction
from clearwindow.errors import ConflictError, InvalidRequestError, NotFoundError
from clearwindow.ids import NIL
from clearwindow.network import lookups
from clearwindow.network import service as network
from clearwindow.network.values import CurrencyMap, Partner
from clearwindow.notices import service as notices
from clearwindow.notices.values import Event, EventType
from clearwindow.onchain import initiating, rules, store, wire
from clearwindow.onchain.chain import Chain, ChainState, DepositReport
from clearwindow.onchain.values import Deposit, DepositStatus
from clearwindow.runtime import Runtime
from clearwindow.settlements import funding
from clearwindow.settlements import service as settlements
from clearwindow.settlements.values import Settlement, SettlementState, SettlementType
from clearwindow.signing import service as signing
from clearwindow.signing.values import SignedRequest


@dataclass(frozen=True, slots=True)
class GivenDeposits:
    """The deposits in the order in which they were given; ``replayed`` where all were known already."""

    deposits: list[Deposit]
    replayed: bool


def give(runtime: Runtime, member: Member, body: wire.DepositsRequest, signed: SignedRequest) -> GivenDeposits:
    """Takes note of the transactions that fund a settlement, which may come later than they do.

    Raises:
        PermissionDeniedError: no active partner with on-chain settlement enabled.
        InvalidRequestError: an unmapped currency, the same transaction twice, or a payload that says otherwise.
        NotFoundError: the settlementId is not of a settlement of the partner.
        NotAuthenticatedError: the signature is not the partner's.
        ConflictError: a transaction was given for another settlement, or the settlement takes none (any more).
    """
    with runtime.transaction() as tx:
        partner = initiating.allowed_onchain(network.require_partner(tx, member.enterprise_id))
        wanted = _in_our_names(network.currency_map(tx, partner), body.deposits)
        if body.settlement_id is not None:
            _require_known(tx, partner, body)
        signing.verify(tx, partner.go_account_id, signed)
        partner = initiating.allowed_onchain(network.lock_partner(tx, partner.id))
        settlement_id = _settlement_id(runtime, tx, partner, body)
        known = store.find_deposits(tx, partner.id, list(wanted))
        _require_same_settlement(known.values(), settlement_id)
        new = {key: name for key, name in wanted.items() if key not in known}
        if new:
            _require_open(tx, settlement_id)
            given = {runtime.ids.new(): (currency, name, tx_id) for (currency, tx_id), name in new.items()}
            store.insert_deposits(tx, partner.id, settlement_id, body.external_settlement_id, given)
            audit.record(
                tx,
                member,
                "settlement.deposits_given",
                settlement_id,
                externalSettlementId=body.external_settlement_id,
                transactions=[[currency, tx_id] for currency, tx_id in new],
            )
            known = store.find_deposits(tx, partner.id, list(wanted))
        return GivenDeposits([known[key] for key in wanted], replayed=not new)


def require_onchain_partner(runtime: Runtime, member: Member) -> None:
    """Whether deposits that are about to be signed come from a partner that settles on chain."""
    with runtime.transaction() as tx:
        initiating.allowed_onchain(network.require_partner(tx, member.enterprise_id))


def watch(runtime: Runtime, chain: Chain, due: Deposit) -> bool:
    """Asks the chain for a deposit, and credits the partner once it is confirmed."""
    report = chain.deposit(due.partner_id, due.currency, due.on_chain_tx_id)
    with runtime.transaction() as tx:
        partner = lookups.try_lock_partner(tx, due.partner_id)
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
            store.look_again(tx, deposit.id, tx.now() + wait, attempts)
        elif report.state is ChainState.FAILED:
            failure = report.failure or "the chain gave no reason"
            store.decide_deposit(tx, deposit.id, DepositStatus.FAILED, failure=failure)
        else:
            _credit(runtime, tx, partner, settlement, deposit, report)
        return True


def postpone(runtime: Runtime, deposit: Deposit, error: str) -> None:
    with runtime.transaction() as tx:
        attempts = deposit.attempts + 1
        due_at = tx.now() + timedelta(seconds=rules.unseen_seconds(attempts))
        store.look_again(tx, deposit.id, due_at, attempts, error)


def spend_on_gains(
    runtime: Runtime, tx: Transaction, partner: Partner, settlement: Settlement, gains: dict[str, int]
) -> None:
    """Holds the gains out of the confirmed deposits, which cover them; what is over becomes available."""
    deposits = store.confirmed_deposits(tx, settlement.id)
    surplus = {
        currency: quantity - gains.get(currency, 0) for currency, quantity in confirmed_quantities(deposits).items()
    }
    keys = {currency: BalanceKey(partner.go_account_id, currency) for currency in surplus}
    accounts.lock_balances(tx, keys.values())
    accounts.drop_holds(tx, [deposit.id for deposit in deposits])
    accounts.put_holds(
        tx,
        [
            Hold(HoldCause.SETTLEMENT, settlement.id, partner.id, keys[currency], quantity)
            for currency, quantity in gains.items()
        ],
    )
    store.end_deposits(tx, deposits, DepositStatus.SPENT)
    _make_available(runtime, tx, partner, settlement.id, {keys[c]: quantity for c, quantity in surplus.items()})


def release(runtime: Runtime, tx: Transaction, partner: Partner, settlement_id: UUID) -> None:
    """Gives the partner what its deposits hold for a settlement that does not need them."""
    deposits = store.confirmed_deposits(tx, settlement_id)
    if deposits:
        _release(runtime, tx, partner, deposits)


def release_one(runtime: Runtime, tx: Transaction, partner: Partner, deposit: Deposit) -> None:
    """The same of one deposit, locked and confirmed."""
    _release(runtime, tx, partner, [deposit])


def _release(runtime: Runtime, tx: Transaction, partner: Partner, deposits: Sequence[Deposit]) -> None:
    held = {
        BalanceKey(partner.go_account_id, currency): quantity
        for currency, quantity in confirmed_quantities(deposits).items()
    }
    accounts.lock_balances(tx, held)
    accounts.drop_holds(tx, [deposit.id for deposit in deposits])
    store.end_deposits(tx, deposits, DepositStatus.RELEASED)
    _make_available(runtime, tx, partner, deposits[0].settlement_id, held)


def confirmed_quantities(deposits: Sequence[Deposit]) -> dict[str, int]:
    """What confirmed deposits brought, per currency."""
    quantities: dict[str, int] = {}
    for deposit in deposits:
        if deposit.quantity is None:
            raise AssertionError("a confirmed deposit has its quantity")
        quantities[deposit.currency] = quantities.get(deposit.currency, 0) + int(deposit.quantity)
    return quantities


def _in_our_names(currency_map: CurrencyMap, given: Sequence[wire.GivenDeposit]) -> dict[tuple[str, str], str]:
    """The partner's name of the currency, by our name and the transaction."""
    wanted: dict[tuple[str, str], str] = {}
    for position, deposit in enumerate(given):
        ours = currency_map.to_ours(deposit.currency)
        if ours is None:
            raise InvalidRequestError(
                "currency_unmapped", f"deposits.{position}.currency: your configuration maps no such currency"
            )
        key = (ours[0], deposit.on_chain_tx_id)
        if key in wanted:
            raise InvalidRequestError(
                "deposit_twice", f"deposits.{position}: this transaction and currency stand in the request twice"
            )
        wanted[key] = deposit.currency
    return wanted


def _require_known(tx: Transaction, partner: Partner, body: wire.DepositsRequest) -> None:
    """A settlementId must be the partner's own: that of a settlement, or of the deposits that came before it."""
    if body.settlement_id is None or store.reserved_external_id(tx, partner.id, body.settlement_id) is not None:
        return
    found = settlements.find(tx, body.settlement_id)
    if found is None or found.partner_id != partner.id:
        raise NotFoundError("settlement_not_found", "settlementId: you have no such settlement")


def _settlement_id(runtime: Runtime, tx: Transaction, partner: Partner, body: wire.DepositsRequest) -> UUID:
    """The id that the settlement has, or will have when it comes."""
    existing = settlements.find_by_external_id(tx, partner.id, body.external_settlement_id)
    if existing is not None and existing.settlement_type is not SettlementType.ONCHAIN:
        raise ConflictError(
            "settlement_offchain", "externalSettlementId: this settlement is not on chain and takes no deposits"
        )
    settlement_id = store.reserve(tx, partner.id, body.external_settlement_id, runtime.ids.new())
    if body.settlement_id not in (None, settlement_id):
        raise ConflictError(
            "settlement_differs", "settlementId and externalSettlementId name two different settlements"
        )
    return settlement_id


def _require_same_settlement(known: Iterable[Deposit], settlement_id: UUID) -> None:
    others = [deposit for deposit in known if deposit.settlement_id != settlement_id]
    if others:
        raise ConflictError(
            "deposit_taken",
            f"the transaction {others[0].on_chain_tx_id} was given for another settlement already",
            {"transactions": [[other.partner_currency, other.on_chain_tx_id] for other in others]},
        )


def _require_open(tx: Transaction, settlement_id: UUID) -> None:
    settlement = settlements.find(tx, settlement_id)
    if settlement is not None and settlement.state in (SettlementState.COMPLETED, SettlementState.REJECTED):
        raise ConflictError("settlement_ended", f"the settlement is {settlement.state} and takes no more deposits")


def _credit(
    runtime: Runtime,
    tx: Transaction,
    partner: Partner,
    settlement: Settlement | None,
    deposit: Deposit,
    report: DepositReport,
) -> None:
    """The money came in; it is held for its settlement, unless that has all it needs or has ended."""
    held = _still_needed(tx, settlement)
    key = BalanceKey(partner.go_account_id, deposit.currency)
    outside = BalanceKey(NIL, deposit.currency)
    accounts.lock_balances(tx, [key, outside])
    entry = Entry(runtime.ids.new(), EntryKind.ONCHAIN_DEPOSIT_CREDITED, deposit.id, partner.id)
    came_in = Movement(key, held=report.quantity) if held else Movement(key, available=report.quantity)
    holds = [Hold(HoldCause.ONCHAIN_DEPOSIT, deposit.id, partner.id, key, report.quantity)] if held else []
    accounts.post(tx, entry, [came_in, Movement(outside, available=-report.quantity)], holds)
    status = DepositStatus.CONFIRMED if held else DepositStatus.RELEASED
    store.decide_deposit(tx, deposit.id, status, quantity=report.quantity, entry_id=entry.id)
    _tell(tx, partner, deposit.settlement_id)
    if not held:
        funding.wake_waiting(tx, [partner.id])
    elif settlement is not None and settlement.state is SettlementState.ONCHAIN:
        settlements.set_due(tx, settlement.id, tx.now())


def _still_needed(tx: Transaction, settlement: Settlement | None) -> bool:
    if settlement is None:
        return True
    ended = settlement.state in (SettlementState.COMPLETED, SettlementState.REJECTED)
    return not ended and not rules.has_its_deposits(store.course(tx, settlement.id).phase)


def _make_available(
    runtime: Runtime, tx: Transaction, partner: Partner, settlement_id: UUID, quantities: dict[BalanceKey, int]
) -> None:
    movements = [
        Movement(key, available=quantity, held=-quantity) for key, quantity in quantities.items() if quantity
    ]
    if not movements:
        return
    entry = Entry(runtime.ids.new(), EntryKind.ONCHAIN_DEPOSIT_RELEASED, settlement_id, partner.id)
    accounts.post(tx, entry, movements)
    _tell(tx, partner, settlement_id)
    funding.wake_waiting(tx, [partner.id])


def _tell(tx: Transaction, partner: Partner, settlement_id: UUID) -> None:
    payload = {"cause": "settlement", "settlementId": str(settlement_id)}
    notices.record(tx, [Event(EventType.BALANCE_CHANGED, partner.enterprise_id, settlement_id, payload)])
