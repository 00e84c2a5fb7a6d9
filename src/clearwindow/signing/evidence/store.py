"""Reads and writes of evidence. It is written in the transaction of what the request did, and never changed."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.postgres.asking import Later
from clearwindow.postgres.paging import Listing, list_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.signing.evidence.models import Evidence, EvidenceFilter, FullEvidence
from clearwindow.signing.models import Operation, VerifiedRequest

sql: Final = Queries("clearwindow.signing.evidence")


def keep_with_nonce(
    tx: Transaction, enterprise_id: str, verified: VerifiedRequest, subject_id: UUID
) -> Later[bool]:
    """Uses the nonce up and keeps the evidence. If the nonce was used before, returns False and keeps nothing."""
    values = _values(tx, enterprise_id, verified, subject_id)
    return tx.ask.scalars(int, sql["keep_with_nonce"], **values).then(bool)


def keep_beside_nonce(tx: Transaction, enterprise_id: str, verified: VerifiedRequest, subject_id: UUID) -> None:
    """Keeps the evidence of a request whose nonce is used up already, or that has none. Once for each text."""
    tx.run(sql["keep_beside_nonce"], **_values(tx, enterprise_id, verified, subject_id))


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
    return list_page(tx, Evidence, sql["list_requests"], values, limit=wanted.limit, offset=wanted.offset)


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
