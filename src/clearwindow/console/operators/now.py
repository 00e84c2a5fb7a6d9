"""What needs an operator now, on one page."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console.operators import names
from clearwindow.console.routing import Pages, Visit
from clearwindow.monitoring.store import last_checks
from clearwindow.partner_calls.operator_routes import list_calls, list_endpoints
from clearwindow.pauses.operator_routes import list_pauses
from clearwindow.proposals.operator_routes import list_proposals
from clearwindow.settlements.operator_routes import list_closures, list_disputes, list_settlements, list_work
from clearwindow.webhooks.endpoint_routes import list_webhook_endpoints

pages: Final = Pages(for_operators=True)

_FEW: Final = {"pageSize": "8"}
_BY_CHOICE: Final = "asked"


@pages.shows("/now")
def now(visit: Visit) -> Response:
    desk = visit.desk
    failed = desk.listed(list_settlements, {"statuses": "failed", **_FEW})
    work = desk.listed(list_work, _FEW)
    disputes = desk.listed(list_disputes, {"closed": "false", "retracted": "false", **_FEW})
    closures = desk.listed(list_closures, {"statuses": "pending_review", **_FEW})
    proposals = desk.listed(list_proposals, {"statuses": "pending", **_FEW})
    # The worst of them may be the last ones, and no filter finds them.
    many = {"pageSize": str(desk.runtime.limits.page_size)}
    endpoints = desk.listed(list_endpoints, many, "listPartnerEndpoints")
    owed = desk.listed(list_calls, {"owed": "true", **_FEW}, "listPartnerCalls")
    webhooks = desk.listed(list_webhook_endpoints, {"enabled": "false", **many})
    pauses = desk.listed(list_pauses, {"standing": "true", **_FEW})
    with visit.runtime.transaction() as tx:
        checks = last_checks(tx)
    return visit.show(
        "operators/now.html",
        failed=failed,
        work=work,
        disputes=disputes,
        closures=closures,
        proposals=proposals,
        troubled=[each for each in endpoints.body.partner_endpoints if each.circuit != "closed" or each.failures],
        owed=owed,
        endpoints=endpoints,
        webhooks=webhooks,
        silent=[each for each in webhooks.body.webhook_endpoints if each.disabled_reason != _BY_CHOICE],
        pauses=pauses,
        checks=checks,
        partners=names.partners(desk, (each.partner_id for each in failed.body.settlements)),
        sides=names.sides(desk, (each.connection_id for each in disputes.body.disputes)),
        operators=names.operators(desk, (each.proposed_by for each in proposals.body.proposals)),
    )
