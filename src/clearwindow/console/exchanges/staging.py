"""A new settlement: from a file, through a preview of what staging it would do, to its text to sign."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from fastapi import Response

from clearwindow.api.routing import Answer
from clearwindow.console import signing
from clearwindow.console.exchanges import acts, names, settlement_file, units
from clearwindow.console.forms import FILE_BYTES, text_of
from clearwindow.console.operations import Desk
from clearwindow.console.routing import Pages, Visit
from clearwindow.core.clock import wire_time
from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.ids import parse_uuid
from clearwindow.core.strict_json import JsonError, parse_json
from clearwindow.core.work import Work
from clearwindow.network.connection_schemas import ConnectionOutput
from clearwindow.network.parties import as_partner
from clearwindow.network.routes import list_partner_connections
from clearwindow.settlements.preview_schemas import PreviewAnswer, PreviewOutput
from clearwindow.settlements.routes import preview_settlement
from clearwindow.settlements.schemas import StageSettlementRequest

pages: Final = Pages(for_operators=False)

FIELDS: Final = "fields"
"""The field of the preview's form that has the settlement as it was previewed."""

_SHOWN_BALANCES: Final = "50"
_PREVIEW: Final = "v2PartnerSettlementsPreviewPostRoute"


@pages.shows("/exchange/new")
def new(visit: Visit) -> Response:
    as_partner(visit.sides().partner)
    return visit.show(
        "exchanges/new.html",
        cutoff_at=wire_time(visit.now()),
        currencies=sorted(units.of(visit).units),
    )


@pages.does("/exchange/new", new, work=Work.LARGE_BODY, limit_bytes=FILE_BYTES)
def preview(visit: Visit) -> Response:
    if "file" not in visit.files:
        raise InvalidRequestError(
            "request_invalid", "file: choose a CSV or JSON file with the settlement's amounts"
        )
    desk, own = visit.desk, units.of(visit)
    named = settlement_file.amounts_of(text_of(visit.files["file"], "file"), own.units)
    fields = {
        **visit.given("externalId", "notes", "cutoffAt"),
        "settlementAmounts": settlement_file.with_ids(named, _ids(desk, named)),
    }
    found = _previewed(visit, fields)
    return visit.show(
        "exchanges/preview.html",
        preview=found,
        fields=json.dumps(fields, ensure_ascii=False, separators=(",", ":")),
        external_id=fields.get("externalId", ""),
        connections=names.connections(desk, (each.connection_id for each in found.balances)),
        short=sum(each.shortfall_count for each in found.currencies),
    )


@pages.does("/exchange/sign", new, work=Work.LARGE_BODY, limit_bytes=FILE_BYTES)
def sign(visit: Visit) -> Response:
    try:
        fields = parse_json(visit.form.get(FIELDS, ""), what=FIELDS)
    except JsonError as error:
        raise InvalidRequestError("request_invalid", error.message) from None
    if not isinstance(fields, dict) or not fields.keys() <= _named_fields():
        raise InvalidRequestError(
            "request_invalid", f"{FIELDS}: is no settlement of this page: choose the file again"
        )
    return signing.to_sign(visit, acts.STAGE, {}, fields, amount_unit=units.of(visit).unit)


def _named_fields() -> set[str]:
    """Returns what a text to sign may say of a settlement, beside what it says of itself."""
    own = {"payload", "signature", "nonce"}
    return {field.alias or name for name, field in StageSettlementRequest.model_fields.items()} - own


def _previewed(visit: Visit, fields: Mapping[str, object]) -> PreviewOutput:
    answer = visit.desk.act(preview_settlement, fields, _PREVIEW, options=_options(visit))
    if not isinstance(answer, Answer) or not isinstance(answer.body, PreviewAnswer):
        raise TypeError("a preview answers with its model")
    return answer.body.preview


def _options(visit: Visit) -> object:
    return visit.desk.options_of(preview_settlement, {"pageSize": _SHOWN_BALANCES})


def _ids(desk: Desk, named: Iterable[str]) -> dict[str, str]:
    """Returns the ids of connections by what a file calls them: their id, or the exchange's own."""
    ids: dict[str, str] = {}
    for filters in _parts(named):
        found = desk.listed(list_partner_connections, filters, "v1PartnerConnectionsGetRoute")
        for each in found.body.connections:
            ids |= _named(each)
    return ids


def _named(connection: ConnectionOutput) -> dict[str, str]:
    own = {} if connection.partners_connection_id is None else {connection.partners_connection_id: connection.id}
    return {connection.id: connection.id, **own}


def _parts(named: Iterable[str]) -> Iterator[dict[str, object]]:
    """Gives filters that together select all connections that a file names, some hundred at a time."""
    of_both: dict[str, list[str]] = {"connectionIds": [], "partnersConnectionIds": []}
    for name in named:
        of_both["connectionIds" if parse_uuid(name) else "partnersConnectionIds"].append(name)
    for filter_name, values in of_both.items():
        for start in range(0, len(values), names.MOST):
            yield {filter_name: values[start : start + names.MOST], "pageSize": str(names.MOST)}
