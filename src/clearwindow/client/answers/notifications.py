"""What a person is told by e-mail and chat."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from clearwindow.client.answers.base import OpenText, Value

ChannelKind = Annotated[Literal["email", "chat"], OpenText]
ChannelStatus = Annotated[Literal["unverified", "active", "ended"], OpenText]
ChatForm = Annotated[Literal["slack", "teams", "mattermost", "generic"], OpenText]
NotificationStatus = Annotated[Literal["owed", "sent", "refused", "dropped"], OpenText]


class QuietHours(Value):
    """Local times such as ``22:30``, which may go over midnight."""

    start: str = Field(alias="from")
    end: str = Field(alias="until")


class NotificationChannel(Value):
    """An address of a person. ``address`` is the e-mail address, or the host of a chat."""

    kind: ChannelKind
    address: str
    form: ChatForm | None = None
    status: ChannelStatus
    ended_reason: str | None = None
    failures: int
    failing_since: AwareDatetime | None = None
    retry_at: AwareDatetime | None = None
    problem: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class OperatorNotificationChannel(NotificationChannel):
    """The same with its owner: a user of an enterprise, or an operator."""

    id: str
    enterprise_id: str | None = None
    user_id: str | None = None
    operator_id: str | None = None


class NotificationSettings(Value):
    """What a person is told, and where."""

    channels: tuple[NotificationChannel, ...]
    event_types: tuple[str, ...]
    time_zone: str
    quiet_hours: QuietHours | None = None


class NotificationTest(Value):
    """The kinds of addresses that get the test message."""

    sent_to: tuple[ChannelKind, ...]


class Notification(Value):
    """One thing that a person was or will be told. Several may share a ``message_id``: they are one message."""

    position: int
    kind: Annotated[Literal["event", "code", "test", "ended"], OpenText]
    channel: ChannelKind
    address: str
    event_type: str | None = None
    status: NotificationStatus
    message_id: str | None = None
    attempts: int
    problem: str | None = None
    held_until: AwareDatetime | None = None
    owed_since: AwareDatetime
    ended_at: AwareDatetime | None = None
