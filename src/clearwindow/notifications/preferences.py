"""What a person wants to hear, and where: reads and changes it, proves addresses, sends tests. Protocol §9."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from clearwindow.core.errors import ConflictError, InvalidRequestError, UnprocessableError
from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Operator
from clearwindow.notifications import rules, store
from clearwindow.notifications.models import (
    OPERATORS_TYPES,
    USUAL_TYPES,
    Channel,
    ChannelFilter,
    ChannelKind,
    ChannelStatus,
    EndedReason,
    ListedChannel,
    ListedNotification,
    NotificationFilter,
    NotificationKind,
    NotificationSettings,
    Person,
    Recipient,
    WantedChat,
    WantedSettings,
)
from clearwindow.outbound.addresses import AddressRefusedError, require_callable
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime

_CODES: Final = 10**rules.CODE_DIGITS


def url_context(channel_id: UUID) -> str:
    """Returns what binds the ciphertext of a chat's URL to its channel."""
    return f"notification-url:{channel_id}"


def code_context(channel_id: UUID) -> str:
    """Returns what binds the ciphertext of a code to its channel."""
    return f"notification-code:{channel_id}"


def read(runtime: Runtime, person: Person) -> NotificationSettings:
    with runtime.transaction() as tx:
        return _settings(tx, person)


def change(runtime: Runtime, person: Person, wanted: WantedSettings) -> NotificationSettings:
    """Replaces the settings as a whole. A new e-mail address gets a code, and nothing else before it is confirmed.

    An address that nothing more will come to is told so.

    Raises:
        InvalidRequestError: the chat's address must not be called, or none is known.
        UnprocessableError: the network sends no e-mail, or too many codes were asked for.
    """
    types = _types(person, wanted.event_types)
    if wanted.email is not None and runtime.notifications.mail is None:
        raise UnprocessableError("email_not_set_up", "email: this network sends no e-mail: ask its operator")
    if wanted.chat is not None and wanted.chat.url is not None:
        _require_url(runtime, wanted.chat.url)
    with runtime.transaction() as tx:
        recipient = _kept(tx, person, wanted, types)
        known = {channel.kind: channel for channel in store.open_channels(tx, recipient.id)}
        _change_email(runtime, tx, recipient, known.get(ChannelKind.EMAIL), wanted.email)
        _change_chat(runtime, tx, recipient, known.get(ChannelKind.CHAT), wanted.chat)
        opened = store.open_channels(tx, recipient.id)
        store.release_held(tx, [channel.id for channel in opened])
        audit.record(
            tx,
            person,
            "notifications.changed",
            recipient.id,
            channels=[channel.kind for channel in opened],
            eventTypes=list(recipient.event_types),
        )
        return _settings(tx, person)


def for_operator(wanted: WantedSettings) -> WantedSettings:
    """Returns the settings if an operator may have them.

    Raises:
        InvalidRequestError: operators do not hear of an event type.
    """
    others = sorted(set(wanted.event_types or ()) - OPERATORS_TYPES)
    if others:
        raise InvalidRequestError(
            "event_type_not_for_operators",
            f"eventTypes: operators do not hear of {others[0]}: choose among {', '.join(sorted(OPERATORS_TYPES))}",
        )
    return wanted


def stop(runtime: Runtime, person: Person) -> None:
    """Ends all channels of the person. Ending them again changes nothing."""
    with runtime.transaction() as tx:
        recipient = store.lock_recipient(tx, person)
        opened = [] if recipient is None else store.open_channels(tx, recipient.id)
        if recipient is not None and opened:
            for channel in opened:
                _end(tx, channel, EndedReason.ASKED)
            audit.record(tx, person, "notifications.stopped", recipient.id)


def verify(runtime: Runtime, person: Person, code: str) -> NotificationSettings:
    """Confirms the e-mail address with the code that was sent to it.

    Raises:
        ConflictError: no code is waited for: it was used, is too old, or there were too many wrong ones.
        UnprocessableError: the code is wrong.
    """
    with runtime.transaction() as tx:
        channel = _awaiting(tx, person)
        if channel is None:
            raise ConflictError(
                "notification_code_missing",
                "code: no code is waited for: set the same e-mail address again to get a new one",
            )
        right = rules.is_code(_code(runtime, channel), code)
        if right:
            store.activate(tx, channel.id)
            audit.record(tx, person, "notifications.email_verified", channel.recipient_id)
            return _settings(tx, person)
        failures = channel.code_failures + 1
        void = failures >= rules.MAX_CODE_FAILURES
        kept = (None, None) if void else (channel.sealed_code, channel.code_ends_at)
        store.set_code(tx, channel.id, *kept, failures)
    # Raised after the commit, so that the failure counts.
    raise UnprocessableError("notification_code_wrong", "code: is not the one that was sent last")


def send_test(runtime: Runtime, person: Person) -> list[ChannelKind]:
    """Owes a test message to each confirmed channel. Returns their kinds.

    Raises:
        ConflictError: there is none.
    """
    with runtime.transaction() as tx:
        recipient = store.find_recipient(tx, person)
        opened = [] if recipient is None else store.open_channels(tx, recipient.id)
        active = [channel for channel in opened if channel.status is ChannelStatus.ACTIVE]
        if not active:
            raise ConflictError(
                "notification_channel_missing",
                "there is no confirmed e-mail address and no chat: set one first, and confirm the code",
            )
        store.owe(tx, NotificationKind.TEST, [channel.id for channel in active])
        return [channel.kind for channel in active]


def list_own(
    runtime: Runtime, person: Person, wanted: NotificationFilter, part: Slice
) -> Listing[ListedNotification]:
    """Returns what the person was and will be told, newest first."""
    with runtime.transaction() as tx:
        return store.list_notifications(tx, person, wanted, part)


def list_channels(runtime: Runtime, wanted: ChannelFilter, part: Slice) -> Listing[ListedChannel]:
    """Returns everybody's channels, newest first, for operators."""
    with runtime.transaction() as tx:
        return store.list_channels(tx, wanted, part)


def _settings(tx: Transaction, person: Person) -> NotificationSettings:
    recipient = store.find_recipient(tx, person)
    if recipient is None:
        return NotificationSettings(None)
    return NotificationSettings(recipient, tuple(store.last_channels(tx, recipient.id)))


def _types(person: Person, wanted: Sequence[EventType] | None) -> tuple[str, ...]:
    if wanted is not None:
        return tuple(sorted(wanted))
    return tuple(sorted(OPERATORS_TYPES if isinstance(person, Operator) else USUAL_TYPES))


def _require_url(runtime: Runtime, url: str) -> None:
    try:
        require_callable(url, allow_private=runtime.outgoing.allow_private, query=True)
    except AddressRefusedError as error:
        raise InvalidRequestError("chat_url_refused", f"chat.url: {error}") from None


def _kept(tx: Transaction, person: Person, wanted: WantedSettings, types: tuple[str, ...]) -> Recipient:
    """Keeps the wishes. Returns the recipient, locked."""
    now, quiet = tx.now(), wanted.quiet_hours
    made = Recipient(
        id=tx.new_id(),
        enterprise_id=person.enterprise_id,
        user_id=None if isinstance(person, Operator) else person.user_id,
        operator_id=person.operator_id if isinstance(person, Operator) else None,
        event_types=types,
        time_zone=wanted.time_zone,
        quiet_from=quiet.start if quiet else None,
        quiet_until=quiet.end if quiet else None,
        created_at=now,
        updated_at=now,
    )
    store.insert_recipient(tx, person, made)
    before = store.lock_recipient(tx, person)
    if before is None:
        raise LookupError("a recipient that was just written is there")
    after = replace(made, id=before.id, created_at=before.created_at)
    if before != after:
        store.update_recipient(tx, after)
    return after


def _change_email(
    runtime: Runtime, tx: Transaction, recipient: Recipient, known: Channel | None, email: str | None
) -> None:
    if known is not None and known.address == email:
        if known.status is ChannelStatus.UNVERIFIED:
            _send_code(runtime, tx, recipient, known)
        return
    if known is not None:
        _end(tx, known, EndedReason.ASKED if email is None else EndedReason.REPLACED)
    if email is not None:
        made = _new(tx, recipient, ChannelKind.EMAIL, email, ChannelStatus.UNVERIFIED)
        store.insert_channel(tx, made)
        _send_code(runtime, tx, recipient, made)


def _change_chat(
    runtime: Runtime, tx: Transaction, recipient: Recipient, known: Channel | None, chat: WantedChat | None
) -> None:
    if chat is not None and known is not None and chat.url in (None, _url(runtime, known)):
        if chat.form is not known.form:
            store.change_form(tx, known.id, chat.form)
        return
    if chat is not None and chat.url is None:
        raise InvalidRequestError("chat_url_missing", "chat.url: give the address of the chat: none is known")
    if known is not None:
        _end(tx, known, EndedReason.ASKED if chat is None else EndedReason.REPLACED)
    if chat is not None and chat.url is not None:
        made = _new(tx, recipient, ChannelKind.CHAT, urlsplit(chat.url).hostname or "", ChannelStatus.ACTIVE)
        sealed = runtime.vault.encrypt(chat.url.encode(), context=url_context(made.id))
        store.insert_channel(tx, replace(made, form=chat.form, sealed_url=sealed))


def _new(tx: Transaction, recipient: Recipient, kind: ChannelKind, address: str, status: ChannelStatus) -> Channel:
    now = tx.now()
    return Channel(
        id=tx.new_id(),
        recipient_id=recipient.id,
        kind=kind,
        address=address,
        form=None,
        sealed_url=None,
        sealed_code=None,
        code_ends_at=None,
        code_failures=0,
        status=status,
        ended_reason=None,
        failures=0,
        failing_since=None,
        retry_at=None,
        problem=None,
        hour_began_at=None,
        sent_in_hour=0,
        digest_after=None,
        created_at=now,
        updated_at=now,
    )


def _end(tx: Transaction, channel: Channel, reason: EndedReason) -> None:
    """Ends the channel. An address that was in use is told: a thief of a token would rather have it silent."""
    store.end_channels(tx, [channel], reason)
    if channel.status is ChannelStatus.ACTIVE:
        store.owe(tx, NotificationKind.ENDED, [channel.id])


def _send_code(runtime: Runtime, tx: Transaction, recipient: Recipient, channel: Channel) -> None:
    now = tx.now()
    if store.codes_since(tx, recipient.id, channel.address, now - rules.HOUR) >= rules.CODES_PER_HOUR:
        raise UnprocessableError(
            "too_many_notification_codes",
            f"email: at most {rules.CODES_PER_HOUR} codes an hour are sent to one person and to one address: use"
            " the last one, or try again later",
            {"limitPerHour": rules.CODES_PER_HOUR},
        )
    code = rules.code_text(randomness.randbelow(_CODES))
    sealed = runtime.vault.encrypt(code.encode(), context=code_context(channel.id))
    store.set_code(tx, channel.id, sealed, now + rules.CODE_LIFETIME, 0)
    store.owe(tx, NotificationKind.CODE, [channel.id])


def _awaiting(tx: Transaction, person: Person) -> Channel | None:
    """Returns the channel whose code is waited for, with its recipient locked."""
    recipient = store.lock_recipient(tx, person)
    opened = [] if recipient is None else store.open_channels(tx, recipient.id)
    for channel in opened:
        if channel.sealed_code is not None and channel.code_ends_at is not None and channel.code_ends_at > tx.now():
            return channel
    return None


def _code(runtime: Runtime, channel: Channel) -> bytes:
    if channel.sealed_code is None:
        raise LookupError("a channel that waits for a code has one")
    return runtime.vault.decrypt(channel.sealed_code, context=code_context(channel.id))


def _url(runtime: Runtime, channel: Channel) -> str | None:
    if channel.sealed_url is None:
        return None
    return runtime.vault.decrypt(channel.sealed_url, context=url_context(channel.id)).decode()
