"""The calendar as a partner and a client may see it. Protocol §10.8."""

from __future__ import annotations

from clearwindow.identity.models import Member
from clearwindow.liquidity.calendar import store
from clearwindow.liquidity.calendar.models import ClientCalendar, DeadlineFilter, PartnerCalendar
from clearwindow.liquidity.forecasts import store as forecasts
from clearwindow.network import parties
from clearwindow.postgres.paging import Slice
from clearwindow.runtime import Runtime


def of_partner(runtime: Runtime, member: Member, wanted: DeadlineFilter, part: Slice) -> PartnerCalendar:
    """Returns a page of the deadlines of the partner's open settlements, the earliest first."""
    with runtime.transaction() as tx:
        tx.read_one_snapshot()
        partner = parties.require_partner(tx, member.enterprise_id)
        page = store.of_partner(tx, partner.id, wanted, part)
        return PartnerCalendar(page, forecasts.changes_of(tx, {one.settlement_id for one in page.items}))


def of_client(runtime: Runtime, member: Member, wanted: DeadlineFilter, part: Slice) -> ClientCalendar:
    """Returns a page of the deadlines of open settlements with a connection of the client, the earliest first."""
    with runtime.transaction() as tx:
        tx.read_one_snapshot()
        client = parties.require_client(tx, member.enterprise_id)
        page = store.of_client(tx, client.id, wanted, part)
        return ClientCalendar(page, store.parts_of_client(tx, client.id, {one.settlement_id for one in page.items}))
