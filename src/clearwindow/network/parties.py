"""The partner or client that a request acts for, and the lock of a partner."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from clearwindow.core.errors import PermissionDeniedError
from clearwindow.network import store
from clearwindow.network.models import Client, Partner
from clearwindow.postgres.asking import Later
from clearwindow.postgres.pool import Transaction

WORKERS_WAIT_SECONDS: Final = 60.0
"""How long a worker waits for a partner: longer than a request, whose turn it would otherwise lose."""


def require_partner(tx: Transaction, enterprise_id: str) -> Partner:
    """Returns the enterprise as a partner. Routes for partners check this first."""
    return as_partner(store.find_partner(tx, enterprise_id=enterprise_id))


def as_partner(found: Partner | None) -> Partner:
    """Returns the partner that a route for partners has found."""
    if found is None:
        raise PermissionDeniedError("not_a_partner", "the enterprise is not a partner: make it one first")
    return found


def require_client(tx: Transaction, enterprise_id: str) -> Client:
    """Returns the enterprise as a client. Routes for clients check this first."""
    client = store.find_client(tx, enterprise_id=enterprise_id)
    if client is None:
        raise PermissionDeniedError("not_a_client", "the enterprise is not a client: make it one first")
    return client


def require_licence(tx: Transaction, enterprise_id: str, partner_id: UUID) -> None:
    """Requires that the enterprise may open connections and allocate to the partner (choice C123)."""
    if not store.licences(tx, enterprise_id, [partner_id])[partner_id].licensed:
        raise PermissionDeniedError(
            "partner_not_licensed",
            "the enterprise has no licence for this partner: ask the operator; funds can still be taken back",
        )


def lock_partner(tx: Transaction, partner_id: UUID) -> Partner:
    """Locks a partner that must exist until the transaction ends, and returns it.

    Settlements of one partner are staged and executed one after the other under this lock.
    """
    return ask_lock(tx, partner_id)()


def ask_lock(tx: Transaction, partner_id: UUID) -> Later[Partner]:
    """Does the same, and returns the partner later."""
    store.lock_partner(tx, partner_id)
    # Read after the lock: the partner may have changed while this transaction waited.
    return store.ask_partner(tx, partner_id=partner_id).then(_existing)


def _existing(found: Partner | None) -> Partner:
    if found is None:
        raise LookupError("a partner that a stored row names does not exist")
    return found


def claim_partner(tx: Transaction, partner_id: UUID) -> Partner | None:
    """Locks the partner for a worker and returns it, or returns None if another worker waits for it or has it.

    A worker waits its turn behind the requests that came before it, and none that comes later overtakes it: a
    deadline is a promise. Only one worker waits for each partner, so that a busy partner does not keep all of them.

    Raises:
        LockNotAvailable: requests have kept the lock for longer than a worker waits.
    """
    if not store.claim_partner(tx, partner_id):
        return None
    with tx.waiting_for_locks(WORKERS_WAIT_SECONDS):
        return lock_partner(tx, partner_id)
