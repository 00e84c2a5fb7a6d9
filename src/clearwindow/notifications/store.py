"""Reads and writes of recipients, their channels, and what is owed to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.identity.models import Member
from clearwindow.notifications.models import (
    ADMINISTRATORS_TYPES,
    Channel,
    ChannelFilter,
    ChannelHealth,
    ChatForm,
    Claim,
    EndedReason,
    ListedChannel,
    ListedNotification,
    NotificationFilter,
    NotificationKind,
    NotificationStatus,
    Owed,
    Pace,
    Person,
    Recipient,
    Result,
    Total,
    Unit,
)
from clearwindow.postgres.paging import NEWEST_FIRST, Listing, Order, Slice, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.notifications")
_BY_POSITION: Final = Order({"position": int})


def _person(person: Person) -> dict[str, object]:
    if isinstance(person, Member):
        return {"enterprise_id": person.enterprise_id, "user_id": person.user_id, "operator_id": None}
    return {"enterprise_id": None, "user_id": None, "operator_id": person.operator_id}


def find_recipient(tx: Transaction, person: Person) -> Recipient | None:
    return tx.first(Recipient, sql["find_recipient"], **_person(person))


def lock_recipient(tx: Transaction, person: Person) -> Recipient | None:
    return tx.first(Recipient, sql["lock_recipient"], **_person(person))


def insert_recipient(tx: Transaction, person: Person, recipient: Recipient) -> None:
    """Inserts it unless another request has done so."""
    tx.run(sql["insert_recipient"], id=recipient.id, **_person(person), **_wishes(recipient))


def update_recipient(tx: Transaction, recipient: Recipient) -> None:
    tx.run(sql["update_recipient"], id=recipient.id, **_wishes(recipient))


def _wishes(recipient: Recipient) -> dict[str, object]:
    return {
        "event_types": list(recipient.event_types),
        "time_zone": recipient.time_zone,
        "quiet_from": recipient.quiet_from,
        "quiet_until": recipient.quiet_until,
        "now": recipient.updated_at,
    }


def open_channels(tx: Transaction, recipient_id: UUID) -> list[Channel]:
    return tx.all(Channel, sql["open_channels"], recipient_id=recipient_id)


def last_channels(tx: Transaction, recipient_id: UUID) -> list[Channel]:
    """Returns the open channels, and those that ended by themselves and were not replaced."""
    return tx.all(Channel, sql["last_channels"], recipient_id=recipient_id)


def insert_channel(tx: Transaction, channel: Channel) -> None:
    tx.run(
        sql["insert_channel"],
        id=channel.id,
        recipient_id=channel.recipient_id,
        kind=channel.kind,
        address=channel.address,
        form=channel.form,
        sealed_url=channel.sealed_url,
        sealed_code=channel.sealed_code,
        code_ends_at=channel.code_ends_at,
        status=channel.status,
        now=channel.created_at,
    )


def change_form(tx: Transaction, channel_id: UUID, form: ChatForm) -> None:
    tx.run(sql["change_form"], id=channel_id, form=form, now=tx.now())


def set_code(
    tx: Transaction, channel_id: UUID, sealed_code: bytes | None, ends_at: datetime | None, failures: int
) -> None:
    values = {"id": channel_id, "sealed_code": sealed_code, "code_ends_at": ends_at, "code_failures": failures}
    tx.run(sql["set_code"], **values, now=tx.now())


def activate(tx: Transaction, channel_id: UUID) -> None:
    tx.run(sql["activate"], id=channel_id, now=tx.now())


def end_channels(tx: Transaction, channels: Sequence[Channel], reason: EndedReason) -> None:
    """Ends the channels and drops what is owed to them."""
    ids = [channel.id for channel in channels]
    tx.run(sql["end_channels"], ids=ids, reason=reason, now=tx.now())
    tx.run(sql["drop_owed"], channel_ids=ids, now=tx.now())


def release_held(tx: Transaction, channel_ids: Sequence[UUID]) -> None:
    tx.run(sql["release_held"], channel_ids=list(channel_ids))


def owe(tx: Transaction, kind: NotificationKind, channel_ids: Sequence[UUID]) -> None:
    tx.run(sql["owe"], kind=kind, channel_ids=list(channel_ids), now=tx.now())


def codes_since(tx: Transaction, recipient_id: UUID, address: str, since: datetime) -> int:
    """Returns how many codes were made for this person, or for this address. Others wait until the commit."""
    tx.run(sql["lock_address"], address=address)
    values = {"recipient_id": recipient_id, "address": address, "since": since}
    return tx.scalars(int, sql["codes_since"], **values)[0]


def has_events_to_tell(tx: Transaction) -> bool:
    return tx.scalars(bool, sql["has_events_to_tell"])[0]


def tell(tx: Transaction, *, events: int, owners: int) -> int:
    """Makes the notifications of the oldest events that nobody was told of. Returns the number of these events.

    Args:
        tx: the transaction.
        events: the most events.
        owners: the most enterprises that these events belong to; the first event may have more.
    """
    # A statement of its own: the next one must see what the last holder of the lock has committed.
    tx.run(sql["lock_telling"])
    values = {"events": events, "owners": owners, "administrators_types": sorted(ADMINISTRATORS_TYPES)}
    return tx.scalars(int, sql["tell"], **values)[0]


def claim_channels(tx: Transaction, lease_id: UUID, leased_until: datetime, limit: int) -> list[Channel]:
    values = {"lease_id": lease_id, "leased_until": leased_until, "limit": limit}
    return tx.all(Channel, sql["claim_channels"], **values, now=tx.now())


def recipients_in_force(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Recipient]:
    found = tx.all(Recipient, sql["recipients_in_force"], ids=list(ids))
    return {recipient.id: recipient for recipient in found}


def drop_aged(tx: Transaction, channel_ids: Sequence[UUID], owed_before: datetime) -> None:
    tx.run(sql["drop_aged"], channel_ids=list(channel_ids), owed_before=owed_before, now=tx.now())


def drop_hidden(tx: Transaction, channel_ids: Sequence[UUID]) -> None:
    """Drops what only administrators hear of, where the person is none any more."""
    types = sorted(ADMINISTRATORS_TYPES)
    tx.run(sql["drop_hidden"], channel_ids=list(channel_ids), administrators_types=types, now=tx.now())


def first_owed(tx: Transaction, channel_ids: Sequence[UUID], per_channel: int) -> dict[UUID, list[Owed]]:
    found: dict[UUID, list[Owed]] = {}
    values = {"channel_ids": list(channel_ids), "per_channel": per_channel}
    for owed in tx.all(Owed, sql["first_owed"], **values, now=tx.now()):
        found.setdefault(owed.channel_id, []).append(owed)
    return found


def totals(
    tx: Transaction, wanted: Collection[tuple[UUID, str]], *, as_client: bool
) -> dict[tuple[UUID, str], list[Total]]:
    """Returns what each enterprise loses and gains by each settlement, as client or as its partner."""
    found: dict[tuple[UUID, str], list[Total]] = {}
    if not wanted:
        return found
    settlement_ids, enterprise_ids = (list(part) for part in zip(*sorted(wanted), strict=True))
    statement = sql["settlement_totals" if as_client else "partner_totals"]
    values = {"settlement_ids": settlement_ids, "enterprise_ids": enterprise_ids}
    for total in tx.all(Total, statement, **values):
        found.setdefault((total.settlement_id, total.enterprise_id), []).append(total)
    return found


def units(tx: Transaction) -> dict[str, Unit]:
    return {unit.name: unit for unit in tx.all(Unit, sql["units"])}


def keep_plans(
    tx: Transaction, planned: Sequence[tuple[UUID, int, UUID | None, datetime | None]], paces: Mapping[UUID, Pace]
) -> None:
    """Keeps the message of each notification, or until when it waits, and the pace of each channel."""
    columns = [list(column) for column in zip(*planned, strict=True)] or [[], [], [], []]
    names = ("channel_ids", "positions", "message_ids", "holds")
    tx.run(sql["keep_plans"], **dict(zip(names, columns, strict=True)))
    tx.run(
        sql["keep_paces"],
        ids=list(paces),
        hour_starts=[pace.hour_began_at for pace in paces.values()],
        sent_in_hour=[pace.sent_in_hour for pace in paces.values()],
        next_digests=[pace.digest_after for pace in paces.values()],
    )


def give_up_leases(tx: Transaction, channel_ids: Sequence[UUID]) -> None:
    tx.run(sql["give_up_leases"], ids=list(channel_ids))


def lock_leased(tx: Transaction, claim: Claim) -> Channel | None:
    """Returns the channel as it is now, or None if the lease was lost."""
    return tx.first(Channel, sql["lock_leased"], id=claim.channel.id, lease_id=claim.lease_id)


def record_results(tx: Transaction, claim: Claim, results: Sequence[Result]) -> None:
    """Records how the first messages of the claim ended, one result for each."""
    tried = claim.messages[: len(results)]
    tx.run(
        sql["record_results"],
        channel_id=claim.channel.id,
        message_ids=[message.id for message in tried],
        statuses=[_status(result) for result in results],
        problems=[result.problem for result in results],
        now=tx.now(),
    )


def _status(result: Result) -> NotificationStatus:
    if result.problem is None:
        return NotificationStatus.SENT
    return NotificationStatus.REFUSED if result.refused else NotificationStatus.OWED


def return_channel(tx: Transaction, channel_id: UUID, health: ChannelHealth) -> None:
    tx.run(
        sql["return_channel"],
        id=channel_id,
        failures=health.failures,
        failing_since=health.failing_since,
        retry_at=health.retry_at,
        problem=health.problem,
    )


def list_notifications(
    tx: Transaction, person: Person, wanted: NotificationFilter, part: Slice
) -> Listing[ListedNotification]:
    values = {**_person(person), **asdict(wanted)}
    return keyset_page(tx, ListedNotification, sql["list_notifications"], values, _BY_POSITION, part)


def list_channels(tx: Transaction, wanted: ChannelFilter, part: Slice) -> Listing[ListedChannel]:
    return keyset_page(tx, ListedChannel, sql["list_channels"], asdict(wanted), NEWEST_FIRST, part)


def count_due(tx: Transaction) -> int:
    return tx.scalars(int, sql["count_due"], now=tx.now())[0]


def next_due_at(tx: Transaction) -> datetime | None:
    return tx.scalars(datetime, sql["next_due_at"])[0]
