"""Who hears of events, where, and what is owed to them, as values. Protocol §9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from typing import Final
from uuid import UUID

from clearwindow.events.models import EventType
from clearwindow.identity.models import Member, Operator

Person = Member | Operator
"""Whoever hears of events: a user of an enterprise, or an operator."""


class ChannelKind(StrEnum):
    EMAIL = "email"
    CHAT = "chat"


class ChatForm(StrEnum):
    """The JSON that a chat takes."""

    SLACK = "slack"
    TEAMS = "teams"
    MATTERMOST = "mattermost"
    GENERIC = "generic"


class ChannelStatus(StrEnum):
    UNVERIFIED = "unverified"
    """An e-mail address whose code was not confirmed yet. It gets nothing but the code."""
    ACTIVE = "active"
    ENDED = "ended"


class EndedReason(StrEnum):
    ASKED = "asked"
    REPLACED = "replaced"
    GONE = "gone"
    """The chat answered 410."""
    FAILING = "failing"
    """No message was accepted for days."""
    LEFT = "left"
    """The person is no longer a member of the enterprise, or no operator."""


class NotificationKind(StrEnum):
    EVENT = "event"
    CODE = "code"
    """The code that proves an e-mail address."""
    TEST = "test"
    ENDED = "ended"
    """That nothing more will come to this address."""


class NotificationStatus(StrEnum):
    OWED = "owed"
    SENT = "sent"
    REFUSED = "refused"
    """The mail server or the chat refused it for good."""
    DROPPED = "dropped"
    """Not sent: it became too old, or the channel ended."""


OPERATORS_TYPES: Final = frozenset(
    {
        EventType.PAUSE_STARTED,
        EventType.PAUSE_ENDED,
        EventType.PROPOSAL_MADE,
        EventType.PROPOSAL_ENDED,
        EventType.SETTLEMENT_FAILED,
    }
)
"""What operators can hear of. Of pauses and proposals they have events of their own."""

ADMINISTRATORS_TYPES: Final = frozenset(
    {
        EventType.MEMBER_UPDATED,
        EventType.WEBHOOK_ENDPOINT_CHANGED,
        EventType.WEBHOOK_ENDPOINT_DISABLED,
        EventType.WEBHOOK_ENDPOINT_RECOVERED,
    }
)
"""What only an enterprise's administrators hear of: who may do what, and where its events go."""

USUAL_TYPES: Final = frozenset(
    {
        EventType.SETTLEMENT_INITIATED,
        EventType.SETTLEMENT_TOP_UP_REQUIRED,
        EventType.SETTLEMENT_FAILED,
        EventType.SETTLEMENT_REJECTED,
        EventType.SETTLEMENT_WITHDRAWN,
        EventType.SETTLEMENT_SLA_ALERT,
        EventType.DISPUTE_CREATED,
        EventType.DISPUTE_CLOSED,
        EventType.DISPUTE_REVIEWED,
        EventType.APPROVAL_REQUESTED,
        EventType.PROPOSAL_MADE,
        EventType.GO_ACCOUNT_KEY_ADDED,
        EventType.PAUSE_STARTED,
        EventType.PAUSE_ENDED,
        EventType.WEBHOOK_ENDPOINT_DISABLED,
    }
)
"""What a person hears of who names no event types: where somebody may have to act."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The local time from which and until which everything waits that has no deadline."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Recipient:
    """What one person wants to hear."""

    id: UUID
    enterprise_id: str | None
    user_id: str | None
    operator_id: UUID | None
    event_types: tuple[str, ...]
    time_zone: str
    quiet_from: time | None
    quiet_until: time | None
    created_at: datetime
    updated_at: datetime

    @property
    def quiet_hours(self) -> QuietHours | None:
        if self.quiet_from is None or self.quiet_until is None:
            return None
        return QuietHours(self.quiet_from, self.quiet_until)


@dataclass(frozen=True, slots=True)
class Channel:
    """An address of one person. ``address`` is the e-mail address, or the host of a chat's URL."""

    id: UUID
    recipient_id: UUID
    kind: ChannelKind
    address: str
    form: ChatForm | None
    sealed_url: bytes | None = field(repr=False)
    sealed_code: bytes | None = field(repr=False)
    code_ends_at: datetime | None
    code_failures: int
    status: ChannelStatus
    ended_reason: EndedReason | None
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    problem: str | None
    hour_began_at: datetime | None
    sent_in_hour: int
    digest_after: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class WantedChat:
    """A chat to tell. ``url`` is None to keep the one that is known."""

    form: ChatForm
    url: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class WantedSettings:
    """What a person asks for. Whatever is None ends, or is as usual."""

    email: str | None
    chat: WantedChat | None
    event_types: Sequence[EventType] | None
    time_zone: str
    quiet_hours: QuietHours | None


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """What a person hears, and where. ``recipient`` is None for somebody who never asked for anything."""

    recipient: Recipient | None
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class Owed:
    """A notification to send, with what it tells. ``payload`` is the event's, as this person may see it."""

    channel_id: UUID
    position: int
    kind: NotificationKind
    message_id: UUID | None
    type: str | None
    subject_id: UUID | None
    payload: Mapping[str, object] | None
    as_client: bool
    created_at: datetime
    partner_name: str | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How many messages a channel got in an hour, and when the next digest may go."""

    hour_began_at: datetime | None
    sent_in_hour: int
    digest_after: datetime | None


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """The notifications that one message tells, by their positions. ``message_id`` is None if it is new."""

    message_id: UUID | None
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent now, in this order, what waits until when, and the pace afterwards."""

    messages: tuple[PlannedMessage, ...]
    held: Mapping[int, datetime]
    pace: Pace


@dataclass(frozen=True, slots=True)
class Total:
    """What a person's connections lose and gain of one currency in a settlement, in base units."""

    settlement_id: UUID
    enterprise_id: str
    currency: str
    lost: int
    gained: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A currency as people write it: its coin, and how many decimals that has."""

    name: str
    backing: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Section:
    """What a message tells of one event: a heading, and lines below it."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A message before it has the form of a channel. All texts are one line, without control characters."""

    id: UUID
    positions: tuple[int, ...]
    subject: str
    sections: tuple[Section, ...]
    footer: str
    created_at: datetime
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A channel that is leased to one worker, with the messages to send, in order."""

    channel: Channel
    lease_id: UUID
    url: str | None = field(repr=False)
    messages: tuple[Message, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """How sending one message ended. ``refused``: for good, so that the next message is tried."""

    problem: str | None = None
    refused: bool = False
    gone: bool = False
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """The state of a channel after some messages. ``ended_reason`` is set if it ends."""

    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    problem: str | None
    ended_reason: EndedReason | None


@dataclass(frozen=True, slots=True)
class ListedNotification:
    """A notification in a list, without what it tells."""

    position: int
    kind: NotificationKind
    channel_kind: ChannelKind
    address: str
    type: str | None
    status: NotificationStatus
    message_id: UUID | None
    attempts: int
    problem: str | None
    held_until: datetime | None
    owed_since: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """Which notifications a list has. None selects all."""

    statuses: Sequence[NotificationStatus] | None
    created_on_or_after: datetime | None
    created_before: datetime | None


@dataclass(frozen=True, slots=True)
class ListedChannel:
    """A channel as operators see it, without its secrets."""

    id: UUID
    enterprise_id: str | None
    user_id: str | None
    operator_id: UUID | None
    kind: ChannelKind
    address: str
    form: ChatForm | None
    status: ChannelStatus
    ended_reason: EndedReason | None
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    problem: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ChannelFilter:
    """Which channels a list has. None selects all."""

    enterprise_ids: Sequence[str] | None
    statuses: Sequence[ChannelStatus] | None
    failing: bool | None
    created_on_or_after: datetime | None
    created_before: datetime | None
