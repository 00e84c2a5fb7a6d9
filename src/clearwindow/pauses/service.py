"""Operators pause and resume. One operator is enough to pause, at once; to resume needs two. Protocol §5."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from clearwindow.core.errors import InvalidRequestError, NotFoundError
from clearwindow.core.ids import NIL, parse_go_account_id, parse_uuid
from clearwindow.core.money import canonical_currency
from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Operator
from clearwindow.pauses import events, rules, store
from clearwindow.pauses.models import Pause, PauseFilter, PauseKind, Subject
from clearwindow.postgres.paging import Listing
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime

WAIT_SECONDS: Final = 60.0
"""How long a pause waits for writes that are under way. They are seconds long; an emergency does not give up."""


def subject_of(kind: PauseKind, named: str | None) -> Subject:
    """Returns what a request wants to pause. An id that is none is that of nothing.

    Raises:
        InvalidRequestError: there is an id for the network, or none for anything else.
    """
    if (kind is PauseKind.NETWORK) != (named is None):
        raise InvalidRequestError(
            "pause_subject_unclear", "id: give it for a partner, client, currency or account, not for the network"
        )
    if named is None:
        return Subject(kind)
    if kind is PauseKind.CURRENCY:
        return Subject(kind, currency=canonical_currency(named))
    if kind is PauseKind.ACCOUNT:
        return Subject(kind, go_account_id=parse_go_account_id(named) or NIL)
    known = parse_uuid(named) or NIL
    return Subject(kind, partner_id=known) if kind is PauseKind.PARTNER else Subject(kind, client_id=known)


def pause(runtime: Runtime, actor: Operator, subject: Subject, reason: str) -> tuple[Pause, bool]:
    """Pauses the subject when all writes under way have ended. Returns the pause, and whether it stood already.

    What is paused already stays so since then. If somebody has asked to resume it, that request falls.

    Raises:
        NotFoundError: there is no such subject.
    """
    with runtime.transaction() as tx:
        if not store.is_known(tx, subject):
            raise NotFoundError("pause_subject_unknown", f"id: there is no {subject.kind} with this id")
        with tx.waiting_for_locks(WAIT_SECONDS):
            store.lock(tx)
        standing = store.find_standing(tx, subject)
        if standing is not None:
            return _again(tx, actor, standing, reason), True
        made = Pause(
            tx.new_id(),
            subject.kind,
            subject.partner_id,
            subject.client_id,
            subject.currency,
            subject.go_account_id,
            reason,
            actor.operator_id,
            tx.now(),
        )
        store.insert(tx, made)
        events.record(tx, EventType.PAUSE_STARTED, made)
        details = {"kind": made.kind.value, **rules.subject_fields(subject)}
        audit.record(tx, actor, "pause.started", made.id, reason=reason, **details)
        return made, False


def resume(tx: Transaction, actor: Operator, pause_id: UUID, reason: str | None, *, confirmations: int) -> Pause:
    """Asks to end a pause, or ends it if another operator has asked, or if no confirmation is needed.

    Raises:
        NotFoundError: there is no such pause.
        ConflictError: it has ended.
    """
    before = store.lock_one(tx, pause_id)
    if before is None:
        raise _unknown()
    after = rules.resumed(before, actor.operator_id, reason, tx.now(), confirmations=confirmations)
    if after == before:
        return before
    store.update(tx, after)
    if after.stands:
        audit.record(tx, actor, "pause.resume_requested", after.id, reason=reason)
    else:
        events.record(tx, EventType.PAUSE_ENDED, after)
        audit.record(tx, actor, "pause.ended", after.id, reason=reason)
    return after


def get(runtime: Runtime, pause_id: UUID) -> Pause:
    with runtime.transaction() as tx:
        found = store.find(tx, pause_id)
    if found is None:
        raise _unknown()
    return found


def list_pauses(runtime: Runtime, wanted: PauseFilter) -> Listing[Pause]:
    with runtime.transaction() as tx:
        return store.list_pauses(tx, wanted)


def standing_counts(runtime: Runtime) -> dict[PauseKind, int]:
    """Returns how many pauses of each kind stand, for those kinds that have any."""
    with runtime.transaction() as tx:
        return {found.kind: found.count for found in store.count_standing(tx)}


def _again(tx: Transaction, actor: Operator, standing: Pause, reason: str) -> Pause:
    # The lock on the table keeps whoever would resume it, too.
    kept = rules.again(standing)
    if kept != standing:
        store.update(tx, kept)
        audit.record(tx, actor, "pause.kept", kept.id, reason=reason)
    return kept


def _unknown() -> NotFoundError:
    return NotFoundError("pause_unknown", "there is no pause with this id")
