"""Checks that a request is what its payload says, and that a key of a Go Account signed it. Protocol §3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from clearwindow.core.clock import wire_time
from clearwindow.core.errors import InvalidRequestError, NotAuthenticatedError
from clearwindow.core.money import AmountUnit
from clearwindow.core.strict_json import JsonError
from clearwindow.custody import store
from clearwindow.custody.models import GoAccountKey
from clearwindow.postgres.pool import Transaction
from clearwindow.signing.intent import require_intent
from clearwindow.signing.keys import PublicKey
from clearwindow.signing.message import SignatureFormatError, verify_message
from clearwindow.signing.models import SignedRequest, VerifiedRequest
from clearwindow.signing.payload import PayloadMismatchError, match_payload


def require_match(request: SignedRequest, **also_named: str) -> SignedRequest:
    """Checks that the signed payload equals the request. Needs no database: large requests are compared before one.

    Returns the request with what its payload says that it is for.

    Args:
        request: the request as it arrived.
        also_named: further ids that the payload may name: those of the thing that the request is about.

    Raises:
        InvalidRequestError: the payload is not JSON, or differs from the body.
    """
    try:
        intent = match_payload(request.payload, request.fields, {**request.path_ids, **also_named})
    except JsonError as error:
        raise InvalidRequestError("payload_not_json", str(error)) from None
    except PayloadMismatchError as error:
        raise InvalidRequestError("payload_differs", str(error)) from None
    return replace(request, intent=intent)


def verify(
    tx: Transaction,
    go_account_id: UUID,
    request: SignedRequest,
    *,
    amount_unit: AmountUnit | None = None,
    is_repeat: bool = False,
) -> VerifiedRequest:
    """Checks that the payload is for this request, and that an active key of the account signed it.

    Returns the request with the keys, which are kept as its evidence if it is accepted.

    Args:
        tx: the transaction of the request.
        go_account_id: the account whose keys sign.
        request: as ``require_match`` returned it.
        amount_unit: the unit in which the request's amounts are read, if it has any.
        is_repeat: whether the request was accepted before. Then it may have expired since.

    Raises:
        InvalidRequestError: the payload is for something else, or the signature is malformed.
        NotAuthenticatedError: no active key of the Go Account made the signature.
    """
    held, required = store.list_keys(tx, go_account_id), store.requires_intent(tx, go_account_id)
    now = tx.now()
    return verify_with(
        held, go_account_id, request, now, requires_intent=required, amount_unit=amount_unit, is_repeat=is_repeat
    )


def verify_with(
    held: Sequence[GoAccountKey],
    go_account_id: UUID,
    request: SignedRequest,
    now: datetime,
    *,
    requires_intent: bool,
    amount_unit: AmountUnit | None,
    is_repeat: bool,
) -> VerifiedRequest:
    """Does the same with what the caller has read: the account's keys, revoked ones too, and what it requires."""
    before = None if is_repeat else now
    require_intent(request, required=requires_intent, amount_unit=amount_unit, now=before)
    keys = [PublicKey(key.public_key) for key in held if key.verifies(now)]
    try:
        signer = verify_message(keys, request.payload, request.signature)
    except SignatureFormatError as error:
        raise InvalidRequestError("signature_malformed", str(error)) from None
    if signer is None:
        _refuse_waiting(held, request, now)
        raise NotAuthenticatedError(
            "signature_invalid",
            "no active key of the Go Account made this signature of the payload:"
            " sign exactly the payload's bytes with the account's key",
        )
    return VerifiedRequest(request, go_account_id, signer.compressed, [key.compressed for key in keys])


def _refuse_waiting(held: Sequence[GoAccountKey], request: SignedRequest, now: datetime) -> None:
    """Tells who signed with a further key that it does not count yet."""
    waiting = [key for key in held if key.revoked_at is None and not key.verifies(now)]
    signer = verify_message([PublicKey(key.public_key) for key in waiting], request.payload, request.signature)
    for key in waiting:
        if signer is not None and key.public_key == signer.compressed:
            raise NotAuthenticatedError(
                "signature_invalid",
                "this key of the Go Account was added lately, and its signatures count from"
                f" {wire_time(key.verifies_from)} on: sign with another key of the account",
            )
