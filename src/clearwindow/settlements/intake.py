"""What every request for a settlement goes through first: repeats, amounts, signature, partner's lock. Protocol §2.

PostgreSQL checks the single amounts. Python looks up each connection and each currency once and writes arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, cast
from uuid import UUID

from clearwindow.core.errors import REFUSALS, ConflictError, InvalidRequestError
from clearwindow.core.money import AmountUnit
from clearwindow.custody import signatures
from clearwindow.custody import store as custody
from clearwindow.identity.models import Member
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.network.models import CurrencyMap, MappedCurrency, Partner
from clearwindow.pauses import rules as pause_rules
from clearwindow.pauses import store as pauses
from clearwindow.postgres.asking import Later
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Limits, Runtime
from clearwindow.settlements import rules, store
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.disputes.models import AssignedClosure
from clearwindow.settlements.models import (
    Amounts,
    AmountScale,
    FlatAmounts,
    Instruction,
    Method,
    NestedAmounts,
    Request,
    Settlement,
    SettlementState,
    StagedAmounts,
)
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import AmountArrays, UnfitAmount
from clearwindow.signing import nonces, repeats
from clearwindow.signing.models import SignedRequest, VerifiedRequest

Group = tuple[tuple[str, ...], Mapping[str, str]]
"""The amounts of one connection, or of one source and destination, with the path to them in the request."""
_ENTRIES_NAMED: Final = 20
_PROBLEMS: Final = {
    "zero": "is zero",
    "too_large": "has more than 78 digits in base units",
    "too_fine": "has more decimals than the currency, or decimals where your amounts are in base units",
}


@dataclass(frozen=True, slots=True)
class Admitted:
    """A new request that passed every check before its nonce, whose partner is locked.

    Attributes:
        partner: as it is under the lock.
        staged: the amounts.
        verified: the signature.
        last_cutoff: of the partner's last settlement that has one and was not rejected.
        closures: of the partner's disputes, approved and in no settlement yet. They are locked.
    """

    partner: Partner
    staged: StagedAmounts
    verified: VerifiedRequest
    last_cutoff: datetime | None
    closures: Sequence[AssignedClosure]


@dataclass(frozen=True, slots=True)
class Repeated:
    """The settlement that an earlier, same request made.

    ``may_act``: it has failed and may be tried again, because this request passed every check that a new one must
    pass. Then the partner and the settlement are locked. Otherwise nothing is locked, and nothing may be written.
    """

    partner: Partner
    settlement: Settlement
    may_act: bool


def read(
    runtime: Runtime, member: Member, method: Method, instruction: Instruction, signed: SignedRequest
) -> Request:
    """Returns the request after the checks that need no database.

    Raises:
        InvalidRequestError: there are too many connections or amounts, or the payload differs from the body.
    """
    count = _require_within_limits(instruction.settlement_amounts, runtime.limits)
    return Request(member, method, instruction, signatures.require_match(signed), count)


def receive(tx: Transaction, request: Request) -> Admitted | Repeated:
    """Answers whether the request is new, after all checks that come before its nonce. Protocol §2.

    A byte-identical repeat is found first and takes no lock. If it repeats a failed settlement, it goes through the
    checks of a new request; a refusal only keeps it from trying the settlement again.

    Raises:
        PermissionDeniedError: the caller is no partner that may settle by this method.
        InvalidRequestError: an amount cannot be a transfer.
        NotAuthenticatedError: the signature is not the partner's.
        ConflictError: the externalId belongs to another request, or the nonce of the same request signed anew does.
    """
    enterprise_id, external_id = request.member.enterprise_id, request.instruction.external_id
    with tx.together():
        found_partner = network.ask_partner(tx, enterprise_id=enterprise_id)
        found_existing = store.find_of_enterprise(tx, enterprise_id, external_id)
        found_currencies = network.ask_mapped_currencies(tx, [enterprise_id])
    partner, existing = parties.as_partner(found_partner()), found_existing()
    currencies = found_currencies()[enterprise_id]
    if existing is None or not _is_repeat(tx, request, existing):
        return _admit(tx, request, partner, currencies, existing, is_repeat=False)
    if existing.state is not SettlementState.FAILED:
        return Repeated(partner, existing, may_act=False)
    try:
        return _admit(tx, request, partner, currencies, existing, is_repeat=True)
    except REFUSALS:
        return Repeated(partner, existing, may_act=False)


def _admit(
    tx: Transaction,
    request: Request,
    partner: Partner,
    currencies: Mapping[str, MappedCurrency],
    existing: Settlement | None,
    *,
    is_repeat: bool,
) -> Admitted | Repeated:
    method = request.method
    partner = method.allowed(partner)
    read_as = replace(partner, amount_unit=AmountUnit.BASE) if method.in_base_units else partner
    currency_map = CurrencyMap(read_as.amount_unit, currencies)
    staged, verified = _check(tx, read_as, currency_map, request, is_repeat=is_repeat)
    if existing is None or existing.state is SettlementState.FAILED:
        with tx.together():
            locked = parties.ask_lock(tx, partner.id)
            # Before the lock was taken, the partner may have changed, and the same request may have come.
            found = store.find_by_external_id(tx, partner.id, request.instruction.external_id)
            last_cutoff = store.last_cutoff(tx, partner.id)
            closures = disputes.lock_approved_closures(tx, partner.id)
        partner, existing = method.allowed(locked()), found()
        if existing is None:
            return Admitted(partner, staged, verified, last_cutoff(), closures())
    if not _is_repeat(tx, request, existing):
        _require_same(tx, request, existing, staged)
        nonces.use_again(tx, request.member.enterprise_id, verified, ConflictError, existing.id)
    if existing.state is not SettlementState.FAILED:
        return Repeated(partner, existing, may_act=False)
    settlement = store.lock(tx, existing.id)
    failed = settlement.state is SettlementState.FAILED
    return Repeated(partner, settlement, may_act=failed and not pauses.standing_for_settlement(tx, settlement.id))


def _check(
    tx: Transaction, partner: Partner, currency_map: CurrencyMap, request: Request, *, is_repeat: bool
) -> tuple[StagedAmounts, VerifiedRequest]:
    """Checks each amount, then intent and signature. What they need of the database is read in one round trip.

    Raises:
        InvalidRequestError: a connection is unknown or another partner's, a currency is unmapped, or an amount is
            zero, too large or too fine. The error names them. Or the payload is for something else.
        NotAuthenticatedError: the signature is not the partner's.
    """
    amounts = request.instruction.settlement_amounts
    groups = _groups(amounts)
    between_connections = as_nested(amounts) is not None
    if between_connections:
        _require_trades(partner, groups)
    paths = _paths(groups)
    names = sorted(set().union(*(given for _, given in groups)))
    ours = {name: currency_map.to_ours(name) for name in names}
    mapped = [found for found in ours.values() if found is not None]
    in_base_units = currency_map.unit == "base"
    staged = StagedAmounts(
        names=names,
        currencies=[currency for currency, _ in mapped],
        decimals=[0 if in_base_units else decimals for _, decimals in mapped],
        digits_only=in_base_units,
        amounts=_arrays(groups, paths, names, between_connections=between_connections),
    )
    unmapped = [name for name, found in ours.items() if found is None]
    with tx.together():
        accounts = network.accounts_of_connections(tx, partner.id, staged.amounts.connection_ids)
        keys = custody.ask_keys(tx, partner.go_account_id)
        requires_intent = custody.ask_requires_intent(tx, partner.go_account_id)
        unfit, unbalanced = None, None
        if not unmapped:
            unfit = transfers.unfit_amounts(tx, staged.amounts, staged.decimals, digits_only=staged.digits_only)
        if not unmapped and partner.broker and not between_connections:
            unbalanced = transfers.unbalanced_currencies(tx, staged.amounts, staged.currencies)
    account_ids = _network_accounts(paths, accounts())
    if unmapped:
        _refuse_unmapped(groups, unmapped)
    if unfit is not None:
        _require_fit(staged, unfit())
    if unbalanced is not None:
        _require_net_zero(staged, unbalanced())
    verified = signatures.verify_with(
        keys(),
        partner.go_account_id,
        request.signed,
        tx.now(),
        requires_intent=requires_intent(),
        amount_unit=partner.amount_unit,
        is_repeat=is_repeat,
    )
    return replace(staged, amounts=replace(staged.amounts, account_ids=account_ids)), verified


def _is_repeat(tx: Transaction, request: Request, existing: Settlement) -> bool:
    """Returns whether this request was accepted before for the settlement: the same bytes and method."""
    if not request.method.made(existing):
        return False
    if existing.request_sha256 == request.signed.sha256:
        return True
    return nonces.is_repeat(tx, request.member.enterprise_id, request.signed, existing.id)


def _require_same(tx: Transaction, request: Request, existing: Settlement, staged: StagedAmounts) -> None:
    """Requires that a request of other bytes is the one that made the settlement, signed anew."""
    scale = store.find_amount_scale(tx, existing.id)
    if not request.method.made(existing):
        fields = ["operation"]
    elif scale is None:
        fields = []
    else:
        same_amounts = _has_amounts(tx, existing, scale, staged)
        fields = rules.differing_fields(existing, request.instruction, same_amounts=same_amounts)
        if not fields:
            return
    raise ConflictError("external_id_taken", *repeats.differs("externalId", "settlement", existing.id, fields))


def _has_amounts(tx: Transaction, settlement: Settlement, scale: AmountScale, staged: StagedAmounts) -> bool:
    if scale.keys() != set(staged.names):
        return False
    currencies, decimals = zip(*(scale[name] for name in staged.names), strict=True)
    return transfers.has_staged_amounts(tx, staged.amounts, settlement.id, currencies, decimals)


def draft(tx: Transaction, request: Request, received: Admitted, settlement_id: UUID) -> Settlement:
    """Returns a new settlement without windows and with nothing due. Stores nothing."""
    method, instruction = request.method, request.instruction
    now = tx.now()
    return Settlement(
        id=settlement_id,
        partner_id=received.partner.id,
        external_id=instruction.external_id,
        state=method.begins_as,
        settlement_type=method.settlement_type,
        request_sha256=request.signed.sha256,
        staged_answer="",
        notes=instruction.notes,
        initiated_by=request.member.user_id,
        cutoff_at=None,
        created_at=now,
        updated_at=now,
        dispute_deadline_at=now,
        top_up_deadline_at=now,
        execute_when_funded=False,
        immediate=method.immediate,
        due_at=None,
        attempts=0,
        last_error=None,
        finalized_at=None,
        reason=None,
    )


def accept(tx: Transaction, request: Request, received: Admitted, settlement: Settlement) -> Later[None]:
    """Uses up nonce and text, and stores the settlement with a transfer for each staged amount.

    Until the answer was read, the caller must commit nothing.

    Raises:
        ConflictError: when the answer is read, if the nonce or the text belongs to another request.
        RequestError: then, as the method says it, if something that the settlement touches is paused, or a
            connection would lose more than its client allows.
    """
    stopped_by, staged = request.method.stopped_by, received.staged
    used = nonces.ask_use(tx, request.member.enterprise_id, received.verified, ConflictError, settlement.id)
    store.insert(tx, settlement, staged.scale)
    transfers.insert_staged(
        tx,
        staged.amounts,
        settlement_id=settlement.id,
        partner_id=settlement.partner_id,
        dispute_deadline_at=settlement.dispute_deadline_at,
        currencies=staged.currencies,
        decimals=staged.decimals,
    )
    # The stored rows say what the settlement touches. A refusal rolls them back.
    standing = pauses.ask_standing_for_settlement(tx, settlement.id)
    day_from, day_until = rules.utc_day(settlement.created_at)
    beyond = transfers.losses_beyond_limits(tx, settlement.id, settlement.partner_id, day_from, day_until)

    def require() -> None:
        used()
        pause_rules.require_open(standing(), stopped_by)
        rules.require_within_loss_limits(beyond(), stopped_by)

    return Later(require)


def as_nested(amounts: Amounts) -> NestedAmounts | None:
    """Returns the amounts if they are between two connections. The schema has checked that all have one form."""
    first = next((value for given in amounts.values() for value in given.values()), None)
    return cast("NestedAmounts", amounts) if isinstance(first, Mapping) else None


def _require_within_limits(amounts: Amounts, limits: Limits) -> int:
    """Returns the number of amounts.

    Raises:
        InvalidRequestError: there are too many connections or amounts, or a connection has no amount.
    """
    given = _groups(amounts)
    connections = {connection_id for path, _ in given for connection_id in path}
    count = sum(len(quantities) for _, quantities in given)
    if len(connections) > limits.connections_per_settlement:
        text = _too_many(len(connections), "connections", limits.connections_per_settlement)
        raise InvalidRequestError("too_many_connections", text)
    if count > limits.amounts_per_settlement:
        text = _too_many(count, "amounts", limits.amounts_per_settlement)
        raise InvalidRequestError("too_many_amounts", text)
    empty = [path for path, quantities in given if not quantities]
    if empty:
        raise InvalidRequestError("amounts_missing", f"{_entry(empty[0])}: has no amounts")
    return count


def _too_many(number: int, what: str, limit: int) -> str:
    return f"settlementAmounts: {number} {what}, the limit is {limit}: split the settlement"


def _groups(amounts: Amounts) -> list[Group]:
    nested = as_nested(amounts)
    if nested is None:
        return [((connection_id,), given) for connection_id, given in cast("FlatAmounts", amounts).items()]
    return [
        ((source, destination), given)
        for source, destinations in nested.items()
        for destination, given in destinations.items()
    ] + [((source,), {}) for source, destinations in nested.items() if not destinations]


def _entry(path: Iterable[str]) -> str:
    return ".".join(("settlementAmounts", *path))


def _require_trades(partner: Partner, groups: Sequence[Group]) -> None:
    """Requires a broker and two different connections: the amounts are trades between two clients."""
    if not partner.broker:
        raise InvalidRequestError(
            "amounts_not_flat",
            f"{_entry(groups[0][0])}: only a broker settles between two connections:"
            " send {connectionId: {currency: amount}}, each as the connection's gain or loss",
        )
    for path, _ in groups:
        source, destination = path
        if source == destination:
            raise InvalidRequestError(
                "connection_with_itself", f"{_entry(path)}: source and destination are the same connection"
            )


def _require_fit(staged: StagedAmounts, unfit: Sequence[UnfitAmount]) -> None:
    if unfit:
        entries = [
            {
                "entry": _entry((*_path(amount), staged.names[amount.currency_number - 1])),
                "problem": f"{amount.amount:f} {_PROBLEMS[amount.problem]}",
            }
            for amount in unfit
        ]
        raise InvalidRequestError(
            "amount_unfit", f"{entries[0]['entry']}: {entries[0]['problem']}", {"problems": entries}
        )


def _path(amount: UnfitAmount) -> tuple[str, ...]:
    source = amount.counterparty_connection_id
    return (str(amount.connection_id),) if source is None else (str(source), str(amount.connection_id))


def _require_net_zero(staged: StagedAmounts, unbalanced: Mapping[str, Decimal]) -> None:
    # A broker settles the trades of its clients with each other and keeps nothing of them.
    if unbalanced:
        # The partner's names. Two of them may map to one currency of ours.
        written: dict[str, list[str]] = {}
        for name, currency in zip(staged.names, staged.currencies, strict=True):
            written.setdefault(currency, []).append(name)
        sums = {" and ".join(written[currency]): f"{quantity:f}" for currency, quantity in unbalanced.items()}
        currency, quantity = next(iter(sums.items()))
        raise InvalidRequestError(
            "amounts_not_net_zero",
            f"settlementAmounts: a broker's amounts must sum to zero, those of {currency} sum to {quantity}",
            {"sums": sums},
        )


def _paths(groups: Sequence[Group]) -> dict[str, tuple[str, ...]]:
    """Returns each connection once, with the path of its first amounts, in the order of these paths."""
    paths = {path[depth - 1]: path[:depth] for path, _ in reversed(groups) for depth in range(1, len(path) + 1)}
    return dict(sorted(paths.items(), key=lambda found: found[1]))


def _network_accounts(paths: Mapping[str, tuple[str, ...]], own: Mapping[UUID, UUID]) -> list[UUID]:
    """Returns the account of each connection. All must be the partner's."""
    wanted = {connection_id: UUID(connection_id) for connection_id in paths}
    missing = [connection_id for connection_id, key in wanted.items() if key not in own]
    if missing:
        raise InvalidRequestError(
            "connection_unknown",
            f"{_entry(paths[missing[0]])}: you have no such connection",
            {"connectionIds": missing[:_ENTRIES_NAMED], "connectionCount": len(missing)},
        )
    return [own[key] for key in wanted.values()]


def _refuse_unmapped(groups: Sequence[Group], unmapped: list[str]) -> None:
    where = next(path for path, given in groups if unmapped[0] in given)
    raise InvalidRequestError(
        "currency_unmapped",
        f"{_entry((*where, unmapped[0]))}: your configuration maps no such currency",
        {"currencies": unmapped[:_ENTRIES_NAMED], "currencyCount": len(unmapped)},
    )


def _arrays(
    groups: Sequence[Group], connection_ids: Iterable[str], names: list[str], *, between_connections: bool
) -> AmountArrays:
    """Returns the amounts as the database takes them, still without the accounts of their connections."""
    places = {connection_id: str(place) for place, connection_id in enumerate(connection_ids, start=1)}
    numbers = {name: str(number) for number, name in enumerate(names, start=1)}
    sides = [(places[path[0]], places[path[-1]], given) for path, given in groups]
    return AmountArrays(
        connection_ids=[UUID(connection_id) for connection_id in places],
        account_ids=(),
        places=[place for _, place, given in sides for _ in given],
        sources=[source for source, _, given in sides for _ in given] if between_connections else None,
        currency_numbers=[numbers[name] for _, given in groups for name in given],
        amounts=[amount for _, given in groups for amount in given.values()],
    )
