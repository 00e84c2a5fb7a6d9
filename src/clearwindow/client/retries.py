"""When a failed request is sent again, and how long before. Pure: chance and time are arguments.

Three things may be said of a failure. The request *never left*: any request may be sent again. It *was refused
before anything was done* (429): the same. It *may have been carried out*: only a request that the server carries
out once however often it comes may be sent again, and then with the same bytes.
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
    """What a failed attempt may have done."""

    NONE = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that is worth another one."""

    harm: Harm
    retry_after_seconds: float | None = None


def failure_of_status(status: int, retry_after_seconds: float | None) -> Failure | None:
    """None for an answer that another attempt would not change."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Failure(Harm.NONE, retry_after_seconds)
    if status in _TRANSIENT:
        return Failure(Harm.UNKNOWN, retry_after_seconds)
    return None


def wait_seconds(
    failure: Failure, *, repeatable: bool, repeat: int, left_seconds: float, options: HttpOptions, chance: float
) -> float | None:
    """How long to wait before sending the request again; None where it must not, or cannot, be sent again.

    Args:
        failure: what the last attempt met.
        repeatable: whether the server carries the request out once however often it comes.
        repeat: which repeat this would be, from 1 on.
        left_seconds: until the whole call must have ended.
        options: the limits.
        chance: from 0 to 1; spreads the repeats of many callers that failed together.
    """
    if repeat > options.repeats or (failure.harm is Harm.UNKNOWN and not repeatable):
        return None
    backoff = min(options.first_wait_seconds * 2 ** (repeat - 1), options.longest_wait_seconds)
    # Between half of it and all of it: never at once, and never all together.
    wait = backoff * (0.5 + chance / 2)
    if failure.retry_after_seconds is not None:
        if failure.retry_after_seconds > options.longest_wait_seconds:
            return None
        # Never earlier than asked, and a little later, as all that were refused hear the same number.
        wait = failure.retry_after_seconds + backoff * chance / 2
    return wait if wait < left_seconds else None


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """The seconds of a ``Retry-After`` header, which are a number or a date; None for anything else."""
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
