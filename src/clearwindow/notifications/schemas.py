"""Notification settings, and what was sent, on the wire."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import time
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from clearwindow.api.filters import CreatedPage, Flag, Many, Texts
from clearwindow.api.schema import RequestModel, ShortText, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.text import is_email_address, present
from clearwindow.events.models import SUBSCRIBABLE, EventType
from clearwindow.notifications import rules
from clearwindow.notifications.models import (
    Channel,
    ChannelFilter,
    ChannelKind,
    ChannelStatus,
    ChatForm,
    EndedReason,
    ListedChannel,
    ListedNotification,
    NotificationFilter,
    NotificationKind,
    NotificationSettings,
    NotificationStatus,
    QuietHours,
    WantedChat,
    WantedSettings,
)

_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_MAX_URL_LENGTH: Final = 2_000


def _email(text: str) -> str:
    if not is_email_address(text):
        raise ValueError("must be an e-mail address such as trader@example.com")
    return text


def _time_zone(text: str) -> str:
    if not rules.knows_time_zone(text):
        raise ValueError("must be a time zone such as Europe/Berlin")
    return text


def _local_time(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise ValueError("must be a time of day such as 22:30")
    return text


def _types(names: list[str]) -> list[str]:
    for name in names:
        if name not in SUBSCRIBABLE:
            raise ValueError(f"there is no event type {name[:80]!r}: see the event catalogue")
    if len(set(names)) != len(names):
        raise ValueError("names an event type twice")
    return names


EventTypes = Annotated[list[ShortText], Field(min_length=1, max_length=len(EventType)), AfterValidator(_types)]
LocalTime = Annotated[str, AfterValidator(_local_time)]


class WantedQuietHours(RequestModel):
    """Local times. Quiet hours may go over midnight. What has a deadline is sent all the same."""

    from_: Annotated[LocalTime, Field(alias="from")]
    until: LocalTime

    @model_validator(mode="after")
    def _require_some(self) -> Self:
        if self.from_ == self.until:
            raise ValueError("from and until must differ")
        return self

    def to_model(self) -> QuietHours:
        return QuietHours(time.fromisoformat(self.from_), time.fromisoformat(self.until))


class WantedChatRequest(RequestModel):
    """A chat's incoming webhook. Without ``url``, the one that is known stays."""

    form: Annotated[ChatForm, Field(strict=False)]
    url: Annotated[str, StringConstraints(min_length=1, max_length=_MAX_URL_LENGTH)] | None = None


class SettingsRequest(RequestModel):
    """All settings of a person. What is absent or null ends, or is as usual."""

    email: Annotated[ShortText, AfterValidator(_email)] | None = None
    chat: WantedChatRequest | None = None
    event_types: EventTypes | None = None
    time_zone: Annotated[ShortText, AfterValidator(_time_zone)] = "UTC"
    quiet_hours: WantedQuietHours | None = None

    @model_validator(mode="after")
    def _require_some(self) -> Self:
        # The signature of a read may have an empty body, and must not serve to end everything.
        if not self.model_fields_set:
            raise ValueError("must have a field: to stop all messages, send a DELETE")
        return self

    def to_model(self) -> WantedSettings:
        return WantedSettings(
            self.email,
            None if self.chat is None else WantedChat(self.chat.form, self.chat.url),
            None if self.event_types is None else [EventType(name) for name in self.event_types],
            self.time_zone,
            None if self.quiet_hours is None else self.quiet_hours.to_model(),
        )


class CodeRequest(RequestModel):
    code: Annotated[str, StringConstraints(pattern=rf"^[0-9]{{{rules.CODE_DIGITS}}}$")]


class QuietHoursView(WireModel):
    from_: Annotated[str, Field(alias="from")]
    until: str


class ChannelView(WireModel):
    """``address``: the e-mail address, or the host of the chat. The chat's URL is never shown."""

    kind: ChannelKind
    address: str
    form: ChatForm | None = None
    status: ChannelStatus
    ended_reason: EndedReason | None = None
    failures: int
    failing_since: str | None = None
    retry_at: str | None = None
    problem: str | None = None
    created_at: str
    updated_at: str


class SettingsView(WireModel):
    channels: list[ChannelView]
    event_types: list[str]
    time_zone: str
    quiet_hours: QuietHoursView | None = None


class SettingsAnswer(WireModel):
    notifications: SettingsView


class TestAnswer(WireModel):
    __test__ = False

    sent_to: list[ChannelKind]


class DeliveryFilters(CreatedPage):
    statuses: Many[Annotated[NotificationStatus, Field(strict=False)]] = None

    def to_model(self) -> NotificationFilter:
        return NotificationFilter(self.statuses, self.created_on_or_after, self.created_before)


class DeliveryView(WireModel):
    """``messageId`` is that of the message; several events may share one."""

    position: int
    kind: NotificationKind
    channel: ChannelKind
    address: str
    event_type: str | None = None
    status: NotificationStatus
    message_id: str | None = None
    attempts: int
    problem: str | None = None
    held_until: str | None = None
    owed_since: str
    ended_at: str | None = None


class DeliveriesAnswer(WireModel):
    notifications: list[DeliveryView]


class ChannelFilters(CreatedPage):
    enterprise_ids: Texts = None
    statuses: Many[Annotated[ChannelStatus, Field(strict=False)]] = None
    failing: Flag = None

    def to_model(self) -> ChannelFilter:
        return ChannelFilter(
            self.enterprise_ids, self.statuses, self.failing, self.created_on_or_after, self.created_before
        )


class ListedChannelView(ChannelView):
    id: str
    enterprise_id: str | None = None
    user_id: str | None = None
    operator_id: str | None = None


class ChannelsAnswer(WireModel):
    notification_channels: list[ListedChannelView]


def settings_answer(found: NotificationSettings) -> SettingsAnswer:
    known = found.recipient
    quiet = known.quiet_hours if known else None
    fields = present(
        quiet_hours=None
        if quiet is None
        else QuietHoursView.model_validate({"from": f"{quiet.start:%H:%M}", "until": f"{quiet.end:%H:%M}"})
    )
    view = {
        "channels": [ChannelView.model_validate(_channel(each)) for each in found.channels],
        "event_types": list(known.event_types) if known else [],
        "time_zone": known.time_zone if known else "UTC",
    }
    return SettingsAnswer(notifications=SettingsView.model_validate(view | fields))


def deliveries_answer(found: Sequence[ListedNotification]) -> DeliveriesAnswer:
    return DeliveriesAnswer(notifications=[_delivery(each) for each in found])


def channels_answer(found: Sequence[ListedChannel]) -> ChannelsAnswer:
    return ChannelsAnswer(
        notification_channels=[
            ListedChannelView.model_validate(
                _channel(each)
                | present(
                    id=str(each.id),
                    enterprise_id=each.enterprise_id,
                    user_id=each.user_id,
                    operator_id=str(each.operator_id) if each.operator_id else None,
                )
            )
            for each in found
        ]
    )


def _channel(channel: Channel | ListedChannel) -> dict[str, object]:
    return present(
        kind=channel.kind,
        address=channel.address,
        form=channel.form,
        status=channel.status,
        ended_reason=channel.ended_reason,
        failures=channel.failures,
        failing_since=wire_time(channel.failing_since) if channel.failing_since else None,
        retry_at=wire_time(channel.retry_at) if channel.retry_at else None,
        problem=channel.problem,
        created_at=wire_time(channel.created_at),
        updated_at=wire_time(channel.updated_at),
    )


def _delivery(found: ListedNotification) -> DeliveryView:
    fields = present(
        position=found.position,
        kind=found.kind,
        channel=found.channel_kind,
        address=found.address,
        event_type=found.type,
        status=found.status,
        message_id=str(found.message_id) if found.message_id else None,
        attempts=found.attempts,
        problem=found.problem,
        held_until=wire_time(found.held_until) if found.held_until else None,
        owed_since=wire_time(found.owed_since),
        ended_at=wire_time(found.ended_at) if found.ended_at else None,
    )
    return DeliveryView.model_validate(fields)
