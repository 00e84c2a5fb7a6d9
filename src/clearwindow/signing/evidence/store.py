"""Reads and writes of evidence. It is written in the transaction of what the request did, and never changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.postgres.asking import Later
from clearwindow.postgres.paging import Listing, Order, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.signing.evidence.models import Evidence, EvidenceFilter, FullEvidence
from clearwindow.signing.models import Operation, VerifiedRequest

sql: Final = Queries("clearwindow.signing.evidence")
_LAST_RECEIVED_FIRST: Final = Order({"received_at": datetime, "number": int})


@dataclass(frozen=True, slots=True)
class Kept:
    """Whether the request has its nonce and its text to itself. Its evidence is kept only if it has both."""

    has_nonce: bool
    has_text: bool


@dataclass(frozen=True, slots=True)
class TextUse:
    """The one thing that a text was accepted for."""

    operation: Operation
    subject_id: UUID


def keep_with_nonce(
    tx: Transaction, enterprise_id: str, verified: VerifiedRequest, subject_id: UUID
) -> Later[Kept]:
    """Uses the nonce and the text up, and keeps the evidence, unless one of both was used before."""
    return tx.ask.one(Kept, sql["keep_with_nonce"], **_values(tx, enterprise_id, verified, subject_id))


def keep_beside_nonce(tx: Transaction, enterprise_id: str, verified: VerifiedRequest, subject_id: UUID) -> bool:
    """Keeps the evidence of a request whose nonce is used up already, or that has none. Once for each text.

    Returns False, and keeps nothing, if the text was accepted for something else.
    """
    values = _values(tx, enterprise_id, verified, subject_id)
    if not tx.run(sql["use_text"], **values):
        use = find_text_use(tx, verified)
        if use != TextUse(verified.request.operation, subject_id):
            return False
    tx.run(sql["keep_beside_nonce"], **values)
    return True


def find_text_use(tx: Transaction, verified: VerifiedRequest) -> TextUse | None:
    """Returns what the text was accepted for, if the same key signed it then. Locks nothing."""
    digest = hashlib.sha256(verified.request.payload.encode()).digest()
    return tx.first(TextUse, sql["find_text_use"], public_key=verified.public_key, payload_sha256=digest)


def find(tx: Transaction, evidence_id: UUID, enterprise_id: str | None) -> FullEvidence | None:
    """Returns the evidence, if the enterprise signed it or if ``enterprise_id`` is None."""
    return tx.first(FullEvidence, sql["find_request"], id=evidence_id, enterprise_id=enterprise_id)


def list_evidence(tx: Transaction, wanted: EvidenceFilter) -> Listing[Evidence]:
    values = {
        "enterprise_id": wanted.enterprise_id,
        "operations": _listed(wanted.operations),
        "subject_ids": _listed(wanted.subject_ids),
        "nonces": _listed(wanted.nonces),
        "received_on_or_after": wanted.received_on_or_after,
        "received_before": wanted.received_before,
    }
    return keyset_page(tx, Evidence, sql["list_requests"], values, _LAST_RECEIVED_FIRST, wanted.part)


def seal_context(evidence_id: UUID) -> str:
    """Returns what binds an encrypted payload to its evidence."""
    return f"signed-request:{evidence_id}"


def _values(tx: Transaction, enterprise_id: str, verified: VerifiedRequest, subject_id: UUID) -> dict[str, object]:
    request = verified.request
    payload = request.payload.encode()
    evidence_id = tx.new_id()
    # The payload of a new connection holds its key, which is stored only encrypted.
    sealed = request.operation is Operation.CONNECTION_CREATE
    return {
        "id": evidence_id,
        "enterprise_id": enterprise_id,
        "account_id": verified.account_id,
        "operation": request.operation,
        "subject_id": subject_id,
        "path_ids": Jsonb(dict(request.path_ids)),
        "nonce": request.nonce or None,
        "payload": None if sealed else request.payload,
        "payload_bytes": len(payload),
        "payload_sha256": hashlib.sha256(payload).digest(),
        "signature": request.signature,
        "signature_sha256": hashlib.sha256(request.signature.encode()).digest(),
        "public_key": verified.public_key,
        "key_set": verified.key_set,
        "key_set_sha256": hashlib.sha256(verified.key_set).digest(),
        "request_sha256": request.sha256,
        "ciphertext": tx.vault.encrypt(payload, context=seal_context(evidence_id)) if sealed else None,
        "now": tx.now(),
    }


def _listed(values: object) -> object:
    return None if values is None else list(values)  # type: ignore[call-overload]
