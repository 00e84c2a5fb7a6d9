"""Admitting a signed request: its payload says what the body says, an account's key signed it, its nonce is new."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from clearwindow.accounts import service as accounts
from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries
from clearwindow.errors import InvalidRequestError, NotAuthenticatedError, RequestError
from clearwindow.signing.keys import PublicKey
from clearwindow.signing.message import SignatureFormatError, verify_message
from clearwindow.signing.payload import PayloadMismatchError, match_payload
from clearwindow.signing.values import SignedRequest
from clearwindow.strict_json import JsonError

sql: Final = Queries("clearwindow.signing")


def verify(tx: Transaction, go_account_id: UUID, request: SignedRequest) -> None:
    """Checks payload and signature. Protocol §3.

    Raises:
        InvalidRequestError: the payload is not JSON, says something else than the body, or the signature has
            not the form of one.
        NotAuthenticatedError: no active key of the Go Account made the signature.
    """
    try:
        match_payload(request.payload, request.fields, request.path_ids)
    except JsonError as error:
        raise InvalidRequestError("payload_not_json", str(error)) from None
    except PayloadMismatchError as error:
        raise InvalidRequestError("payload_differs", str(error)) from None
    keys = [PublicKey(key) for key in accounts.active_keys(tx, go_account_id)]
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


def use_nonce(tx: Transaction, enterprise_id: str, request: SignedRequest, conflict: type[RequestError]) -> bool:
    """True the first time, False for a byte-identical repeat; waits for a concurrent use to end.

    Raises:
        RequestError: of the kind ``conflict`` where another request has used the nonce.
    """
    place = {"enterprise_id": enterprise_id, "nonce": request.nonce}
    if tx.run(sql["insert_nonce"], **place, request_sha256=request.sha256, now=tx.now()) == 1:
        return True
    if tx.scalars(bytes, sql["find_nonce"], **place) == [request.sha256]:
        return False
    raise conflict("nonce_used", "the nonce was used by another request: choose a new one")
