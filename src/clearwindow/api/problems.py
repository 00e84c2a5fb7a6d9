"""The one form of all errors: `error`, `name`, `requestId`, `documentation`, perhaps `details`. Protocol §2."""

from __future__ import annotations

import json
from typing import Any, Final

import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from prometheus_client import Counter
from starlette.exceptions import HTTPException

from clearwindow.api.contract import is_of_contract
from clearwindow.api.request import request_id_of, runtime_of
from clearwindow.core.error_registry import documentation_of
from clearwindow.core.errors import (
    UNAVAILABLE,
    DatabaseAwayError,
    HeadTooLargeError,
    OutcomeUnknownError,
    RequestError,
    TooLargeError,
    TooManyRequestsError,
    TooSlowError,
    UnavailableError,
    UnsupportedMediaError,
)
from clearwindow.postgres.constraints import as_request_error

log = structlog.get_logger(__name__)

refused_total: Final = Counter(
    "clearwindow_http_refused_total",
    "Requests that a limit refused, by the error's name.",
    ["name"],
)
_OF_LIMITS: Final = (HeadTooLargeError, TooLargeError, TooManyRequestsError, TooSlowError, UnavailableError)

_AWAY_STATUS: Final = 503
_HTTP_NAMES: Final = {404: "no_such_path", 405: "method_not_allowed"}


def problem(status: int, name: str, message: str, request_id: str, details: object = None) -> Response:
    body: dict[str, object] = {
        "error": message,
        "name": name,
        "requestId": request_id,
        "documentation": documentation_of(name),
    }
    if details is not None:
        body["details"] = details
    headers = {"X-Request-Id": request_id}
    return Response(json.dumps(body, ensure_ascii=False), status, headers, "application/json")


def answer_of(error: RequestError, request_id: str, path: str = "") -> Response:
    """Returns the answer to an error that the request at this path met."""
    status, name, details = error.status, error.name, error.details
    if isinstance(error, DatabaseAwayError | OutcomeUnknownError) and not is_of_contract(path):
        status = _AWAY_STATUS
    if isinstance(error, UnavailableError):
        name, details = UNAVAILABLE, {"reason": error.name}
    if isinstance(error, _OF_LIMITS) and not isinstance(error, DatabaseAwayError):
        refused_total.labels(error.name).inc()
    answer = problem(status, name, error.message, request_id, details)
    if error.retry_after_seconds is not None:
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, TooSlowError):
        answer.headers["Connection"] = "close"
    if isinstance(error, UnsupportedMediaError):
        answer.headers["Accept-Encoding"] = "identity"
    return answer


async def _on_request_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101 - registered for this type alone
    return answer_of(error, request_id_of(request), request.url.path)


async def _on_database_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, psycopg.Error)  # noqa: S101 - registered for this type alone
    known = as_request_error(error)
    if known is None:
        return _defect(request, error)
    runtime_of(request).database.tell(error, "a request")
    return await _on_request_error(request, known)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone
    name = _HTTP_NAMES.get(error.status_code, "request_refused")
    answer = problem(error.status_code, name, str(error.detail), request_id_of(request))
    answer.headers.update(error.headers or {})
    allowed = answer.headers.get("Allow", "").split(", ")
    if "GET" in allowed:
        answer.headers["Allow"] = ", ".join([*allowed, "HEAD"])
    return answer


async def _on_defect(request: Request, error: Exception) -> Response:
    return _defect(request, error)


def _defect(request: Request, error: Exception) -> Response:
    request_id = request_id_of(request)
    log.error("defect", request_id=request_id, path=request.url.path, exc_info=error)
    return problem(
        500,
        "internal_error",
        f"something went wrong on our side and nothing was written: tell the operator request {request_id}",
        request_id,
    )


_HANDLERS: Final[dict[Any, Any]] = {
    RequestError: _on_request_error,
    psycopg.Error: _on_database_error,
    HTTPException: _on_http_exception,
    Exception: _on_defect,
}


async def answer_to(request: Request, error: Exception) -> Response:
    """Returns the answer of the handler for this error. For code that runs before the handlers."""
    handler = next(handler for kind, handler in _HANDLERS.items() if isinstance(error, kind))
    answer: Response = await handler(request, error)
    return answer


def register(app: FastAPI) -> None:
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
