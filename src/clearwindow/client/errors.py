"""The errors of the SDK, one type for each kind. All of them are a `ClearwindowError`."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from clearwindow.client.answers.allocations import Allocation
from clearwindow.client.answers.base import Value
from clearwindow.client.answers.settlements import Settlement

V = TypeVar("V", bound=Value)


class ClearwindowError(Exception):
    """The base of all errors of the SDK."""


class SigningError(ClearwindowError):
    """A request could not be signed: there is no key, the key is invalid, or the signer gave no signature."""


class UnusableEnvironmentError(ClearwindowError):
    """The proxy or the certificates that the environment names cannot be used. Nothing was sent."""


class NoAnswerError(ClearwindowError):
    """No answer came in time, even after all safe repeats.

    Attributes:
        may_have_been_carried_out: whether the request was sent, so that the server may have carried it out. It is
            safe to send the same request again if it has a key of its own (a signed request, a reference).
        attempts: how often the request was tried.
    """

    def __init__(self, message: str, *, may_have_been_carried_out: bool, attempts: int) -> None:
        super().__init__(message)
        self.may_have_been_carried_out = may_have_been_carried_out
        self.attempts = attempts


class UnexpectedAnswerError(ClearwindowError):
    """An answer that a Clearwindow server does not give: not JSON, too large, a redirect, a missing field.

    Attributes:
        status: the answer's status.
        request_id: the server's id of the request, if it gave one.
    """

    def __init__(self, message: str, *, status: int, request_id: str | None) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class ApiError(ClearwindowError):
    """The server refused the request and gave a reason.

    Attributes:
        status: the HTTP status.
        name: the stable name for programs, if the server gives one.
        error: one sentence for people: what was wrong and what to do.
        request_id: the server's id of the request, to quote in questions.
        documentation: the path of the page on the server that explains the error, if the server gives one.
        details: values for programs, such as every shortfall; empty if there are none.
        body: the whole answer, parsed.
        retry_after_seconds: how long the server asks to wait, if it does.
    """

    def __init__(
        self,
        status: int,
        body: Mapping[str, Any],
        *,
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        self.status = status
        self.body: Final = body
        self.name = _text(body.get("name"))
        self.error = _text(body.get("error")) or f"the server answered {status} without a reason"
        self.request_id = _text(body.get("requestId")) or request_id
        self.documentation = _text(body.get("documentation"))
        details = body.get("details")
        self.details: Mapping[str, Any] = details if isinstance(details, dict) else {}
        self.retry_after_seconds = retry_after_seconds
        named = f" {self.name}" if self.name else ""
        quoted = f" (request {self.request_id})" if self.request_id else ""
        super().__init__(f"{status}{named}: {self.error}{quoted}")

    @property
    def allocation(self) -> Allocation | None:
        """The allocation or deallocation in the answer, released or still reserved."""
        return self._part(Allocation, "allocation") or self._part(Allocation, "deallocation")

    @property
    def settlement(self) -> Settlement | None:
        """The failed or pending settlement in the answer."""
        return self._part(Settlement, "settlement")

    def _part(self, model: type[V], name: str) -> V | None:
        if name not in self.body:
            return None
        try:
            return model.model_validate(self.body[name])
        except ValidationError:
            return None


class InvalidRequestError(ApiError):
    """400: the request is invalid."""


class NotAuthenticatedError(ApiError):
    """401: the token, the membership or the signature is wrong. On a v1 settlement also: the partner is short."""


class PermissionDeniedError(ApiError):
    """403: the licence or the scope is missing, or this partner may not do this."""


class NotFoundError(ApiError):
    """404: the caller has nothing with this id."""


class ConflictError(ApiError):
    """409: the state has changed, or another request has used the key."""


class TooLargeError(ApiError):
    """413: the request is larger than the server allows."""


class UnprocessableError(ApiError):
    """422: a business rule forbids it; ``details`` names the entries."""


class RateLimitedError(ApiError):
    """429, even after all waits that the server asked for. ``retry_after_seconds`` is the next wait."""


class ServerError(ApiError):
    """500 and above: the error is not in the request."""


_TYPES: Final[Mapping[int, type[ApiError]]] = {
    HTTPStatus.BAD_REQUEST: InvalidRequestError,
    HTTPStatus.UNAUTHORIZED: NotAuthenticatedError,
    HTTPStatus.FORBIDDEN: PermissionDeniedError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLargeError,
    HTTPStatus.UNPROCESSABLE_ENTITY: UnprocessableError,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimitedError,
}


def error_type(status: int) -> type[ApiError]:
    """Returns the error type for a status of 400 and above."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerError
    return _TYPES.get(status, ApiError)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
