"""When a message is sent again, when it is given up, and when an endpoint is. Pure; protocol §9."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from clearwindow.notices.webhooks import Answer

RETRY_SECONDS: Final = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800)
"""How long to wait after the first failure, the second, …; the last is repeated."""

JITTER: Final = 0.2
"""By which share a wait is shorter or longer, so that endpoints that failed together do not return together."""

MAX_AGE: Final = timedelta(days=3)
"""How long a message is owed; then it is dropped, so that those behind it get their turn."""

MAX_RETRY_AFTER: Final = timedelta(hours=24)
"""The longest wait that an endpoint may ask for."""

DISABLE_AFTER: Final = timedelta(days=5)
"""An endpoint that took nothing for so long is disabled."""

TROUBLED_AFTER: Final = timedelta(hours=1)
"""An endpoint that failed for so long and takes messages again has recovered, which is worth an event."""

GONE: Final = 410


class Course(Enum):
    """What becomes of an endpoint after a batch of messages."""

    GOES_ON = auto()
    RETRIES = auto()
    RECOVERED = auto()
    DISABLED_AS_GONE = auto()
    DISABLED_AS_FAILING = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The endpoint's state after a batch. ``retry_at`` is None where the next message may go at once."""

    course: Course
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None


def verdict(
    failures: int, failing_since: datetime | None, answers: Sequence[Answer], now: datetime, chance: float
) -> Verdict:
    """Judges an endpoint by the answers to messages that were sent one after the other; a failure ended the batch.

    ``failures`` and ``failing_since`` are as they were before the batch. ``chance``, from 0 up to 1, is where in
    its jitter the wait lies.
    """
    delivered = any(answer.succeeded for answer in answers)
    if delivered:
        recovered = failing_since is not None and now - failing_since >= TROUBLED_AFTER
        failures, failing_since = 0, None
    else:
        recovered = False
    failed = next((answer for answer in answers if not answer.succeeded), None)
    if failed is None:
        return Verdict(Course.RECOVERED if recovered else Course.GOES_ON, failures, failing_since, None)
    failures, failing_since = failures + 1, failing_since or failed.started_at
    if failed.status_code == GONE:
        return Verdict(Course.DISABLED_AS_GONE, failures, failing_since, None)
    if now - failing_since >= DISABLE_AFTER:
        return Verdict(Course.DISABLED_AS_FAILING, failures, failing_since, None)
    retry_at = now + wait(failures, failed.retry_after_seconds, chance)
    return Verdict(Course.RECOVERED if recovered else Course.RETRIES, failures, failing_since, retry_at)


def wait(failures: int, retry_after_seconds: float | None, chance: float) -> timedelta:
    """How long an endpoint is left alone after that many failures in a row; never shorter than it asked for."""
    if failures < 1:
        raise ValueError("an endpoint that did not fail is not left alone")
    planned = RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1]
    jittered = planned * (1 + JITTER * (2 * chance - 1))
    asked = min(retry_after_seconds or 0, MAX_RETRY_AFTER.total_seconds())
    return timedelta(seconds=max(jittered, asked))
