"""Lists of disputes, as each side may see them. Protocol §6."""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import Response

from clearwindow.access.values import Member
from clearwindow.database.listing import Listing
from clearwindow.disputes import service, wire
from clearwindow.disputes.values import DisputeFilter
from clearwindow.http.filters import TOTAL_COUNT_HEADER, Flag, Page, Texts, Uuids
from clearwindow.http.wire import json_response
from clearwindow.network import lookups
from clearwindow.network import service as network
from clearwindow.runtime import Runtime

Disputes = Listing[wire.DisputeWithClosureOutput]


class ClientDisputeFilters(Page):
    settlement_ids: Uuids = None
    settled_in_settlement_ids: Uuids = None
    connection_ids: Uuids = None
    partner_ids: Uuids = None
    closed: Flag = None
    dispute_ids: Uuids = None
    dispute_closure_ids: Uuids = None


class PartnerDisputeFilters(ClientDisputeFilters):
    settlement_external_ids: Texts = None
    settled_in_settlement_external_ids: Texts = None
    show_retracted: Flag = None
    client_ids: Uuids = None


def list_for_client(runtime: Runtime, member: Member, filters: ClientDisputeFilters) -> Disputes:
    with runtime.transaction() as tx:
        client = network.require_client(tx, member.enterprise_id)
        own = list(lookups.connections_of_client(tx, client.id))
        wanted = replace(_filter(filters), partner_ids=filters.partner_ids, own_connection_ids=own)
        return service.describe(tx, wanted)


def list_for_partner(runtime: Runtime, member: Member, filters: PartnerDisputeFilters) -> Disputes:
    with runtime.transaction() as tx:
        partner = network.require_partner(tx, member.enterprise_id)
        asked = filters.partner_ids
        wanted = replace(
            _filter(filters),
            partner_ids=[partner.id] if asked is None or partner.id in asked else [],
            client_ids=filters.client_ids,
            settlement_external_ids=filters.settlement_external_ids,
            settled_in_settlement_external_ids=filters.settled_in_settlement_external_ids,
            show_retracted=bool(filters.show_retracted),
        )
        return service.describe(tx, wanted)


def page_response(found: Disputes) -> Response:
    answer = wire.DisputesAnswer(disputes=found.items)
    return json_response(answer, headers={TOTAL_COUNT_HEADER: str(found.total)})


def _filter(filters: ClientDisputeFilters) -> DisputeFilter:
    return DisputeFilter(
        settlement_ids=filters.settlement_ids,
        settled_in_settlement_ids=filters.settled_in_settlement_ids,
        connection_ids=filters.connection_ids,
        closed=filters.closed,
        dispute_ids=filters.dispute_ids,
        closure_ids=filters.dispute_closure_ids,
        limit=filters.limit,
        offset=filters.offset,
    )
