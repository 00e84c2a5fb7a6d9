"""Compares a settlement with the client's own fills. The file is read in the request, and never kept."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from clearwindow.console.forms import FILE_BYTES, text_of
from clearwindow.console.members import names
from clearwindow.console.routing import Pages, Visit
from clearwindow.console.traders import fills
from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.work import Work
from clearwindow.network.connection_schemas import ConnectionOutput
from clearwindow.network.routes import list_client_connections
from clearwindow.settlements.routes import get_for_client
from clearwindow.settlements.schemas import SettlementOutput
from clearwindow.settlements.views import own_sums

pages: Final = Pages(for_operators=False)

_FEW: Final = {"pageSize": "1"}


@pages.shows("/trader/settlements/{settlement_id}/compare")
def compare_page(visit: Visit) -> Response:
    return _page(visit, None)


@pages.does(
    "/trader/settlements/{settlement_id}/compare", compare_page, work=Work.LARGE_BODY, limit_bytes=FILE_BYTES
)
def compare(visit: Visit) -> Response:
    if "file" not in visit.files:
        raise InvalidRequestError("request_invalid", "file: choose a CSV file with your fills")
    own = fills.read(text_of(visit.files["file"], "file"), visit.decimals())
    connections = _connections(visit)
    settlement = _settlement(visit)
    settled = own_sums(visit.runtime, settlement.id, [each.id for each in connections])
    sides = {each.id: each.id for each in connections} | _by_name(connections)
    return _page(visit, fills.compare(own, settled, sides))


def _page(visit: Visit, rows: list[fills.Compared] | None) -> Response:
    return visit.show(
        "traders/compare.html",
        settlement=_settlement(visit),
        rows=rows,
        different=sum(1 for row in rows or () if row.difference),
        connections=names.connections(visit.desk, {row.side for row in rows or ()}),
        most_lines=fills.MOST_LINES,
    )


def _settlement(visit: Visit) -> SettlementOutput:
    found = visit.desk.listed(
        get_for_client, _FEW, "v1ClientSettlementGetRoute", settlement_id=visit.path_ids["settlement_id"]
    )
    return found.body.settlement


def _connections(visit: Visit) -> list[ConnectionOutput]:
    found = visit.desk.listed(list_client_connections, {"pageSize": str(names.MOST)}, "v1ClientConnectionsGetRoute")
    return found.body.connections


def _by_name(connections: list[ConnectionOutput]) -> dict[str, str]:
    """Returns the connections by the names that only one of them has."""
    counted = [each.name for each in connections]
    return {each.name: each.id for each in connections if counted.count(each.name) == 1}
