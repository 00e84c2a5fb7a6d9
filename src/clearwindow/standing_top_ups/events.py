"""What the outbox is told about standing top-ups. Only the partner's enterprise learns of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from clearwindow.core.clock import wire_time
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.ledger.models import Balance, BalanceKey, Entry
from clearwindow.network.models import Partner
from clearwindow.postgres.pool import Transaction
from clearwindow.standing_top_ups.models import StandingTopUp, TopUp


def record_created(tx: Transaction, enterprise_id: str, standing: StandingTopUp) -> None:
    payload = _head(standing) | {"perSettlement": str(standing.per_settlement), "createdBy": standing.created_by}
    outbox.record(tx, [Event(EventType.STANDING_TOP_UP_CREATED, enterprise_id, standing.id, payload)])


def record_revoked(tx: Transaction, enterprise_id: str, standing: StandingTopUp) -> None:
    payload = _head(standing)
    if standing.revoked_at is not None:
        payload |= {"revokedBy": standing.revoked_by, "revokedAt": wire_time(standing.revoked_at)}
    outbox.record(tx, [Event(EventType.STANDING_TOP_UP_REVOKED, enterprise_id, standing.id, payload)])


def record_made(
    tx: Transaction,
    partner: Partner,
    settlement_id: UUID,
    entry: Entry,
    top_ups: Sequence[TopUp],
    before: Mapping[BalanceKey, Balance],
) -> None:
    """Records what came, and how the balances of the Go Accounts that it came from have changed."""
    found = []
    for one in top_ups:
        made = _head(one.standing) | {"settlementId": str(settlement_id), "quantity": str(one.quantity)}
        found.append(Event(EventType.STANDING_TOP_UP_USED, partner.enterprise_id, one.standing.id, made))
        balance = before[BalanceKey(one.standing.go_account_id, one.standing.currency)]
        changed = {
            "goAccountId": one.standing.go_account_id.hex,
            "settlementId": str(settlement_id),
            "entryId": str(entry.id),
            "kind": entry.kind.value,
            "currency": one.standing.currency,
            "quantity": str(one.quantity),
            "available": str(balance.available - one.quantity),
            "held": str(balance.held),
        }
        account_id = one.standing.go_account_id
        found.append(Event(EventType.BALANCE_CHANGED, partner.enterprise_id, account_id, changed))
    outbox.record(tx, found)


def _head(standing: StandingTopUp) -> dict[str, object]:
    return {
        "standingTopUpId": str(standing.id),
        "goAccountId": standing.go_account_id.hex,
        "currency": standing.currency,
    }
