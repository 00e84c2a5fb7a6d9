"""A nonce serves one request of an enterprise, and the record that it made or repeated. Protocol §3.

The nonce and the evidence of its request are written by one statement.
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


def claim(tx: Transaction, enterprise_id: str, verified: VerifiedRequest, record_id: UUID) -> bool:
    """Uses the nonce up for a record, and keeps the evidence of the request.

    Returns False if a request has used the nonce before, this one or another. Waits for a concurrent use of the
    same nonce to end.
    """
    return evidence.keep_with_nonce(tx, enterprise_id, verified, record_id)()


def use(
    tx: Transaction, enterprise_id: str, verified: VerifiedRequest, conflict: type[RequestError], record_id: UUID
) -> bool:
    """Uses the nonce up. Returns True the first time, False for a byte-identical repeat for the same record.

    Raises:
        RequestError: of the kind ``conflict`` if another request has used the nonce.
    """
    return ask_use(tx, enterprise_id, verified, conflict, record_id)()


def ask_use(
    tx: Transaction, enterprise_id: str, verified: VerifiedRequest, conflict: type[RequestError], record_id: UUID
) -> Later[bool]:
    """Does the same later. Until its answer was read, the caller must commit nothing."""

    def used(is_new: bool) -> bool:  # noqa: FBT001 - the answer of a statement
        if is_new:
            return True
        if is_repeat(tx, enterprise_id, verified.request, record_id):
            return False
        raise conflict("nonce_used", "the nonce was used by another request: choose a new one")

    return evidence.keep_with_nonce(tx, enterprise_id, verified, record_id).then(used)


def use_again(
    tx: Transaction, enterprise_id: str, verified: VerifiedRequest, conflict: type[RequestError], record_id: UUID
) -> None:
    """Uses up the nonce of the same request signed anew. It may be the nonce that the record was made with.

    The text is kept as evidence for the record in either case.

    Raises:
        RequestError: of the kind ``conflict`` if a request for another record has used the nonce.
    """
    if claim(tx, enterprise_id, verified, record_id):
        return
    request = verified.request
    used = find(tx, enterprise_id, request)
    if used is None or (used.record_id != record_id and not used.serves(request, record_id)):
        raise conflict("nonce_used", "the nonce was used by another request: choose a new one")
    if not used.serves(request, record_id):
        evidence.keep_beside_nonce(tx, enterprise_id, verified, record_id)
