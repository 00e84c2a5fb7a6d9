"""Allocating funds to a partner and taking them back. Protocol §4.

One transaction holds the funds; then the partner is asked, outside of any (``asking``); another one carries out
its answer (``settling``). A partner without a callback answers yes to everything (§4.5), so that both steps are
taken in the one transaction; the journal and the events tell them apart all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from clearwindow.access.values import Member
from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import Balance
from clearwindow.allocations import asking, policies, rules, settling, store, tellings
from clearwindow.allocations import parties as between
from clearwindow.allocations.parties import Parties
from clearwindow.allocations.values import (
    Allocation,
    AllocationStatus,
    AllocationType,
    AskedAllocation,
    Refusal,
)
from clearwindow.audit import service as audit
from clearwindow.database.pool import Transaction
from clearwindow.errors import InvalidRequestError
from clearwindow.runtime import Runtime
from clearwindow.signing import service as signing
from clearwindow.signing.values import SignedRequest


@dataclass(frozen=True, slots=True)
class Outcome:
    """The record of a request; ``replayed`` where an earlier identical request had made it."""

    allocation: Allocation
    replayed: bool
    details: Mapping[str, object] | None = None


def require_connection(runtime: Runtime, member: Member, connection_id: UUID) -> None:
    """Whether a request that is about to be signed names a connection of the client."""
    with runtime.transaction() as tx:
        between.of_client(tx, member, connection_id)


def submit(runtime: Runtime, member: Member, asked: AskedAllocation, request: SignedRequest) -> Outcome:
    """Carries the request out, or goes on with it where it was sent before and the partner has not answered."""
    outcome = _admit(runtime, member, asked, request)
    allocation = asking.follow_up(runtime, outcome.allocation, leased=not outcome.replayed)
    return replace(outcome, allocation=allocation)


def _admit(runtime: Runtime, member: Member, asked: AskedAllocation, request: SignedRequest) -> Outcome:
    """Holds the funds, or records why it cannot: a refusal commits, because its record must exist."""
    with runtime.transaction() as tx:
        parties = between.of_client(tx, member, asked.connection_id)
        recorded = _recorded(tx, asked)
        if recorded is None:
            asked = replace(asked, currency=_currency(tx, asked, parties))
        signing.verify(tx, parties.client.go_account_id, request)
        if not signing.use_nonce(tx, member.enterprise_id, request, conflict=InvalidRequestError):
            return _replayed(_recorded(tx, asked), request)
        if recorded is not None:
            raise _external_id_taken()
        return _begin(tx, runtime, member, asked, request, parties)


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


def _begin(
    tx: Transaction,
    runtime: Runtime,
    member: Member,
    asked: AskedAllocation,
    request: SignedRequest,
    parties: Parties,
) -> Outcome:
    source, destination = parties.ends(asked.type, asked.currency)
    balance = accounts.lock_balances(tx, [source, destination])[source]
    new = _new_allocation(tx, runtime, member, asked, request, parties)
    why = rules.refusal(asked.type, parties.client, parties.partner, parties.connection, balance, asked.quantity)
    verdict = None
    if why is None:
        verdict = policies.evaluate(tx, runtime, new, parties)
        reserved = settling.reserve(tx, runtime, verdict.allocation, parties)
        done = reserved if verdict.wish else asking.proceed(tx, runtime, reserved, parties)
        history, details = ([done] if done.status is reserved.status else [reserved, done]), None
    else:
        done = rules.released(new, why, tx.now())
        store.insert_allocation(tx, done)
        history, details = [done], _details(done, balance)
    tellings.tell(tx, history, parties.client, parties.partner, parties.currencies)
    # The signed text is the proof of what the client asked for.
    evidence = {"status": str(done.status), "payload": request.payload, "signature": request.signature}
    audit.record(tx, member, f"{asked.type}.submitted", done.id, **evidence)
    if verdict is not None and verdict.wish is not None:
        policies.request_approval(tx, member, done, verdict.wish)
    return Outcome(done, replayed=False, details=details)


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
