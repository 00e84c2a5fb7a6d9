"""Checks that a request is what its payload says, and that a key of a Go Account signed it. Protocol §3."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from clearwindow.core.errors import InvalidRequestError, NotAuthenticatedError
from clearwindow.core.strict_json import JsonError
from clearwindow.custody import store
from clearwindow.custody.models import GoAccountKey
from clearwindow.postgres.pool import Transaction
from clearwindow.signing.keys import PublicKey
from clearwindow.signing.message import SignatureFormatError, verify_message
from clearwindow.signing.models import SignedRequest, VerifiedRequest
from clearwindow.signing.payload import PayloadMismatchError, match_payload


def require_match(request: SignedRequest) -> None:
    """Checks that the signed payload equals the request. Needs no database: large requests are compared before one.

    Raises:
        InvalidRequestError: the payload is not JSON, or differs from the body.
    """
    try:
        match_payload(request.payload, request.fields, request.path_ids)
    except JsonError as error:
        raise InvalidRequestError("payload_not_json", str(error)) from None
    except PayloadMismatchError as error:
        raise InvalidRequestError("payload_differs", str(error)) from None


def verify(tx: Transaction, go_account_id: UUID, request: SignedRequest) -> VerifiedRequest:
    """Checks that an active key of the account signed the payload. The caller has compared it with the request.

    Returns the request with the keys, which are kept as its evidence if it is accepted.

    Raises:
        InvalidRequestError: the signature is malformed.
        NotAuthenticatedError: no active key of the Go Account made the signature.
    """
    return verify_with(store.list_keys(tx, go_account_id), go_account_id, request)


def verify_with(known: Iterable[GoAccountKey], go_account_id: UUID, request: SignedRequest) -> VerifiedRequest:
    """Does the same with the account's keys, revoked ones too, that the caller has read."""
    keys = [PublicKey(key.public_key) for key in known if key.revoked_at is None]
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
