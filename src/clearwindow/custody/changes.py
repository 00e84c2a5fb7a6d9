"""Changes of what guards an account, which are signed if the account requires intent. Protocol §3.

Without a signature, a stolen token alone stops a connection, or has an enterprise's events sent elsewhere.
"""

from __future__ import annotations

from uuid import UUID

from clearwindow.core.errors import InvalidRequestError, NotAuthenticatedError, RequestError
from clearwindow.custody import signatures, store
from clearwindow.postgres.pool import Transaction
from clearwindow.signing import nonces
from clearwindow.signing.intent import require_intent
from clearwindow.signing.models import SignedRequest, VerifiedRequest


def require_match(request: SignedRequest | None) -> SignedRequest | None:
    """Compares the payload with its change, if it is signed. Needs no database.

    It must say what it is for before it can be a repeat: a deletion and a rotation of one endpoint differ in no
    other way, and a repeat is known by the ids of its path.
    """
    if request is None:
        return None
    request = signatures.require_match(request)
    require_intent(request, required=True, amount_unit=None, now=None)
    return request


def default_account(tx: Transaction, enterprise_id: str) -> UUID | None:
    """Returns the account whose keys sign for what is the whole enterprise's."""
    account = store.find_default_go_account(tx, enterprise_id)
    return None if account is None else account.id


def accept(
    tx: Transaction,
    enterprise_id: str,
    account_id: UUID | None,
    request: SignedRequest | None,
    record_id: UUID,
    conflict: type[RequestError],
) -> bool:
    """Uses a change's signature up. Returns False for a byte-identical repeat, which changes nothing any more.

    Args:
        tx: the transaction of the change, in which the record is locked.
        enterprise_id: the caller's.
        account_id: the account whose keys sign, None if the enterprise has none.
        request: as ``require_match`` returned it.
        record_id: what changes.
        conflict: the error of a nonce or text that another request has used.

    Raises:
        InvalidRequestError: there is no signature, and the account requires intent. Or it is malformed.
        NotAuthenticatedError: no active key of the account made the signature.
    """
    if request is None:
        _require_unsigned_allowed(tx, account_id)
        return True
    if nonces.is_repeat(tx, enterprise_id, request, record_id):
        return False
    return nonces.use(tx, enterprise_id, _verified(tx, account_id, request), conflict, record_id)


def accept_once(
    tx: Transaction,
    enterprise_id: str,
    account_id: UUID | None,
    request: SignedRequest | None,
    record_id: UUID,
    conflict: type[RequestError],
) -> None:
    """The same for a change whose answer has a secret: a repeat is refused, because no secret is shown twice."""
    if request is None:
        _require_unsigned_allowed(tx, account_id)
        return
    verified = _verified(tx, account_id, request)
    if not nonces.claim(tx, enterprise_id, verified, conflict, record_id):
        raise nonces.used_before(tx, verified, conflict)


def _require_unsigned_allowed(tx: Transaction, account_id: UUID | None) -> None:
    if account_id is not None and store.requires_intent(tx, account_id):
        raise InvalidRequestError(
            "signature_required",
            "the Go Account requires intent, so that this change must be signed: add nonce, payload and signature;"
            " the payload says what it is for",
        )


def _verified(tx: Transaction, account_id: UUID | None, request: SignedRequest) -> VerifiedRequest:
    if account_id is None:
        raise NotAuthenticatedError(
            "signature_invalid", "the enterprise has no Go Account whose key could sign: send the change unsigned"
        )
    return signatures.verify(tx, account_id, request)
