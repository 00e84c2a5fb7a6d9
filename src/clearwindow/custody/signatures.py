"""Checks that a request is what its payload says, and that a key of a Go Account signed it. Protocol §3."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from clearwindow.core.errors import InvalidRequestError, NotAuthenticatedError
from clearwindow.core.money import AmountUnit
from clearwindow.core.strict_json import JsonError
from clearwindow.custody import store
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
    signers = store.list_signers(tx, go_account_id)
    required = any(signer.require_intent for signer in signers)
    require_intent(request, required=required, amount_unit=amount_unit, now=None if is_repeat else tx.now())
    keys = [PublicKey(signer.public_key) for signer in signers]
    try:
        signer = verify_message(keys, request.payload, request.signature)
    except SignatureFormatError as error:
        raise InvalidRequestError("signature_malformed", str(error)) from None
    if signer is None:
        raise NotAuthenticatedError(
            "signature_invalid",
            "no active key of the Go Account made this signature of the payload:"
            " sign exactly the payload's bytes with the account's key",
        )
    return VerifiedRequest(request, go_account_id, signer.compressed, [key.compressed for key in keys])
