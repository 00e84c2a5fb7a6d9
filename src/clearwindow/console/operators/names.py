"""Names for the ids of a page, read once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from clearwindow.console.operations import Desk
from clearwindow.identity.directory.operator_routes import list_enterprises, list_operators
from clearwindow.network.operator_routes import list_clients, list_connections, list_partners

_MOST: Final = 500
_ALL: Final = {"pageSize": str(_MOST)}


@dataclass(frozen=True, slots=True)
class Side:
    """A connection: the client that has it, and what it is called."""

    connection_id: str
    client_name: str
    name: str
    enterprise_id: str


def partners(desk: Desk, ids: Iterable[str]) -> Mapping[str, str]:
    """Returns the names of partners by their ids."""
    wanted = _filter(ids)
    if not wanted:
        return {}
    return {each.id: each.name for each in desk.listed(list_partners, {"ids": wanted, **_ALL}).body.partners}


def enterprises(desk: Desk, ids: Iterable[str]) -> Mapping[str, str]:
    """Returns the names of enterprises by their ids."""
    wanted = _filter(ids)
    if not wanted:
        return {}
    found = desk.listed(list_enterprises, {"ids": wanted, **_ALL}).body.enterprises
    return {each.id: each.name for each in found}


def operators(desk: Desk, ids: Iterable[str]) -> Mapping[str, str]:
    """Returns the names of operators by their ids."""
    wanted = _filter(ids)
    if not wanted:
        return {}
    return {each.id: each.name for each in desk.listed(list_operators, {"ids": wanted, **_ALL}).body.operators}


def sides(desk: Desk, connection_ids: Iterable[str]) -> Mapping[str, Side]:
    """Returns who is behind connections, by the ids of these and of their network accounts."""
    wanted = _filter(connection_ids)
    if not wanted:
        return {}
    found = desk.listed(list_connections, {"ids": wanted, **_ALL}).body.connections
    clients = {
        each.id: each
        for each in desk.listed(
            list_clients, {"ids": _filter({each.client_id for each in found}), **_ALL}
        ).body.clients
    }
    return {
        each.id: Side(each.id, clients[each.client_id].name, each.name, clients[each.client_id].enterprise_id)
        for each in found
        if each.client_id in clients
    }


def _filter(ids: Iterable[str]) -> list[str]:
    return sorted(set(ids))[:_MOST]
