"""Names for the ids of a member's page, read once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from clearwindow.console.operations import Desk
from clearwindow.network.connection_schemas import ConnectionOutput
from clearwindow.network.routes import list_client_connections, list_partners

MOST: Final = 500
_ALL: Final = {"pageSize": str(MOST)}


def connections(desk: Desk, ids: Iterable[str]) -> Mapping[str, ConnectionOutput]:
    """Returns the client's own connections with these ids, by their ids."""
    wanted = sorted(set(ids))[:MOST]
    if not wanted:
        return {}
    found = desk.listed(list_client_connections, {"connectionIds": wanted, **_ALL}, "v1ClientConnectionsGetRoute")
    return {each.id: each for each in found.body.connections}


def partners(desk: Desk, ids: Iterable[str]) -> Mapping[str, str]:
    """Returns the names of exchanges by their ids."""
    wanted = sorted(set(ids))[:MOST]
    if not wanted:
        return {}
    found = desk.listed(list_partners, {"ids": wanted, **_ALL}, "v1PartnersGetRoute")
    return {each.id: each.name for each in found.body.partners}
