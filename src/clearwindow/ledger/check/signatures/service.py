"""Verifies every kept signed request again, in batches of bounded size, in one snapshot. Protocol §3."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag

from clearwindow.core.vault import Vault
from clearwindow.ledger.check import service as ledger_check
from clearwindow.ledger.check.service import ROWS_SHOWN, Finding
from clearwindow.ledger.check.signatures import contents
from clearwindow.ledger.check.signatures.models import (
    AccountRecord,
    AllocationRecord,
    ClosureRecord,
    ConnectionRecord,
    DepositRecord,
    DisputeRecord,
    EndpointRecord,
    KeptRequest,
    MovedAmounts,
    Records,
    SettlementRecord,
    SignatureReport,
    StandingTopUpRecord,
)
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.signing.evidence.store import seal_context
from clearwindow.signing.keys import KeyFormatError, PublicKey
from clearwindow.signing.message import SignatureFormatError, verify_message
from clearwindow.signing.models import request_digest

sql: Final = Queries("clearwindow.ledger.check.signatures")

_ROWS_AT_ONCE: Final = 500
_BYTES_AT_ONCE: Final = 8 * 1024 * 1024
_KEY_BYTES: Final = 33

SIGNATURE_INVARIANTS: Final[Mapping[str, str]] = {
    "evidence_is_as_received": "every signed request is kept as it was received: its bytes have their digests",
    "signature_is_valid": "every signature is valid, and its key was one of the account's active keys",
    "record_is_as_signed": "every record is there, and is what its signed requests ask for",
    "record_has_its_evidence": "every record made since evidence is kept has the signed request that made it",
    "nonce_has_its_texts": "every nonce used since then has as many signed requests as it states",
}
"""What must be true of signatures, by name."""

Progress = Callable[[int, int], None]
"""Called with how many signed requests are verified, of how many."""


@dataclass(slots=True)
class _Found:
    """The first rows that violate an invariant, and the number of all."""

    counts: Counter[str] = field(default_factory=Counter)
    rows: dict[str, list[Mapping[str, str | None]]] = field(default_factory=dict)

    def add(self, invariant: str, kept: KeptRequest, problem: str) -> None:
        self.counts[invariant] += 1
        rows = self.rows.setdefault(invariant, [])
        if len(rows) < ROWS_SHOWN:
            given = {"signed_request": str(kept.id), "operation": kept.operation, "subject": str(kept.subject_id)}
            rows.append({**given, "problem": problem})

    def findings(self) -> Iterator[Finding]:
        for invariant, message in SIGNATURE_INVARIANTS.items():
            if invariant in self.rows:
                yield Finding(
                    invariant, f"violated: {message}", self.counts[invariant], tuple(self.rows[invariant])
                )


def check_signatures(tx: Transaction, vault: Vault, progress: Progress) -> SignatureReport:
    """Verifies all kept signed requests, and that every record made since evidence is kept has its own.

    The transaction must be new; it becomes a read-only snapshot. Memory is bounded: at most 8 MiB of payloads, or
    one payload, and the amounts of one settlement.
    """
    tx.run(ledger_check.sql["begin_snapshot"])
    tx.run(sql["without_timeout"])
    return verify_all(tx, vault, progress)


def verify_all(tx: Transaction, vault: Vault, progress: Progress) -> SignatureReport:
    """Verifies what this transaction sees, including its uncommitted changes."""
    (total,) = tx.scalars(int, sql["count_requests"])
    found, verified = _Found(), 0
    for first, last in _batches(tx):
        batch = tx.all(KeptRequest, sql["read_batch"], first=first, last=last)
        records = _records(tx, batch)
        for kept in batch:
            _verify(tx, vault, kept, records, found)
        verified += len(batch)
        progress(verified, total)
    findings = list(found.findings())
    for invariant in ("record_has_its_evidence", "nonce_has_its_texts"):
        missing = ledger_check.finding(tx, sql[invariant], invariant, SIGNATURE_INVARIANTS[invariant])
        if missing is not None:
            findings.append(missing)
    older = tx.records(sql["made_before_evidence"])
    return SignatureReport(findings, verified, {str(row["record"]): int(str(row["records"])) for row in older})


def _batches(tx: Transaction) -> Iterator[tuple[int, int]]:
    """Yields the first and the last number of each batch."""
    after = 0
    while True:
        sizes = [
            (int(str(row["number"])), int(str(row["bytes"])))
            for row in tx.records(sql["next_sizes"], after=after, limit=_ROWS_AT_ONCE)
        ]
        if not sizes:
            return
        first, size = sizes[0][0], 0
        for number, bytes_of in sizes:
            if size and size + bytes_of > _BYTES_AT_ONCE:
                yield first, after
                first, size = number, 0
            size += bytes_of
            after = number
        yield first, after


def _records(tx: Transaction, batch: Sequence[KeptRequest]) -> Records:
    ids = list({kept.subject_id for kept in batch})
    deposits: dict[UUID, list[DepositRecord]] = {}
    for deposit in tx.all(DepositRecord, sql["deposits_of"], ids=ids):
        deposits.setdefault(deposit.settlement_id, []).append(deposit)
    return Records(
        settlements={found.id: found for found in tx.all(SettlementRecord, sql["settlements_of"], ids=ids)},
        deposits=deposits,
        disputes={found.id: found for found in tx.all(DisputeRecord, sql["disputes_of"], ids=ids)},
        closures={found.id: found for found in tx.all(ClosureRecord, sql["closures_of"], ids=ids)},
        allocations={found.id: found for found in tx.all(AllocationRecord, sql["allocations_of"], ids=ids)},
        connections={found.id: found for found in tx.all(ConnectionRecord, sql["connections_of"], ids=ids)},
        endpoints={found.id: found for found in tx.all(EndpointRecord, sql["endpoints_of"], ids=ids)},
        accounts={found.id: found for found in tx.all(AccountRecord, sql["accounts_of"], ids=ids)},
        standing_top_ups={
            found.id: found for found in tx.all(StandingTopUpRecord, sql["standing_top_ups_of"], ids=ids)
        },
    )


def _verify(tx: Transaction, vault: Vault, kept: KeptRequest, records: Records, found: _Found) -> None:
    payload = _payload(vault, kept)
    if payload is None:
        found.add("evidence_is_as_received", kept, "the encrypted payload is missing or cannot be read")
        return
    changed = _changed(kept, payload)
    if changed:
        found.add("evidence_is_as_received", kept, f"other bytes than were received: {', '.join(changed)}")
    problem = _problem_of_key(kept) or _problem_of_signature(kept, payload)
    if problem is not None:
        found.add("signature_is_valid", kept, problem)
    differing = _differing(tx, kept, payload, records)
    if differing:
        found.add("record_is_as_signed", kept, f"differs in {', '.join(differing)}")


def _payload(vault: Vault, kept: KeptRequest) -> str | None:
    if kept.payload is not None:
        return kept.payload
    try:
        return vault.decrypt(kept.ciphertext or b"", context=seal_context(kept.id)).decode()
    except (InvalidTag, ValueError):
        return None


def _changed(kept: KeptRequest, payload: str) -> list[str]:
    text = payload.encode()
    same = {
        "payload": (kept.payload_bytes, kept.payload_sha256) == (len(text), hashlib.sha256(text).digest()),
        "signature": kept.signature_sha256 == hashlib.sha256(kept.signature.encode()).digest(),
        "request": kept.request_sha256 == request_digest(kept.path_ids, payload, kept.signature),
    }
    return [name for name, is_same in same.items() if not is_same]


def _problem_of_key(kept: KeptRequest) -> str | None:
    keys = kept.public_keys
    if keys is None or hashlib.sha256(keys).digest() != kept.key_set_sha256:
        return "the set of active keys is missing or was changed"
    if kept.public_key not in {keys[start : start + _KEY_BYTES] for start in range(0, len(keys), _KEY_BYTES)}:
        return "the key was not among the active keys"
    return None if kept.is_accounts_key else "the key was never one of this Go Account of this enterprise"


def _problem_of_signature(kept: KeptRequest, payload: str) -> str | None:
    try:
        signer = verify_message([PublicKey(kept.public_key)], payload, kept.signature)
    except (KeyFormatError, SignatureFormatError) as error:
        return error.message
    return None if signer is not None else "the key did not make this signature of the payload"


def _differing(tx: Transaction, kept: KeptRequest, payload: str, records: Records) -> list[str]:
    try:
        fields = json.loads(payload)
    except ValueError:
        return ["payload"]
    return contents.differing_fields(kept, fields, records, lambda settlement_id: _moved(tx, settlement_id))


def _moved(tx: Transaction, settlement_id: UUID) -> MovedAmounts:
    """Returns what the settlement's own transfers move. Those of dispute closures are not the partner's request."""
    return {
        (row["counterparty_connection_id"], row["connection_id"], str(row["currency"])): int(str(row["quantity"]))  # type: ignore[misc]
        for row in tx.records(sql["amounts_of_settlement"], id=settlement_id)
        if row["quantity"]
    }
