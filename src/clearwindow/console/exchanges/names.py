"""The exchange's connections by their ids, read once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from clearwindow.console.operations import Desk
from clearwindow.network.connection_schemas import ConnectionOutput
from clearwindow.network.routes import list_partner_connections

MOST: Final = 500


def connections(desk: Desk, ids: Iterable[str]) -> Mapping[str, ConnectionOutput]:
    """Returns the connections to the exchange with these ids, by their ids."""
    wanted = sorted(set(ids))[:MOST]
    if not wanted:
        return {}
    filters = {"connectionIds": wanted, "pageSize": str(MOST)}
    found = desk.listed(list_partner_connections, filters, "v1PartnerConnectionsGetRoute")
    return {each.id: each for each in found.body.connections}
