"""The errors that no route names, because they are raised before the route runs. Protocol §2."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from clearwindow.api.contract import is_of_contract
from clearwindow.core.error_registry import error_codes
from clearwindow.identity.guards import OPERATOR_PREFIX, WHOAMI
from clearwindow.web.edge import LIMITED_PREFIX

_OF_THE_SERVER: Final = ("internal_error",)
_OF_THE_DATABASE: Final = ("unavailable", "outcome_unknown")
_OF_LIMITS: Final = ("rate_limited", "too_many_at_once", "too_many_connections_open")
_OF_HEADS: Final = ("head_too_large", "head_too_slow", "request_malformed")
_OF_TOKENS: Final = ("token_missing", "token_invalid", "token_address_refused", "token_shown")
_OF_SIGNED_CALLS: Final = (
    "hmac_invalid",
    "auth_version_unknown",
    "auth_version_too_old",
    "auth_timestamp_missing",
    "auth_timestamp_outside_window",
    "address_ambiguous",
)
_OF_MEMBERS: Final = ("not_a_member", "no_licence", "scope_missing", "role_forbids", "enterprise_header_differs")
_OF_OPERATORS: Final = ("not_an_operator", "token_for_deposits", "role_forbids")
_OF_ADDRESSES: Final = ("text_has_nul",)
_OF_BODIES: Final = (
    "request_invalid",
    "body_not_json",
    "body_not_object",
    "body_incomplete",
    "body_too_slow",
    "body_too_large",
    "too_many_entries",
    "content_encoding_unsupported",
)
_OF_PAYLOADS: Final = ("payload_too_large",)
_OF_FILTERS: Final = ("filter_invalid", "filter_twice")
_OF_CURSORS: Final = ("cursor_invalid", "export_not_chunked", "export_not_signed")


def common_errors(path: str, operation: dict[str, Any]) -> list[str]:
    """Returns the names of the errors that the edge, the guard and the readers of body and filters raise.

    Args:
        path: the operation's path in /openapi.json.
        operation: the operation's object in /openapi.json.
    """
    if not path.startswith(LIMITED_PREFIX):
        return []
    names = [*_OF_HEADS, *_OF_LIMITS, *_OF_THE_SERVER, *_OF_THE_DATABASE]
    if operation.get("security"):
        names += [*_OF_TOKENS, *_OF_SIGNED_CALLS]
        names += _of_callers(path)
    has_filters = any(given["in"] == "query" for given in operation.get("parameters", []))
    if operation.get("parameters"):
        names += _OF_ADDRESSES
    if "requestBody" in operation or has_filters:
        # Filters may come in a body too.
        names += _OF_BODIES
    if "payload" in _body_fields(operation):
        names += _OF_PAYLOADS
    if has_filters:
        names += _OF_FILTERS
    if any(given["name"] == "cursor" for given in operation.get("parameters", [])):
        names += _OF_CURSORS
    return names


def _of_callers(path: str) -> tuple[str, ...]:
    if path == WHOAMI:
        # The route names its own: it asks for no licence and no scope.
        return ()
    return _OF_OPERATORS if path.startswith(OPERATOR_PREFIX) else _OF_MEMBERS


def _body_fields(operation: dict[str, Any]) -> Mapping[str, object]:
    if "requestBody" not in operation:
        return {}
    fields: Mapping[str, object] = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
    return fields


def statuses_of(name: str, path: str) -> tuple[int, ...]:
    """Returns the statuses of a common error at this path. Those of the database are 500 in the contract only."""
    statuses = error_codes()[name].statuses
    if name not in _OF_THE_DATABASE or is_of_contract(path):
        return statuses
    return tuple(status for status in statuses if status != HTTPStatus.INTERNAL_SERVER_ERROR)
