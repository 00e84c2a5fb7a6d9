"""The error of each constraint that a request can violate. The rules refuse first; the database checks again."""

from __future__ import annotations

from typing import Final

import psycopg

from clearwindow.core.errors import (
    ConflictError,
    DatabaseAwayError,
    InvalidRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RequestError,
    UnavailableError,
    UnprocessableError,
)
from clearwindow.postgres.failures import PROBLEMS, Failure, failure_of

_BUSY: Final = frozenset({Failure.NO_CAPACITY, Failure.HELD_UP})
_AWAY_RETRY_SECONDS: Final = 2
_AGAIN: Final = "send exactly the same request again, it is never carried out twice"

MEANING: Final[dict[str, tuple[type[RequestError], str]]] = {
    "access_token_sha256_key": (ConflictError, "this token exists already: send the request again"),
    "allocation_external_id_key": (InvalidRequestError, "this clientExternalId is taken by another request"),
    "allocation_waits_for_its_approval": (
        ConflictError,
        "another user of the client's enterprise must approve the allocation first",
    ),
    "approval_four_eyes": (
        PermissionDeniedError,
        "the user who made the request cannot approve it: another user must",
    ),
    "approval_one_open_change": (ConflictError, "another change of this threshold waits for approval"),
    "balance_available_not_negative": (UnprocessableError, "the balance does not cover this amount"),
    "base_units_78_digits": (UnprocessableError, "the amount would take a balance over 78 digits"),
    "client_enterprise_key": (ConflictError, "the enterprise is a client already"),
    "custody_movement_pkey": (ConflictError, "the reference was used by another request: choose a new one"),
    "dispute_closure_four_eyes": (
        UnprocessableError,
        "the operator who made the closure cannot review it: another operator must",
    ),
    "dispute_closure_one_standing": (ConflictError, "the dispute has a closure already"),
    "dispute_once_per_party": (ConflictError, "this settlement is disputed on this connection already"),
    "enterprise_pkey": (ConflictError, "an enterprise with this id exists already"),
    "go_account_key_active_once": (ConflictError, "the Go Account has this key already"),
    "go_account_key_custodian_once": (ConflictError, "the Go Account has a custodian key already"),
    "nonce_pkey": (ConflictError, "the nonce was used by another request: choose a new one"),
    "operator_look_key": (ConflictError, "the name looks like that of another operator: choose another one"),
    "operator_name_key": (ConflictError, "an operator of this name exists already"),
    "partner_enterprise_key": (ConflictError, "the enterprise is a partner already"),
    "settlement_external_id_reserved": (
        ConflictError,
        "this externalId belongs to deposits for an on-chain settlement: choose another one",
    ),
    "settlement_external_id_key": (ConflictError, "a settlement with this externalId exists already"),
}


def as_request_error(error: psycopg.Error) -> RequestError | None:
    """Returns the answer to the caller, or None if the error is a defect of ours."""
    constraint = error.diag.constraint_name or ""
    if constraint in MEANING:
        kind, message = MEANING[constraint]
        return kind(constraint, message)
    if isinstance(error, psycopg.DataError) and error.sqlstate is None:
        # psycopg refuses a NUL itself. Bodies cannot hold one, but an address and its query can.
        return InvalidRequestError("text_has_nul", "a NUL character (%00) cannot be in the address or its query")
    failure = failure_of(error)
    if failure is None:
        return None
    if failure is Failure.OUTCOME_UNKNOWN:
        return OutcomeUnknownError(
            "outcome_unknown",
            f"{PROBLEMS[failure]}, and we cannot say whether your request was carried out: send exactly the same"
            " request again, it is never carried out twice",
        )
    message = f"{PROBLEMS[failure]}: {_AGAIN}"
    if failure in _BUSY:
        return UnavailableError("database_busy", message)
    return DatabaseAwayError("database_unavailable", message, retry_after_seconds=_AWAY_RETRY_SECONDS)
