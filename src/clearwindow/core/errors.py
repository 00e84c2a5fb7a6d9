"""Everything that can be wrong with a request, in words that a person can act on. Protocol §2.

An error has an HTTP status and a name that never changes. ``details`` holds values for programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final


class RequestError(Exception):
    """The answer to the caller. The transaction that it was raised in is rolled back."""

    status: ClassVar[int] = 400
    retry_after_seconds: int | None = None

    def __init__(self, name: str, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.details = details


class InvalidRequestError(RequestError):
    status = 400


class NotAuthenticatedError(RequestError):
    status = 401


class PermissionDeniedError(RequestError):
    status = 403


class NotFoundError(RequestError):
    status = 404


class ConflictError(RequestError):
    status = 409


class TooSlowError(RequestError):
    """The request did not arrive in time. Its connection is closed after the answer."""

    status = 408


class TooLargeError(RequestError):
    status = 413


class UnsupportedMediaError(RequestError):
    """The body is written in a way that is not taken here."""

    status = 415


class UnprocessableError(RequestError):
    status = 422


class TooManyRequestsError(RequestError):
    """The caller sent too many requests. Nothing is wrong with this one."""

    status = 429

    def __init__(
        self, name: str, message: str, details: Mapping[str, object] | None = None, *, retry_after_seconds: int
    ) -> None:
        super().__init__(name, message, details)
        self.retry_after_seconds = retry_after_seconds


UNAVAILABLE = "unavailable"
"""The name in the answers of all errors that say what the server cannot do now."""


class HeadTooLargeError(RequestError):
    """The request line and the headers are larger than the limit, or the headers too many."""

    status = 431


class UnavailableError(RequestError):
    """The server has no capacity now, or did not get a lock in time. The same request may be sent again.

    Its name is the reason: answers have the name ``unavailable``, and the reason in their details.
    """

    status = 503

    def __init__(self, name: str, message: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(name, message)
        self.retry_after_seconds = retry_after_seconds


class DatabaseAwayError(UnavailableError):
    """The database cannot be reached or cannot write. Operations beside the wire contract's answer 503."""

    status = 500


class OutcomeUnknownError(RequestError):
    """The connection to the database broke during the commit. Its statuses are those of ``DatabaseAwayError``."""

    status = 500
    retry_after_seconds = 1


REFUSALS: Final = (
    InvalidRequestError,
    NotAuthenticatedError,
    PermissionDeniedError,
    NotFoundError,
    UnprocessableError,
)
"""What checks of a request raise. Our own failures and conflicts with other requests are not among them."""
