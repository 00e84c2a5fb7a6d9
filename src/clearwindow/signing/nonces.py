"""A nonce serves one request of an enterprise, a text one request of a key, and the record that it made.

Nonce, text and the evidence of the request are written by one statement. Protocol §3 and §11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from clearwindow.core.errors import RequestError
from clearwindow.postgres.asking import Later
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.signing.evidence import store as evidence
from clearwindow.signing.models import SignedRequest, VerifiedRequest

sql: Final = Queries("clearwindow.signing")


@dataclass(frozen=True, slots=True)
class UsedNonce:
    """The request that used a nonce. ``record_id`` is None if an older version accepted it."""

    request_sha256: bytes
    record_id: UUID | None

    def serves(self, request: SignedRequest, record_id: UUID) -> bool:
        """Returns whether exactly this request made or repeated the record."""
        return self.request_sha256 == request.sha256 and self.record_id in {record_id, None}


def find(tx: Transaction, enterprise_id: str, request: SignedRequest) -> UsedNonce | None:
    """Returns what has used the request's nonce. Locks nothing."""
    return tx.first(UsedNonce, sql["find_nonce"], enterprise_id=enterprise_id, nonce=request.nonce)


def is_repeat(tx: Transaction, enterprise_id: str, request: SignedRequest, record_id: UUID) -> bool:
    """Returns whether exactly this request was accepted before and made or repeated the record. Locks nothing."""
    used = find(tx, enterprise_id, request)
    return used is not None and used.serves(request, record_id)


def claim(
    tx: Transaction, enterprise_id: str, verified: VerifiedRequest, conflict: type[RequestError], record_id: UUID
) -> bool:
    """Uses the nonce and the text up for a record, and keeps the evidence of the request.

    Returns False if a request has used the nonce before, this one or another. Waits for a concurrent use of the
    same nonce, and then of the same text, to end.

    Raises:
        RequestError: of the kind ``conflict`` if the text was accepted before, for another enterprise.
    """
    return _has_nonce(evidence.keep_with_nonce(tx, enterprise_id, verified, record_id)(), conflict)


def use(
    tx: Transaction, enterprise_id: str, verified: VerifiedRequest, conflict: type[RequestError], record_id: UUID
) -> bool:
    """Uses nonce and text up. Returns True the first time, False for a byte-identical repeat for the same record.

    Raises:
        RequestError: of the kind ``conflict`` if another request has used one of both.
    """
    return ask_use(tx, enterprise_id, verified, conflict, record_id)()


def ask_use(
    tx: Transaction, enterprise_id: str, verified: VerifiedRequest, conflict: type[RequestError], record_id: UUID
) -> Later[bool]:
    """Does the same later. Until its answer was read, the caller must commit nothing."""

    def used(kept: evidence.Kept) -> bool:
        if _has_nonce(kept, conflict):
            return True
        if is_repeat(tx, enterprise_id, verified.request, record_id):
            return False
        raise used_before(tx, verified, conflict)

    return evidence.keep_with_nonce(tx, enterprise_id, verified, record_id).then(used)


def _has_nonce(kept: evidence.Kept, conflict: type[RequestError]) -> bool:
    if kept.has_nonce and not kept.has_text:
        raise _text_used(conflict)
    return kept.has_nonce


def use_again(
    tx: Transaction, enterprise_id: str, verified: VerifiedRequest, conflict: type[RequestError], record_id: UUID
) -> None:
    """Uses up the nonce of the same request signed anew. It may be the nonce that the record was made with.

    The text is kept as evidence for the record in either case.

    Raises:
        RequestError: of the kind ``conflict`` if a request for another record has used the nonce or the text.
    """
    if claim(tx, enterprise_id, verified, conflict, record_id):
        return
    request = verified.request
    used = find(tx, enterprise_id, request)
    if used is None or (used.record_id != record_id and not used.serves(request, record_id)):
        raise used_before(tx, verified, conflict)
    if not used.serves(request, record_id):
        keep_text(tx, enterprise_id, verified, conflict, record_id)


def keep_text(
    tx: Transaction, enterprise_id: str, verified: VerifiedRequest, conflict: type[RequestError], record_id: UUID
) -> None:
    """Uses the text up and keeps the evidence of a request whose nonce is used up already, or that has none.

    Raises:
        RequestError: of the kind ``conflict`` if the text was accepted for something else.
    """
    if not evidence.keep_beside_nonce(tx, enterprise_id, verified, record_id):
        raise _text_used(conflict)


def used_before(tx: Transaction, verified: VerifiedRequest, conflict: type[RequestError]) -> RequestError:
    """Returns the error for a request whose nonce another request has used: perhaps another use of its own text."""
    if evidence.find_text_use(tx, verified) is not None:
        return _text_used(conflict)
    return conflict("nonce_used", "the nonce was used by another request: choose a new one")


def _text_used(conflict: type[RequestError]) -> RequestError:
    # Nothing about the other use: it may be another enterprise's that has the same key.
    return conflict(
        "text_already_used", "payload: this text was accepted before and serves nothing else: sign a new text"
    )
