"""Makes the notifications of new events, claims messages to send, and records how they ended. Protocol §9.

A channel is leased to one worker at a time, so that its messages arrive in order. What a message tells, and its id,
are chosen before it is sent. If a worker dies, the next one sends the same message again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from clearwindow.events.models import EventType
from clearwindow.notifications import rules, store, texts
from clearwindow.notifications.models import (
    Channel,
    ChannelStatus,
    Claim,
    EndedReason,
    NotificationKind,
    Owed,
    Pace,
    Plan,
    Recipient,
    Result,
    Total,
)
from clearwindow.notifications.preferences import code_context, url_context
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.webhooks.fan_out import EVENTS_AT_ONCE, OWNERS_AT_ONCE
from clearwindow.webhooks.rules import MAX_AGE

PER_CHANNEL: Final = 200
"""The most notifications that one claim of a channel takes."""
_TIMEOUTS_IN_A_LEASE: Final = 6


def lease(runtime: Runtime) -> timedelta:
    """Returns how long a claimed channel is leased. If its process dies, another may claim it after this time."""
    return timedelta(seconds=_TIMEOUTS_IN_A_LEASE * runtime.notifications.timeout_seconds)


def tell_all(runtime: Runtime) -> None:
    """Makes the notifications of all events that nobody was told of."""
    while True:
        with runtime.transaction() as tx:
            # Most looks find nothing. They take no lock.
            if not store.has_events_to_tell(tx):
                return
            store.tell(tx, events=EVENTS_AT_ONCE, owners=OWNERS_AT_ONCE)


def claim(runtime: Runtime, limit: int) -> list[Claim]:
    """Leases up to ``limit`` channels that have something to send now, and chooses their messages."""
    with runtime.transaction() as tx:
        now, lease_id = tx.now(), tx.new_id()
        channels = store.claim_channels(tx, lease_id, now + lease(runtime), limit)
        if not channels:
            return []
        recipients = store.recipients_in_force(tx, {channel.recipient_id for channel in channels})
        gone = [channel for channel in channels if channel.recipient_id not in recipients]
        store.end_channels(tx, gone, EndedReason.LEFT)
        store.give_up_leases(tx, [channel.id for channel in gone])
        staying = [channel for channel in channels if channel.recipient_id in recipients]
        ids = [channel.id for channel in staying]
        store.drop_aged(tx, ids, now - MAX_AGE)
        store.drop_hidden(tx, ids)
        owed = store.first_owed(tx, ids, PER_CHANNEL)
        return _claims(runtime, tx, lease_id, staying, recipients, owed)


def finish(runtime: Runtime, claimed: Claim, results: Sequence[Result], chance: float) -> None:
    """Ends the lease and records the results of the first messages of the claim, one for each.

    If the lease was lost, nothing is recorded: the new holder sends and records.
    """
    with runtime.transaction() as tx:
        channel = store.lock_leased(tx, claimed)
        if channel is None:
            return
        if not results:
            store.give_up_leases(tx, [channel.id])
            return
        health = rules.after_results(channel, results, tx.now(), chance)
        store.record_results(tx, claimed, results)
        store.return_channel(tx, channel.id, health)
        if health.ended_reason is not None:
            store.end_channels(tx, [channel], health.ended_reason)


def _claims(
    runtime: Runtime,
    tx: Transaction,
    lease_id: UUID,
    channels: Sequence[Channel],
    recipients: Mapping[UUID, Recipient],
    owed: Mapping[UUID, Sequence[Owed]],
) -> list[Claim]:
    plans = {
        channel.id: _plan(runtime, channel, recipients[channel.recipient_id], owed.get(channel.id, ()), tx.now())
        for channel in channels
    }
    ids = {
        (channel_id, message.positions): message.message_id or tx.new_id()
        for channel_id, plan in plans.items()
        for message in plan.messages
    }
    planned = [
        (channel_id, position, message_id, None)
        for (channel_id, positions), message_id in ids.items()
        for position in positions
    ]
    waiting = [
        (channel_id, position, None, until)
        for channel_id, plan in plans.items()
        for position, until in plan.held.items()
    ]
    store.keep_plans(tx, [*planned, *waiting], {channel_id: plan.pace for channel_id, plan in plans.items()})
    totals = _totals(tx, channels, recipients, owed)
    units = store.units(tx)
    claims: list[Claim] = []
    for channel in channels:
        by_position = {each.position: each for each in owed.get(channel.id, ())}
        facts = texts.Facts(totals, units, _code(runtime, channel, tx.now()))
        messages = tuple(
            texts.compose(
                ids[channel.id, message.positions],
                [by_position[position] for position in message.positions],
                recipients[channel.recipient_id],
                facts,
            )
            for message in plans[channel.id].messages
        )
        claims.append(Claim(channel, lease_id, _url(runtime, channel), messages))
    return claims


def _plan(runtime: Runtime, channel: Channel, recipient: Recipient, owed: Sequence[Owed], now: datetime) -> Plan:
    pace = Pace(channel.hour_began_at, channel.sent_in_hour, channel.digest_after)
    quiet_end = rules.quiet_until(recipient.quiet_hours, recipient.time_zone, now)
    return rules.plan(owed, pace, quiet_end, now, runtime.notifications.per_hour)


def _totals(
    tx: Transaction,
    channels: Sequence[Channel],
    recipients: Mapping[UUID, Recipient],
    owed: Mapping[UUID, Sequence[Owed]],
) -> dict[tuple[UUID, str, bool], list[Total]]:
    wanted = {
        (each.subject_id, enterprise_id, each.as_client)
        for channel in channels
        for each in owed.get(channel.id, ())
        if each.kind is NotificationKind.EVENT
        and each.type == EventType.SETTLEMENT_INITIATED
        and each.subject_id is not None
        and (enterprise_id := recipients[channel.recipient_id].enterprise_id) is not None
    }
    found: dict[tuple[UUID, str, bool], list[Total]] = {}
    for as_client in (True, False):
        asked = {(settlement_id, owner) for settlement_id, owner, client in wanted if client is as_client}
        for (settlement_id, owner), totals in store.totals(tx, asked, as_client=as_client).items():
            found[settlement_id, owner, as_client] = totals
    return found


def _code(runtime: Runtime, channel: Channel, now: datetime) -> str | None:
    if channel.status is not ChannelStatus.UNVERIFIED or channel.sealed_code is None:
        return None
    if channel.code_ends_at is None or channel.code_ends_at <= now:
        return None
    return runtime.vault.decrypt(channel.sealed_code, context=code_context(channel.id)).decode()


def _url(runtime: Runtime, channel: Channel) -> str | None:
    if channel.sealed_url is None:
        return None
    return runtime.vault.decrypt(channel.sealed_url, context=url_context(channel.id)).decode()
