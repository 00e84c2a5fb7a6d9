"""Signed requests as values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from clearwindow.core.strict_json import JsonValue


class Operation(StrEnum):
    """What a signed request asks for. Programs may rely on these names. Protocol §11."""

    SETTLEMENT_STAGE = "settlement.stage"
    SETTLEMENT_IMMEDIATE = "settlement.immediate"
    SETTLEMENT_ONCHAIN = "settlement.onchain"
    SETTLEMENT_DEPOSITS = "settlement.deposits"
    SETTLEMENT_WITHDRAW = "settlement.withdraw"
    ALLOCATION = "allocation"
    DEALLOCATION = "deallocation"
    ALLOCATION_DECIDE = "allocation.decide"
    DEALLOCATION_DECIDE = "deallocation.decide"
    CONNECTION_CREATE = "connection.create"
    DISPUTE_RAISE = "dispute.raise"
    DISPUTE_UPDATE = "dispute.update"
    DISPUTE_CLOSE = "dispute.close"
    ACCOUNT_REQUIRE_INTENT = "account.require_intent"
    CONNECTION_UPDATE = "connection.update"
    WEBHOOK_ENDPOINT_CREATE = "webhook_endpoint.create"
    WEBHOOK_ENDPOINT_UPDATE = "webhook_endpoint.update"
    WEBHOOK_ENDPOINT_DELETE = "webhook_endpoint.delete"
    LOSS_LIMITS_CHANGE = "loss_limits.change"
    APPROVAL_THRESHOLDS_CHANGE = "approval_thresholds.change"
    DAILY_APPROVAL_THRESHOLDS_CHANGE = "daily_approval_thresholds.change"
    CUSTODIAN_LIMITS_CHANGE = "custodian_limits.change"
    STANDING_TOP_UP_CREATE = "standing_top_up.create"
    WEBHOOK_ENDPOINT_ROTATE_SECRET = "webhook_endpoint.rotate_secret"  # noqa: S105 - a name, not a secret


@dataclass(frozen=True, slots=True)
class Intent:
    """What a payload says that it is for. Protocol §11.

    Attributes:
        members: its ``operation``, ``amountUnit`` and ``expiresAt``, those that it has.
        named: the names of the ids of the path that it has.
    """

    members: Mapping[str, JsonValue]
    named: frozenset[str]


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A signed body as it arrived. ``fields`` is the whole body, ``path_ids`` are the ids of the path by name.

    ``nonce`` is empty if the operation has none. ``intent`` is None until the payload was compared with the body.
    """

    operation: Operation
    payload: str
    signature: str
    nonce: str
    fields: Mapping[str, JsonValue]
    path_ids: Mapping[str, str]
    intent: Intent | None = None

    @property
    def sha256(self) -> bytes:
        """The digest that only a byte-identical repeat on the same path shares.

        The payload equals all other fields, but need not have the path's ids. They are part of the digest, so that
        a text signed for one settlement or dispute is no repeat on another.
        """
        return request_digest(self.path_ids, self.payload, self.signature)


def request_digest(path_ids: Mapping[str, str], payload: str, signature: str) -> bytes:
    """Returns the SHA-256 that ``SignedRequest.sha256`` describes."""
    text = json.dumps([dict(path_ids), payload, signature], sort_keys=True)
    return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """A signed request whose signature was found valid, with the account and the keys that were active then.

    Attributes:
        public_key: the key that signed, compressed.
        active_keys: all active keys of the account, compressed, in any order.
    """

    request: SignedRequest
    account_id: UUID
    public_key: bytes
    active_keys: Sequence[bytes]

    @property
    def key_set(self) -> bytes:
        """All active keys, each once, in ascending order: the form in which a set of keys is kept."""
        return b"".join(sorted(set(self.active_keys)))
