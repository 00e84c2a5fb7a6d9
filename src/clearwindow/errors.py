"""Everything that can be wrong with a request, in words a person can act on. Protocol §2.

An error names its HTTP status and a stable machine name; ``details`` carries what a program may want to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class RequestError(Exception):
    """Answered to the caller as it is; the transaction it was raised in is rolled back."""

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
    """The request did not arrive in time; its connection ends with the answer."""

    status = 408


class TooLargeError(RequestError):
    status = 413


class UnprocessableError(RequestError):
    status = 422


class TooManyRequestsError(RequestError):
    """Nothing is wrong with the request but the number of them."""

    status = 429

    def __init__(
        self, name: str, message: str, details: Mapping[str, object] | None = None, *, retry_after_seconds: int
    ) -> None:
        super().__init__(name, message, details)
        self.retry_after_seconds = retry_after_seconds


class UnavailableError(RequestError):
    """Nothing is wrong with the request: the same request may be sent again."""

    status = 500
