"""Everything that can go wrong, each as a type of its own. All of them are a `ClearwindowError`."""

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
    """The base of all errors here."""


class SigningError(ClearwindowError):
    """A request could not be signed: no key, a key that cannot be read, or a signer that gave no signature."""


class NoAnswerError(ClearwindowError):
    """No answer came in time, after all repeats that were safe.

    Attributes:
        may_have_been_carried_out: the request had been sent, so that the server may have acted on it. Sending
            the same again is safe where it has a key of its own (a signed request, a reference).
        attempts: how often it was tried.
    """

    def __init__(self, message: str, *, may_have_been_carried_out: bool, attempts: int) -> None:
        super().__init__(message)
        self.may_have_been_carried_out = may_have_been_carried_out
        self.attempts = attempts


class UnexpectedAnswerError(ClearwindowError):
    """An answer that a server of this wire does not give: not JSON, too large, a redirect, a field missing.

    Attributes:
        status: the answer's status.
        request_id: the server's id of the request, where it gave one.
    """

    def __init__(self, message: str, *, status: int, request_id: str | None) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class ApiError(ClearwindowError):
    """The server refused, and said why.

    Attributes:
        status: the HTTP status.
        name: the stable machine name, where the server gives one.
        error: one sentence that a person can act on.
        request_id: the server's id of the request, to quote.
        details: what a program may want to read, such as every shortfall; empty where there is none.
        body: the whole answer, as it was parsed.
        retry_after_seconds: how long the server asks to wait, where it does.
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
        details = body.get("details")
        self.details: Mapping[str, Any] = details if isinstance(details, dict) else {}
        self.retry_after_seconds = retry_after_seconds
        named = f" {self.name}" if self.name else ""
        quoted = f" (request {self.request_id})" if self.request_id else ""
        super().__init__(f"{status}{named}: {self.error}{quoted}")

    @property
    def allocation(self) -> Allocation | None:
        """The released, or still reserved, allocation or deallocation that came with the refusal."""
        return self._part(Allocation, "allocation") or self._part(Allocation, "deallocation")

    @property
    def settlement(self) -> Settlement | None:
        """The failed or pending settlement that came with the refusal."""
        return self._part(Settlement, "settlement")

    def _part(self, model: type[V], name: str) -> V | None:
        if name not in self.body:
            return None
        try:
            return model.model_validate(self.body[name])
        except ValidationError:
            return None


class InvalidRequestError(ApiError):
    """400: the request is wrong as it stands."""


class NotAuthenticatedError(ApiError):
    """401: the token, the membership or the signature; on a v1 settlement also a partner short of funds."""


class PermissionDeniedError(ApiError):
    """403: licence, scope, or something that this partner may not do."""


class NotFoundError(ApiError):
    """404: nothing of yours has this id."""


class ConflictError(ApiError):
    """409: something else has happened before, or the key was used by another request."""


class TooLargeError(ApiError):
    """413: the request has more bytes than the server takes."""


class UnprocessableError(ApiError):
    """422: a rule of the business says no; ``details`` says which entries."""


class RateLimitedError(ApiError):
    """429, still after the waits that the server asked for; ``retry_after_seconds`` is the next one."""


class ServerError(ApiError):
    """500 and above: nothing is wrong with the request."""


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
    """The type of a status of 400 and above."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerError
    return _TYPES.get(status, ApiError)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
