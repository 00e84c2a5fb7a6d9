"""What an enterprise has signed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.base import OpenText, Value

SignedOperation = Annotated[
    Literal[
        "settlement.stage",
        "settlement.immediate",
        "settlement.onchain",
        "settlement.deposits",
        "settlement.withdraw",
        "allocation",
        "deallocation",
        "allocation.decide",
        "deallocation.decide",
        "connection.create",
        "dispute.raise",
        "dispute.update",
        "dispute.close",
    ],
    OpenText,
]


class SignedRequest(Value):
    """An accepted signed request. ``subject_id`` is the record that it made or repeated."""

    id: str
    operation: SignedOperation
    enterprise_id: str
    go_account_id: str
    subject_id: str
    path_ids: dict[str, str]
    nonce: str | None = None
    payload_bytes: int
    payload_sha256: str
    signature: str
    public_key: str
    received_at: AwareDatetime


class FullSignedRequest(SignedRequest):
    """The same with the payload, and the account's active keys at that time.

    ``payload`` is None for a new connection: it holds the connection's key, which is never returned.
    """

    payload: str | None = None
    active_keys: tuple[str, ...]
