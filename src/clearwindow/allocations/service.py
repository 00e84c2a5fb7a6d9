"""Allocating funds to a partner and taking them back. Protocol §4.

A partner without a callback answers yes to everything (§4.5), so that both steps, reserve and clear, are taken
in the one transaction; the journal and the events tell them apart all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from clearwindow.access.values import Member
from clearwindow.accounts import rules as money
from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import Balance, BalanceKey, Entry, Hold, Movement
from clearwindow.allocations import policies, rules, store, tellings
from clearwindow.allocations.values import (
    Allocation,
    AllocationFilter,
    AllocationStatus,
    AllocationType,
    AskedAllocation,
    Refusal,
)
from clearwindow.audit import service as audit
from clearwindow.database.listing import Listing
from clearwindow.database.pool import Transaction
from clearwindow.errors import InvalidRequestError, NotFoundError
from clearwindow.network import service as network
from clearwindow.network.values import Client, Connection, CurrencyMap, Partner
from clearwindow.runtime import Runtime
from clearwindow.signing import service as signing
from clearwindow.signing.values import SignedRequest


@dataclass(frozen=True, slots=True)
class Outcome:
    """The record of a request; ``replayed`` where an earlier identical request had made it."""

    allocation: Allocation
    replayed: bool
    details: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Parties:
    client: Client
    partner: Partner
    connection: Connection
    currencies: CurrencyMap


def require_connection(runtime: Runtime, member: Member, connection_id: UUID) -> None:
    """Whether a request that is about to be signed names a connection of the client."""
    with runtime.transaction() as tx:
        _parties(tx, member, connection_id)


def submit(runtime: Runtime, member: Member, asked: AskedAllocation, request: SignedRequest) -> Outcome:
    """Carries the request out, or records why it cannot be: a refusal commits, because its record must exist."""
    with runtime.transaction() as tx:
        parties = _parties(tx, member, asked.connection_id)
        recorded = _recorded(tx, asked)
        if recorded is None:
            asked = replace(asked, currency=_currency(tx, asked, parties))
        signing.verify(tx, parties.client.go_account_id, request)
        if not signing.use_nonce(tx, member.enterprise_id, request, conflict=InvalidRequestError):
            return _replayed(_recorded(tx, asked), request)
        if recorded is not None:
            raise _external_id_taken()
        return _carry_out(tx, runtime, member, asked, request, parties)


def allocation_of_client(runtime: Runtime, member: Member, allocation_id: UUID) -> Allocation:
    with runtime.transaction() as tx:
        client = network.require_client(tx, member.enterprise_id)
        found = store.find_allocation(tx, allocation_id)
    if found is None or found.client_id != client.id:
        raise _unknown()
    return found


def allocation_of_partner(runtime: Runtime, member: Member, allocation_id: UUID) -> tuple[Allocation, CurrencyMap]:
    with runtime.transaction() as tx:
        partner = network.require_partner(tx, member.enterprise_id)
        found = store.find_allocation(tx, allocation_id)
        currencies = network.currency_map(tx, partner)
    if found is None or found.partner_id != partner.id:
        raise _unknown()
    return found, currencies


def client_allocations(
    runtime: Runtime, member: Member, wanted: AllocationFilter, *, limit: int, offset: int
) -> Listing[Allocation]:
    with runtime.transaction() as tx:
        client = network.require_client(tx, member.enterprise_id)
        return store.list_allocations(tx, replace(wanted, client_id=client.id), limit=limit, offset=offset)


def partner_allocations(
    runtime: Runtime, member: Member, wanted: AllocationFilter, *, limit: int, offset: int
) -> tuple[Listing[Allocation], CurrencyMap]:
    """The partner's allocations; ``wanted`` names currencies as the partner does."""
    with runtime.transaction() as tx:
        partner = network.require_partner(tx, member.enterprise_id)
        currencies = network.currency_map(tx, partner)
        if wanted.currencies is not None:
            ours = [currencies.to_ours(name) for name in wanted.currencies]
            wanted = replace(wanted, currencies=[found[0] for found in ours if found])
        own = replace(wanted, partner_id=partner.id)
        return store.list_allocations(tx, own, limit=limit, offset=offset), currencies


def _parties(tx: Transaction, member: Member, connection_id: UUID) -> Parties:
    client = network.require_client(tx, member.enterprise_id)
    connection = network.connection_of_client(tx, client.id, connection_id)
    if connection is None:
        raise NotFoundError("connection_unknown", "the enterprise has no connection with this id")
    partner = network.partner_by_id(tx, connection.partner_id)
    if partner is None:
        raise LookupError(f"the connection {connection.id} has no partner")
    return Parties(client, partner, connection, network.currency_map(tx, partner))


def _recorded(tx: Transaction, asked: AskedAllocation) -> Allocation | None:
    return store.find_by_external_id(tx, asked.connection_id, asked.type, asked.client_external_id)


def _currency(tx: Transaction, asked: AskedAllocation, parties: Parties) -> str:
    if asked.type is AllocationType.ALLOCATION:
        return rules.require_mapped(asked.currency, parties.currencies)
    return rules.require_known(asked.currency, accounts.currencies(tx))


def _replayed(recorded: Allocation | None, request: SignedRequest) -> Outcome:
    if recorded is None:
        # The same signed text was sent to another path: it was signed once, for one thing.
        raise InvalidRequestError("nonce_used", "the nonce was used by another request: choose a new one")
    if recorded.request_sha256 != request.sha256:
        raise _external_id_taken()
    return Outcome(recorded, replayed=True)


def _carry_out(
    tx: Transaction,
    runtime: Runtime,
    member: Member,
    asked: AskedAllocation,
    request: SignedRequest,
    parties: Parties,
) -> Outcome:
    go_account = BalanceKey(parties.client.go_account_id, asked.currency)
    network_account = BalanceKey(parties.connection.network_account_id, asked.currency)
    balances = accounts.lock_balances(tx, [go_account, network_account])
    source, destination = rules.direction(asked.type, go_account, network_account)
    new = _new_allocation(tx, runtime, member, asked, request, parties)
    why = rules.refusal(
        asked.type, parties.client, parties.partner, parties.connection, balances[source], asked.quantity
    )
    if why is None:
        verdict = policies.evaluate(tx, runtime, new, parties.client, parties.partner)
        reserved = _reserve(tx, runtime, verdict.allocation, source)
        if reserved.waits_for_approval:
            policies.request_approval(tx, member, verdict)
            done, history = reserved, [reserved]
        else:
            done = _clear(tx, runtime, reserved, source, destination)
            history = [reserved, done]
        details = None
    else:
        done = rules.released(new, why, tx.now())
        store.insert_allocation(tx, done)
        history, details = [done], _details(done, balances[source])
    tellings.tell(tx, history, parties.client, parties.partner, parties.currencies)
    # The signed text is the proof of what the client asked for.
    evidence = {"status": str(done.status), "payload": request.payload, "signature": request.signature}
    audit.record(tx, member, f"{asked.type}.submitted", done.id, **evidence)
    return Outcome(done, replayed=False, details=details)


def _reserve(tx: Transaction, runtime: Runtime, new: Allocation, source: BalanceKey) -> Allocation:
    store.insert_allocation(tx, new)
    post(tx, runtime, new, money.reservation(source, new.quantity), hold(new, source, new.quantity))
    return new


def _clear(
    tx: Transaction, runtime: Runtime, reserved: Allocation, source: BalanceKey, destination: BalanceKey
) -> Allocation:
    cleared = rules.cleared(reserved, tx.now())
    store.move_allocation(tx, cleared, expected=reserved.status)
    movements = money.clearing(source, destination, cleared.quantity)
    post(tx, runtime, cleared, movements, hold(cleared, source, 0))
    return cleared


def post(tx: Transaction, runtime: Runtime, allocation: Allocation, movements: list[Movement], hold: Hold) -> None:
    kind = rules.ENTRY_KINDS[allocation.type, allocation.status]
    entry = Entry(runtime.ids.new(), kind, allocation.id, allocation.partner_id, allocation.client_external_id)
    accounts.post(tx, entry, movements, [hold])


def hold(allocation: Allocation, source: BalanceKey, quantity: int) -> Hold:
    cause = rules.HOLD_CAUSES[allocation.type]
    return Hold(cause, allocation.id, allocation.partner_id, source, quantity)


def _new_allocation(
    tx: Transaction,
    runtime: Runtime,
    member: Member,
    asked: AskedAllocation,
    request: SignedRequest,
    parties: Parties,
) -> Allocation:
    now = tx.now()
    return Allocation(
        id=runtime.ids.new(),
        partner_id=parties.partner.id,
        client_id=parties.client.id,
        connection_id=asked.connection_id,
        type=asked.type,
        status=AllocationStatus.RESERVED,
        currency=asked.currency,
        quantity=asked.quantity,
        client_external_id=asked.client_external_id,
        partner_external_id=None,
        request_sha256=request.sha256,
        initiated_by=member.user_id,
        notes=asked.notes,
        refusal=None,
        reason=None,
        retriable=False,
        created_at=now,
        updated_at=now,
        evaluation_id=None,
        pending_approval_id=None,
        policy_result=None,
    )


def _details(released: Allocation, source: Balance) -> dict[str, object] | None:
    """The numbers behind a shortage; not kept in the record, which the partner sees too."""
    if released.refusal is not Refusal.INSUFFICIENT_FUNDS:
        return None
    return {
        "currency": released.currency,
        "quantity": str(released.quantity),
        "available": str(source.available),
        "shortfall": str(released.quantity - source.available),
    }


def _external_id_taken() -> InvalidRequestError:
    return InvalidRequestError(
        "client_external_id_taken",
        "clientExternalId: another request on this connection has it: choose a new one",
    )


def _unknown() -> NotFoundError:
    """The same answer for another's allocation as for none."""
    return NotFoundError("allocation_unknown", "the enterprise has no allocation with this id")
