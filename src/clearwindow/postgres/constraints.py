"""What a violated constraint means to a person. The rules refuse first; this is the second line of defence."""

from __future__ import annotations

from typing import Final

import psycopg

from clearwindow.errors import (
    ConflictError,
    InvalidRequestError,
    PermissionDeniedError,
    RequestError,
    UnavailableError,
    UnprocessableError,
)

_MEANING: Final[dict[str, tuple[type[RequestError], str]]] = {
    "access_token_sha256_key": (ConflictError, "this token exists already: leave it out to have one made"),
    "allocation_external_id_key": (InvalidRequestError, "this clientExternalId is taken by another request"),
    "allocation_waits_for_its_approval": (
        ConflictError,
        "the allocation waits for the approval of another user of its own enterprise",
    ),
    "approval_four_eyes": (PermissionDeniedError, "another user than the one who asked must approve it"),
    "approval_one_open_change": (ConflictError, "another change of this threshold waits for approval"),
    "balance_available_not_negative": (UnprocessableError, "the balance does not cover this amount"),
    "base_units_78_digits": (UnprocessableError, "the amount would take a balance over 78 digits"),
    "client_enterprise_key": (ConflictError, "the enterprise is a client already"),
    "custody_movement_pkey": (ConflictError, "the reference was used by another request: choose a new one"),
    "dispute_closure_four_eyes": (
        UnprocessableError,
        "a closure is reviewed by another operator than its maker",
    ),
    "dispute_closure_one_standing": (ConflictError, "the dispute has a closure already"),
    "dispute_once_per_party": (ConflictError, "this settlement is disputed on this connection already"),
    "enterprise_pkey": (ConflictError, "an enterprise with this id exists already"),
    "go_account_key_active_once": (ConflictError, "the Go Account has this key already"),
    "go_account_key_custodian_once": (ConflictError, "the Go Account has a custodian key already"),
    "nonce_pkey": (ConflictError, "the nonce was used by another request: choose a new one"),
    "operator_name_key": (ConflictError, "an operator of this name exists already"),
    "partner_enterprise_key": (ConflictError, "the enterprise is a partner already"),
    "settlement_external_id_reserved": (
        ConflictError,
        "this externalId is that of deposits for an on-chain settlement: choose another one",
    ),
    "settlement_external_id_key": (ConflictError, "a settlement with this externalId exists already"),
}

TRANSIENT: Final = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.QueryCanceled,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.CannotConnectNow,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.TooManyConnections,
)

LOST: Final = (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown)
"""The server ended the session, perhaps in the middle of its commit."""


def as_request_error(error: psycopg.Error) -> RequestError | None:
    """The answer to the caller, or None where the error is a defect of ours."""
    constraint = error.diag.constraint_name or ""
    if constraint in _MEANING:
        kind, message = _MEANING[constraint]
        return kind(constraint, message)
    if isinstance(error, psycopg.DataError) and error.sqlstate is None:
        # psycopg's own refusal of a NUL. Bodies cannot hold one; an address and its query can.
        return InvalidRequestError("text_has_nul", "a NUL character (%00) cannot be in the address or its query")
    lost = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    if lost or isinstance(error, LOST):
        return UnavailableError(
            "outcome_unknown",
            "the connection to the database broke, so that we cannot say whether your request was carried out: "
            "send the very same request again, it is never carried out twice",
        )
    if isinstance(error, TRANSIENT):
        return UnavailableError(
            "database_unavailable",
            "the database did not answer in time: nothing was written, send the same request again",
        )
    return None
