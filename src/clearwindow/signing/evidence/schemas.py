"""Evidence on the wire, and the filters of its lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from clearwindow.api.filters import CursorPage, Many, Moment, Texts, Uuids, require_range
from clearwindow.api.schema import ShortText, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.signing.evidence.models import Evidence, EvidenceFilter, FullEvidence
from clearwindow.signing.models import Operation

_KEY_BYTES = 33
Operations = Many[Annotated[Operation, Field(strict=False)]]


class EvidenceFilters(CursorPage):
    """The filters that members and operators share. ``receivedBefore`` is exclusive, ``…OnOrAfter`` inclusive."""

    operations: Operations = None
    subject_ids: Uuids = None
    nonces: Texts = None
    received_on_or_after: Moment = None
    received_before: Moment = None

    @model_validator(mode="after")
    def _require_a_range(self) -> Self:
        names = ("receivedOnOrAfter", "receivedBefore")
        require_range(self.received_on_or_after, self.received_before, names=names)
        return self

    def filter(self, enterprise_id: str | None) -> EvidenceFilter:
        return EvidenceFilter(
            enterprise_id=enterprise_id,
            operations=self.operations,
            subject_ids=self.subject_ids,
            nonces=self.nonces,
            received_on_or_after=self.received_on_or_after,
            received_before=self.received_before,
            part=self.slice,
        )


class OperatorEvidenceFilters(EvidenceFilters):
    enterprise_id: ShortText | None = None


class SignedRequestOutput(WireModel):
    """An accepted signed request.

    ``subjectId`` is the settlement, dispute, dispute closure, allocation, connection, account or endpoint that it
    made, changed or repeated; for deposits their settlement. ``pathIds`` are the ids of the path of the request.
    ``payloadSha256`` is the SHA-256 of the payload's UTF-8 bytes.
    """

    id: str
    operation: Operation
    enterprise_id: str
    go_account_id: str
    subject_id: str
    path_ids: dict[str, str]
    nonce: str | None = None
    payload_bytes: int
    payload_sha256: str
    signature: str
    public_key: str
    received_at: str


class FullSignedRequestOutput(SignedRequestOutput):
    """The same with the payload, exactly as it was signed, and with the account's active keys at that time.

    The payload of a new connection is left out: it holds the connection's key, which is never returned.
    """

    payload: str | None = None
    active_keys: list[str]


class SignedRequestsAnswer(WireModel):
    signed_requests: list[SignedRequestOutput]


class SignedRequestAnswer(WireModel):
    signed_request: FullSignedRequestOutput


def signed_requests_answer(found: Sequence[Evidence]) -> SignedRequestsAnswer:
    outputs = [SignedRequestOutput.model_validate(_fields(evidence)) for evidence in found]
    return SignedRequestsAnswer(signed_requests=outputs)


def signed_request_answer(found: FullEvidence) -> SignedRequestAnswer:
    keys = range(0, len(found.key_set), _KEY_BYTES)
    more = present(
        payload=found.payload,
        active_keys=[found.key_set[start : start + _KEY_BYTES].hex() for start in keys],
    )
    return SignedRequestAnswer(signed_request=FullSignedRequestOutput.model_validate(_fields(found) | more))


def _fields(evidence: Evidence) -> dict[str, object]:
    return present(
        id=str(evidence.id),
        operation=evidence.operation,
        enterprise_id=evidence.enterprise_id,
        # Go Accounts are wallets: their ids are written without hyphens.
        go_account_id=evidence.account_id.hex,
        subject_id=str(evidence.subject_id),
        path_ids=evidence.path_ids,
        nonce=evidence.nonce,
        payload_bytes=evidence.payload_bytes,
        payload_sha256=evidence.payload_sha256.hex(),
        signature=evidence.signature,
        public_key=evidence.public_key.hex(),
        received_at=wire_time(evidence.received_at),
    )
