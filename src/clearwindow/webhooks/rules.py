"""When a message is retried or dropped, and when an endpoint is disabled. Protocol §9."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from clearwindow.webhooks.models import Answer, BatchResult, Endpoint, Outcome

RETRY_SECONDS: Final = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800)
"""The pause after the first failure, the second and so on. The last value repeats."""

JITTER: Final = 0.2
"""The random share by which a pause is shorter or longer, so that endpoints do not all retry at the same time."""

MAX_AGE: Final = timedelta(days=3)
"""A message older than this is dropped, so that it does not block newer messages."""

MAX_RETRY_AFTER: Final = timedelta(hours=24)
"""The longest pause that an endpoint can request."""

DISABLE_AFTER: Final = timedelta(days=5)
"""An endpoint is disabled if all deliveries have failed for this time."""

TROUBLED_AFTER: Final = timedelta(hours=1)
"""An endpoint that failed for at least this time and then accepts a message gets an event about its recovery."""

GONE: Final = 410

_CHANGEABLE: Final = {"url": "url", "event_types": "eventTypes", "description": "description", "status": "enabled"}


def changed_fields(before: Endpoint, after: Endpoint) -> list[str]:
    """Returns which fields of a request differ between two states of an endpoint, in their names on the wire."""
    return [wire for name, wire in _CHANGEABLE.items() if getattr(before, name) != getattr(after, name)]


def after_batch(
    failures: int, failing_since: datetime | None, answers: Sequence[Answer], now: datetime, chance: float
) -> BatchResult:
    """Returns the state of an endpoint after a batch of messages, which ended with the first failure.

    Args:
        failures: failures in a row before the batch.
        failing_since: start of these failures, before the batch.
        answers: one for each message, in their order.
        now: the present.
        chance: a random number from 0 to 1 that chooses the jitter.
    """
    delivered = any(answer.succeeded for answer in answers)
    if delivered:
        recovered = failing_since is not None and now - failing_since >= TROUBLED_AFTER
        failures, failing_since = 0, None
    else:
        recovered = False
    failed = next((answer for answer in answers if not answer.succeeded), None)
    if failed is None:
        return BatchResult(Outcome.RECOVERED if recovered else Outcome.CONTINUES, failures, failing_since, None)
    failures, failing_since = failures + 1, failing_since or failed.started_at
    if failed.status_code == GONE:
        return BatchResult(Outcome.DISABLED_AS_GONE, failures, failing_since, None)
    if now - failing_since >= DISABLE_AFTER:
        return BatchResult(Outcome.DISABLED_AS_FAILING, failures, failing_since, None)
    retry_at = now + pause(failures, failed.retry_after_seconds, chance)
    return BatchResult(Outcome.RECOVERED if recovered else Outcome.RETRIES, failures, failing_since, retry_at)


def pause(failures: int, retry_after_seconds: float | None, chance: float) -> timedelta:
    """Returns the pause after this number of failures in a row, at least as long as the endpoint requested."""
    if failures < 1:
        raise ValueError("there is no pause without a failure")
    planned = RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1]
    jittered = planned * (1 + JITTER * (2 * chance - 1))
    asked = min(retry_after_seconds or 0, MAX_RETRY_AFTER.total_seconds())
    return timedelta(seconds=max(jittered, asked))


def without_query(url: str) -> str:
    """Returns the address without its query, which may hold a password of the receiver."""
    return urlunsplit(urlsplit(url)._replace(query=""))
