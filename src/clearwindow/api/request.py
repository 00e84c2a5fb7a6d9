"""What a request carries with it on its way in: the server's runtime, its own id, its signer and its visit.

The edge notes these values in the request's scope; guards, routes and error handlers read them here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.types import Scope

from clearwindow.api.rates import Visit
from clearwindow.runtime import Runtime

Address: TypeAlias = IPv4Address | IPv6Address
_REQUEST_ID: Final = "request_id"
_SIGNER: Final = "signer_token_sha256"
_VISIT: Final = "visit"
_HEAD: Final = "head"
_GUARD: Final = "guard"
_CALLER: Final = "caller"


def runtime_of(request: Request) -> Runtime:
    """Returns what every use case is handed."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def note_request_id(scope: Scope, request_id: str) -> None:
    scope.setdefault("state", {})[_REQUEST_ID] = request_id


def request_id_of(request: Request) -> str:
    """Returns the id that the answer's header, the log and the audit trail have in common."""
    return request_id_in(request.scope)


def request_id_in(scope: Scope) -> str:
    return str(scope.get("state", {}).get(_REQUEST_ID, "none"))


def operation_of(request: Request) -> str:
    """Returns the id of the operation that the request asks for, as /openapi.json has it."""
    route: APIRoute = request.scope["route"]
    return route.operation_id or to_camel(route.name)


def note_visit(scope: Scope, visit: Visit) -> None:
    scope.setdefault("state", {})[_VISIT] = visit


def visit_of(request: Request) -> Visit | None:
    """Returns what the limits know of the request; None if its path has no limits."""
    visit: Visit | None = request.scope.get("state", {}).get(_VISIT)
    return visit


def note_signer(scope: Scope, token_sha256: bytes) -> None:
    scope.setdefault("state", {})[_SIGNER] = token_sha256


def signer_of(request: Request) -> bytes | None:
    """Returns the hash of the token whose HMAC signed the request; None if it has no HMAC."""
    found: bytes | None = request.scope.get("state", {}).get(_SIGNER)
    return found


def note_head(scope: Scope) -> None:
    scope.setdefault("state", {})[_HEAD] = True


def is_head(request: Request) -> bool:
    """Returns whether the caller wants the headers alone, and the body is thrown away."""
    return bool(request.scope.get("state", {}).get(_HEAD))


def note_guard(scope: Scope, guard: Callable[[], object]) -> None:
    scope.setdefault("state", {})[_GUARD] = guard


def guard_of(request: Request) -> Callable[[], object]:
    """Returns what admitted the caller. It raises if it would not admit the same request now."""
    guard: Callable[[], object] = request.scope["state"][_GUARD]
    return guard


def note_caller(scope: Scope, **known: str | None) -> None:
    """Notes more about the caller, once it has shown that it is one: ids and its role, for the log."""
    noted = scope.setdefault("state", {}).setdefault(_CALLER, {})
    noted.update({name: value for name, value in known.items() if value is not None})


def caller_in(scope: Scope) -> Mapping[str, str]:
    """Returns what was noted of the caller. Nothing, if none was admitted."""
    noted: Mapping[str, str] = scope.get("state", {}).get(_CALLER, {})
    return noted


def address_of(request: Request) -> Address | None:
    """Returns the address that the request came from; None if a trusted proxy names one that is none."""
    try:
        return ip_address(request.client.host) if request.client else None
    except ValueError:
        return None
