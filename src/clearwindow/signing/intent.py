"""What a payload says that it is for, and the members that bind a text to one request. Protocol §11."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from clearwindow.core.clock import parse_moment, wire_time
from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.money import AmountUnit
from clearwindow.core.strict_json import JsonValue, quote
from clearwindow.signing.models import Intent, Operation, SignedRequest

DEFAULT_VALIDITY: Final = timedelta(minutes=10)
"""How long a text is valid if its signer does not say otherwise."""

MAX_VALIDITY: Final = timedelta(days=30)
"""The longest that our own tools write: enough for a signer that is not connected to anything."""

ALWAYS_INTENDED: Final = frozenset(
    {
        Operation.ACCOUNT_REQUIRE_INTENT,
        Operation.SETTLEMENT_WITHDRAW,
        Operation.CONNECTION_UPDATE,
        Operation.LOSS_LIMITS_CHANGE,
        Operation.APPROVAL_THRESHOLDS_CHANGE,
        Operation.DAILY_APPROVAL_THRESHOLDS_CHANGE,
        Operation.CUSTODIAN_LIMITS_CHANGE,
        Operation.STANDING_TOP_UP_CREATE,
        Operation.WEBHOOK_ENDPOINT_CREATE,
        Operation.WEBHOOK_ENDPOINT_UPDATE,
        Operation.WEBHOOK_ENDPOINT_DELETE,
        Operation.WEBHOOK_ENDPOINT_ROTATE_SECRET,
    }
)
"""What the wire contract does not sign. These texts say what they are for, whatever the account requires."""

_PATH_IDS: Final[Mapping[Operation, tuple[str, ...]]] = {
    Operation.ALLOCATION: ("connectionId",),
    Operation.DEALLOCATION: ("connectionId",),
    Operation.DISPUTE_RAISE: ("settlementId",),
    Operation.SETTLEMENT_WITHDRAW: ("settlementId",),
    Operation.DISPUTE_UPDATE: ("disputeId",),
    Operation.DISPUTE_CLOSE: ("disputeId",),
    Operation.ACCOUNT_REQUIRE_INTENT: ("goAccountId",),
    Operation.STANDING_TOP_UP_CREATE: ("goAccountId",),
    Operation.CONNECTION_UPDATE: ("connectionId",),
    Operation.LOSS_LIMITS_CHANGE: ("connectionId",),
    Operation.WEBHOOK_ENDPOINT_UPDATE: ("endpointId",),
    Operation.WEBHOOK_ENDPOINT_DELETE: ("endpointId",),
    Operation.WEBHOOK_ENDPOINT_ROTATE_SECRET: ("endpointId",),
}


def path_ids_of(operation: Operation) -> tuple[str, ...]:
    """Returns the names of the ids in the operation's path."""
    return ("enterpriseId", *_PATH_IDS.get(operation, ()))


def with_intent(
    fields: Mapping[str, object],
    operation: Operation,
    path_ids: Mapping[str, str],
    expires_at: datetime,
    amount_unit: str | None = None,
) -> dict[str, object]:
    """Returns the fields of a payload with the members that bind it to one request. Its own ``expiresAt`` stays."""
    unit = {} if amount_unit is None else {"amountUnit": amount_unit}
    ends = fields.get("expiresAt", wire_time(expires_at))
    return {**fields, "operation": operation.value, **path_ids, **unit, "expiresAt": ends}


def require_intent(
    request: SignedRequest, *, required: bool, amount_unit: AmountUnit | None, now: datetime | None
) -> None:
    """Requires that the payload is for this request, as far as it says what it is for.

    Args:
        request: a request whose payload was compared with it.
        required: whether the payload must say it.
        amount_unit: the unit in which the request's amounts are read, if it has any.
        now: None if the request was accepted before, so that it may have expired since.

    Raises:
        InvalidRequestError: a member contradicts the request, is missing, or the text has expired.
    """
    intent = request.intent
    if intent is None:
        raise AssertionError("a payload is compared with its request before its intent is looked at")
    if required or request.operation in ALWAYS_INTENDED:
        _require_complete(intent, request)
    members = intent.members
    if "operation" in members and members["operation"] != request.operation.value:
        raise _wrong("operation", members["operation"], f"this request is {quote(request.operation.value)}")
    if "amountUnit" in members:
        _require_unit(members["amountUnit"], amount_unit)
    if "expiresAt" in members:
        _require_unexpired(members["expiresAt"], now)


def require_signable(payload: Mapping[str, JsonValue], enterprise_id: str, now: datetime) -> None:
    """Requires that a text says what it is for, before a key that we hold signs it for an account that requires it.

    Raises:
        InvalidRequestError: it does not, it is another enterprise's, or it has expired.
    """
    known = {operation.value: operation for operation in Operation}
    named = payload.get("operation")
    operation = known.get(named) if isinstance(named, str) else None
    if operation is None:
        raise InvalidRequestError(
            "intent_missing",
            "payload: has no operation of this network, but the account's texts must say what they are for",
        )
    _refuse_missing([name for name in (*path_ids_of(operation), "expiresAt") if name not in payload])
    if payload["enterpriseId"] != enterprise_id:
        raise _wrong("enterpriseId", payload["enterpriseId"], f"the wallet is of {quote(enterprise_id)}")
    _require_unexpired(payload["expiresAt"], now)


def _require_complete(intent: Intent, request: SignedRequest) -> None:
    given = intent.members.keys() | intent.named
    _refuse_missing([name for name in ("operation", *request.path_ids, "expiresAt") if name not in given])


def _refuse_missing(missing: list[str]) -> None:
    if missing:
        raise InvalidRequestError(
            "intent_missing",
            f"payload: must have {', '.join(missing)}, because the Go Account requires that its texts say what they"
            " are for: sign a text with them, as the signing helpers write it",
            {"missing": missing},
        )


def _require_unit(given: JsonValue, amount_unit: AmountUnit | None) -> None:
    if given not in [unit.value for unit in AmountUnit]:
        raise _wrong("amountUnit", given, 'it must be "base" or "decimal"')
    if amount_unit is not None and given != amount_unit.value:
        raise _wrong("amountUnit", given, f"the amounts of this request are read as {quote(amount_unit.value)}")


def _require_unexpired(given: JsonValue, now: datetime | None) -> None:
    expires_at = parse_moment(given) if isinstance(given, str) else None
    if expires_at is None:
        raise _wrong("expiresAt", given, "it must be a date and time with its zone in RFC 3339")
    if now is not None and expires_at <= now:
        raise InvalidRequestError(
            "intent_expired",
            f"expiresAt: the text was valid until {wire_time(expires_at)}: sign a new one",
            {"expiresAt": wire_time(expires_at), "now": wire_time(now)},
        )


def _wrong(name: str, given: JsonValue, so: str) -> InvalidRequestError:
    shown = quote(given) if isinstance(given, str) else "no text"
    return InvalidRequestError("intent_wrong", f"{name}: is {shown} in the payload, but {so}")
