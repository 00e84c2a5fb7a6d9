"""Decides whether a failed request is sent again, and after how long. Pure: chance and time are arguments.

There are three kinds of failures. If the request *was never sent*, or *was refused before anything was done* (429),
it may be sent again. If it *may have been carried out*, it may be sent again only if the server carries it out once
however often it comes, and then with the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from clearwindow.client.options import HttpOptions

_TRANSIENT: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class Harm(Enum):
    """What a failed attempt may have changed on the server."""

    NONE = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt that may be followed by another one."""

    harm: Harm
    retry_after_seconds: float | None = None


def failure_of_status(status: int, retry_after_seconds: float | None) -> Failure | None:
    """Returns the failure, or None if another attempt would get the same answer."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Failure(Harm.NONE, retry_after_seconds)
    if status in _TRANSIENT:
        return Failure(Harm.UNKNOWN, retry_after_seconds)
    return None


def wait_seconds(
    failure: Failure, *, repeatable: bool, repeat: int, left_seconds: float, options: HttpOptions, chance: float
) -> float | None:
    """Returns the wait before the request is sent again, or None if it must not or cannot be sent again.

    Args:
        failure: of the last attempt.
        repeatable: whether the server carries the request out only once if it is sent again.
        repeat: the number of the repeat, from 1 on.
        left_seconds: until the whole call must end.
        options: the limits.
        chance: from 0 to 1; spreads the repeats of many callers that failed at the same time.
    """
    if repeat > options.repeats or (failure.harm is Harm.UNKNOWN and not repeatable):
        return None
    backoff = min(options.first_wait_seconds * 2 ** (repeat - 1), options.longest_wait_seconds)
    # Between half of the backoff and all of it: never immediately, and not all callers at the same time.
    wait = backoff * (0.5 + chance / 2)
    if failure.retry_after_seconds is not None:
        if failure.retry_after_seconds > options.longest_wait_seconds:
            return None
        # Never earlier than asked, and a little later: all refused callers are told the same number.
        wait = failure.retry_after_seconds + backoff * chance / 2
    return wait if wait < left_seconds else None


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """Returns the seconds of a ``Retry-After`` header, a number or a date, or None for anything else."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= len("31536000"):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
