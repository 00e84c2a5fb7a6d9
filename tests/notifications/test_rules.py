"""When a person is told: pure rules of quiet hours, of the limit of an hour, and of retries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.notifications import rules
from clearwindow.notifications.models import NotificationKind, Owed, Pace, QuietHours

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
NIGHT = QuietHours(time(22), time(7))
FRESH = Pace(None, 0, None)


def owed(position: int, payload: Mapping[str, object] | None = None, *, message_id: UUID | None = None) -> Owed:
    kind, event = NotificationKind.EVENT, "allocation.cleared"
    return Owed(uuid4(), position, kind, message_id, event, uuid4(), payload or {}, False, NOW, None)  # noqa: FBT003 - a row


@pytest.mark.parametrize(
    ("zone", "now", "end"),
    [
        ("UTC", datetime(2026, 1, 5, 23, tzinfo=UTC), datetime(2026, 1, 6, 7, tzinfo=UTC)),
        ("UTC", datetime(2026, 1, 5, 6, 59, tzinfo=UTC), datetime(2026, 1, 5, 7, tzinfo=UTC)),
        ("UTC", datetime(2026, 1, 5, 7, tzinfo=UTC), None),
        ("Asia/Tokyo", datetime(2026, 1, 5, 14, tzinfo=UTC), datetime(2026, 1, 5, 22, tzinfo=UTC)),
        # The clocks go forward in this night, and back in the other: the end is a local time.
        ("Europe/Berlin", datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 3, 29, 5, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 24, 21, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC)),
    ],
)
def test_quiet_hours_end_at_a_local_time(zone: str, now: datetime, end: datetime | None) -> None:
    assert rules.quiet_until(NIGHT, zone, now) == end


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - given a zone
    st.times(),
    st.times(),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_quiet_hours_always_end_within_a_day_and_an_hour(now: datetime, start: time, end: time, zone: str) -> None:
    until = rules.quiet_until(QuietHours(start, end), zone, now)
    assert until is None or now < until <= now + timedelta(hours=25)
    if until is None and start < end:
        assert not start <= now.astimezone(ZoneInfo(zone)).time() < end


@pytest.mark.parametrize(
    ("event_type", "payload", "urgent"),
    [
        ("settlement.initiated", {"disputeDeadlineAt": "2026-01-05T12:10:00.000Z"}, True),
        ("settlement.completed", {"disputeDeadlineAt": "2026-01-05T11:10:00.000Z"}, False),
        ("proposal.made", {"expiresAt": "2026-01-12T12:00:00.000Z"}, True),
        ("settlement.failed", {}, True),
        ("dispute.created", {}, False),
    ],
)
def test_what_has_a_deadline_is_urgent(event_type: str, payload: dict[str, object], urgent: bool) -> None:  # noqa: FBT001 - a case
    assert rules.is_urgent(NotificationKind.EVENT, event_type, payload, NOW) is urgent


def test_quiet_hours_hold_back_only_what_has_no_deadline() -> None:
    later = NOW + timedelta(hours=8)
    urgent = owed(2, {"disputeDeadlineAt": "2026-01-05T12:10:00.000Z"})
    plan = rules.plan([owed(1), urgent, owed(3)], FRESH, later, NOW, 30)
    assert [message.positions for message in plan.messages] == [(2,)]
    assert plan.held == {1: later, 3: later}


def test_beyond_the_limit_everything_is_gathered_each_five_minutes() -> None:
    first = rules.plan([owed(number) for number in range(5)], FRESH, None, NOW, 3)
    assert [message.positions for message in first.messages] == [(0,), (1,), (2,), (3, 4)]
    second = rules.plan([owed(5)], first.pace, None, NOW + timedelta(minutes=1), 3)
    assert (second.messages, second.held) == ((), {5: NOW + rules.DIGEST_PAUSE})
    third = rules.plan([owed(5), owed(6)], second.pace, None, NOW + rules.DIGEST_PAUSE, 3)
    assert [message.positions for message in third.messages] == [(5, 6)]
    next_hour = rules.plan([owed(7)], third.pace, None, NOW + rules.HOUR, 3)
    assert [message.positions for message in next_hour.messages] == [(7,)]


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 10), st.booleans())
def test_each_notification_is_sent_once_or_held_and_order_is_kept(
    planned: list[bool],
    per_hour: int,
    quiet: bool,  # noqa: FBT001 - drawn
) -> None:
    known = uuid4()
    all_owed = [owed(number, message_id=known if before else None) for number, before in enumerate(planned)]
    plan = rules.plan(all_owed, FRESH, NOW + rules.HOUR if quiet else None, NOW, per_hour)
    sent = [position for message in plan.messages for position in message.positions]
    assert sorted([*sent, *plan.held]) == list(range(len(planned)))
    fresh = [position for message in plan.messages if message.message_id is None for position in message.positions]
    assert fresh == sorted(fresh)
    assert plan.pace.sent_in_hour <= per_hour


def test_planned_message_keeps_its_id_and_is_not_counted_again() -> None:
    known = uuid4()
    plan = rules.plan([owed(1, message_id=known), owed(2, message_id=known)], Pace(NOW, 3, None), None, NOW, 3)
    (message,) = plan.messages
    assert (message.message_id, message.positions) == (known, (1, 2))
    assert plan.pace.sent_in_hour == 3
