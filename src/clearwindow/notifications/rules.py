"""When a person is told: quiet hours, the limit of an hour, digests, retries, and codes. Protocol §9."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from clearwindow.core.clock import parse_rfc3339
from clearwindow.events.models import EventType
from clearwindow.notifications.models import (
    Channel,
    ChannelHealth,
    EndedReason,
    NotificationKind,
    Owed,
    Pace,
    Plan,
    PlannedMessage,
    QuietHours,
    Result,
)
from clearwindow.webhooks.rules import DISABLE_AFTER, pause

HOUR: Final = timedelta(hours=1)
DIGEST_PAUSE: Final = timedelta(minutes=5)
"""Beyond the limit of an hour, everything is told in one message each time this has passed."""
LONGEST_PAUSE: Final = timedelta(minutes=10)
"""The longest pause after failures: what waits may have a deadline."""
CODE_LIFETIME: Final = timedelta(minutes=30)
CODE_DIGITS: Final = 8
MAX_CODE_FAILURES: Final = 5
"""After so many wrong codes, the code is void."""
CODES_PER_HOUR: Final = 5
"""The most codes of an hour for one person, and for one address."""

DEADLINE_FIELDS: Final = ("disputeDeadlineAt", "topUpDeadlineAt", "slaAt", "expiresAt")
"""The fields of events that are deadlines."""

_NEVER_WAITS: Final = frozenset(
    {
        EventType.SETTLEMENT_TOP_UP_REQUIRED,
        EventType.SETTLEMENT_FAILED,
        EventType.SETTLEMENT_SLA_ALERT,
        EventType.PAUSE_STARTED,
    }
)


def knows_time_zone(name: str) -> bool:
    return name in available_timezones()


def is_urgent(kind: NotificationKind, event_type: str | None, payload: Mapping[str, object], at: datetime) -> bool:
    """Returns whether quiet hours do not hold this back.

    Args:
        kind: of the notification. Only events wait.
        event_type: the type of the event.
        payload: what it tells.
        at: when it happened. A deadline that was over by then is none.
    """
    if kind is not NotificationKind.EVENT or event_type in _NEVER_WAITS:
        return True
    deadlines = (parse_rfc3339(value) for name in DEADLINE_FIELDS if isinstance(value := payload.get(name), str))
    return any(deadline is not None and deadline > at for deadline in deadlines)


def quiet_until(hours: QuietHours | None, time_zone: str, now: datetime) -> datetime | None:
    """Returns when the quiet hours end that ``now`` is in, None if it is in none."""
    if hours is None:
        return None
    local = now.astimezone(ZoneInfo(time_zone))
    at = local.time()
    over_midnight = hours.start > hours.end
    quiet = at >= hours.start or at < hours.end if over_midnight else hours.start <= at < hours.end
    if not quiet:
        return None
    last_day = local.date() + timedelta(days=1) if over_midnight and at >= hours.start else local.date()
    end = datetime.combine(last_day, hours.end, local.tzinfo)
    if last_day == local.date():
        # In the hour that a change of the clocks repeats, the end is in the same pass as now.
        end = end.replace(fold=local.fold)
    return max(end.astimezone(UTC), now + timedelta(minutes=1))


def plan(owed: Sequence[Owed], pace: Pace, quiet_end: datetime | None, now: datetime, per_hour: int) -> Plan:
    """Returns what of the owed notifications is sent now, and what waits.

    A message that was planned before keeps its notifications and its id. Codes and last words are not counted.

    Args:
        owed: the notifications of one channel that may be sent now, in order.
        pace: of the channel.
        quiet_end: when the quiet hours end that now is in; None outside of them.
        now: the present.
        per_hour: how many messages an hour has, before the rest is gathered.
    """
    if pace.hour_began_at is None or now - pace.hour_began_at >= HOUR:
        pace = Pace(now, 0, None)
    planned: dict[UUID, list[Owed]] = {}
    messages: list[PlannedMessage] = []
    held: dict[int, datetime] = {}
    fresh: list[Owed] = []
    for each in owed:
        if each.message_id is not None:
            planned.setdefault(each.message_id, []).append(each)
        elif each.kind in (NotificationKind.CODE, NotificationKind.ENDED):
            messages.append(PlannedMessage(None, (each.position,)))
        elif quiet_end is not None and not _urgent(each):
            held[each.position] = quiet_end
        else:
            fresh.append(each)
    for message_id, parts in planned.items():
        positions = tuple(part.position for part in parts)
        if quiet_end is not None and not any(map(_urgent, parts)):
            held |= dict.fromkeys(positions, quiet_end)
        else:
            messages.append(PlannedMessage(message_id, positions))
    single = fresh[: max(0, per_hour - pace.sent_in_hour)]
    rest = fresh[len(single) :]
    messages += [PlannedMessage(None, (each.position,)) for each in single]
    sent, digest_after = pace.sent_in_hour + len(single), pace.digest_after
    if rest and (digest_after is None or now >= digest_after):
        messages.append(PlannedMessage(None, tuple(each.position for each in rest)))
        digest_after = now + DIGEST_PAUSE
    elif rest and digest_after is not None:
        held |= dict.fromkeys((each.position for each in rest), digest_after)
    messages.sort(key=lambda message: message.positions[0])
    return Plan(tuple(messages), held, Pace(pace.hour_began_at, sent, digest_after))


def _urgent(owed: Owed) -> bool:
    return is_urgent(owed.kind, owed.type, owed.payload or {}, owed.created_at)


def after_results(channel: Channel, results: Sequence[Result], now: datetime, chance: float) -> ChannelHealth:
    """Returns the state of a channel after messages, of which only the last may have failed and be tried again.

    Args:
        channel: as it was before.
        results: one for each message that was tried, in order.
        now: the present.
        chance: a random number from 0 to 1 that spreads retries.
    """
    failures, failing_since, problem = channel.failures, channel.failing_since, channel.problem
    retry_at: datetime | None = None
    reason: EndedReason | None = None
    for result in results:
        if result.problem is None:
            failures, failing_since, problem = 0, None, None
            continue
        failures, failing_since, problem = failures + 1, failing_since or now, result.problem
        if not result.refused:
            retry_at = now + min(pause(failures, result.retry_after_seconds, chance), LONGEST_PAUSE)
        if result.gone:
            reason = EndedReason.GONE
    if reason is None and failing_since is not None and now - failing_since >= DISABLE_AFTER:
        reason = EndedReason.FAILING
    return ChannelHealth(failures, failing_since, retry_at, problem, reason)


def code_text(number: int) -> str:
    """Returns a code of ``CODE_DIGITS`` digits."""
    return f"{number:0{CODE_DIGITS}}"


def is_code(expected: bytes, given: str) -> bool:
    """Compares in a time that tells nothing of the code."""
    return hmac.compare_digest(expected, given.encode())
