"""Every error leaves in one form: ``{"error", "name", "requestId", "details"?}``. Protocol §2."""

from __future__ import annotations

import json
from typing import Any, Final

import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import Scope

from clearwindow.database.constraints import as_request_error
from clearwindow.errors import RequestError, TooSlowError, UnavailableError

log = structlog.get_logger(__name__)

_HTTP_NAMES: Final = {404: "no_such_path", 405: "method_not_allowed"}


def problem(status: int, name: str, message: str, request_id: str, details: object = None) -> Response:
    body: dict[str, object] = {"error": message, "name": name, "requestId": request_id}
    if details is not None:
        body["details"] = details
    headers = {"X-Request-Id": request_id}
    return Response(json.dumps(body, ensure_ascii=False), status, headers, "application/json")


def request_id_of(request: Request) -> str:
    return request_id_in(request.scope)


def request_id_in(scope: Scope) -> str:
    return str(scope.get("state", {}).get("request_id", "none"))


def answer_of(error: RequestError, request_id: str) -> Response:
    answer = problem(error.status, error.name, error.message, request_id, error.details)
    if error.retry_after_seconds is not None:
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, TooSlowError):
        answer.headers["Connection"] = "close"
    return answer


async def _on_request_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101 - registered for this type alone
    return answer_of(error, request_id_of(request))


async def _on_database_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, psycopg.Error | PoolTimeout)  # noqa: S101 - registered for these types alone
    known: RequestError | None
    if isinstance(error, PoolTimeout):
        known = UnavailableError("database_busy", "the database is busy: nothing was written, send it again")
    else:
        known = as_request_error(error)
    if known is None:
        return _defect(request, error)
    return await _on_request_error(request, known)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone
    name = _HTTP_NAMES.get(error.status_code, "request_refused")
    answer = problem(error.status_code, name, str(error.detail), request_id_of(request))
    answer.headers.update(error.headers or {})
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
    PoolTimeout: _on_database_error,
    HTTPException: _on_http_exception,
    Exception: _on_defect,
}


async def answer_to(request: Request, error: Exception) -> Response:
    """The answer that the handlers would give, for who stands before them."""
    handler = next(handler for kind, handler in _HANDLERS.items() if isinstance(error, kind))
    answer: Response = await handler(request, error)
    return answer


def register(app: FastAPI) -> None:
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
