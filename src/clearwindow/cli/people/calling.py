"""``clearwindow call``: any request of the API, signed if you say so."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl
from uuid import uuid4

import typer

from clearwindow.cli.people import access
from clearwindow.cli.people.problems import usage
from clearwindow.cli.people.session import Session, for_members

_MOST_BYTES: Final = 64 * 1024 * 1024
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_ENTERPRISE: Final = r"/api/network/v[0-9]+/enterprises/(?P<enterpriseId>[^/]+)"
_SIGNED: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("POST", r"/partners/settlements", "v2", "settlement.stage"),
    ("POST", r"/partners/settlements(/nonReconciled)?", "v1", "settlement.immediate"),
    ("POST", r"/partners/settlements/onchain", "v1", "settlement.onchain"),
    ("POST", r"/partners/settlements/onchain/deposits", "v1", "settlement.deposits"),
    ("POST", r"/partners/settlements/(?P<settlementId>[^/]+)/withdraw", "v1", "settlement.withdraw"),
    ("POST", r"/clients/connections", "v1", "connection.create"),
    ("PUT", r"/clients/connections/(?P<connectionId>[^/]+)", "v1", "connection.update"),
    ("POST", r"/clients/connections/(?P<connectionId>[^/]+)/allocations", "v1", "allocation"),
    ("POST", r"/clients/connections/(?P<connectionId>[^/]+)/deallocations", "v1", "deallocation"),
    ("PUT", r"/partners/allocations", "v1", "allocation.decide"),
    ("PUT", r"/partners/deallocations", "v1", "deallocation.decide"),
    ("POST", r"/clients/settlements/(?P<settlementId>[^/]+)/disputes", "v1", "dispute.raise"),
    ("PUT", r"/clients/settlements/disputes/(?P<disputeId>[^/]+)", "v1", "dispute.update"),
    ("POST", r"/clients/settlements/disputes/(?P<disputeId>[^/]+)/close", "v1", "dispute.close"),
    ("POST", r"/go-accounts/(?P<goAccountId>[^/]+)/require-intent", "v1", "account.require_intent"),
    ("POST", r"/go-accounts/(?P<goAccountId>[^/]+)/standing-top-ups", "v1", "standing_top_up.create"),
    ("PUT", r"/clients/connections/(?P<connectionId>[^/]+)/loss-limits", "v1", "loss_limits.change"),
    ("PUT", r"/clients/approval-thresholds", "v1", "approval_thresholds.change"),
    ("PUT", r"/clients/daily-approval-thresholds", "v1", "daily_approval_thresholds.change"),
    ("PUT", r"/custodian-limits", "v1", "custodian_limits.change"),
    ("POST", r"/webhook-endpoints", "v1", "webhook_endpoint.create"),
    ("PATCH", r"/webhook-endpoints/(?P<endpointId>[^/]+)", "v1", "webhook_endpoint.update"),
    ("DELETE", r"/webhook-endpoints/(?P<endpointId>[^/]+)", "v1", "webhook_endpoint.delete"),
    ("POST", r"/webhook-endpoints/(?P<endpointId>[^/]+)/rotate-secret", "v1", "webhook_endpoint.rotate_secret"),
)
"""Method, path behind the enterprise, version and operation of everything that can be signed. Protocol §11."""


@for_members
def call(
    session: Session,
    method: Annotated[str, typer.Argument(metavar="METHOD", help="GET, POST, PUT, PATCH or DELETE.")],
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="From /api on; {me} stands for your enterprise. May have a query.")
    ],
    *,
    data: Annotated[str | None, typer.Option(metavar="JSON", help="The body.")] = None,
    data_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file of the body; - reads it here.")
    ] = None,
    sign: Annotated[bool, typer.Option("--sign", help="Sign the body, with a new nonce if it has none.")] = False,
    amount_unit: Annotated[
        str | None, typer.Option(metavar="base|decimal", help="With --sign: the unit of the amounts in the body.")
    ] = None,
) -> None:
    """Make one request of the API and print the answer's JSON. It is sent once.

    With --sign the signed text says what it is for, and until when.
    """
    asked = method.upper()
    if asked not in _METHODS:
        raise usage(f"{method!r} is no method: say one of {', '.join(sorted(_METHODS))}.")
    whole = path.replace("{me}", session.enterprise) if "{me}" in path else path
    if not whole.startswith("/api/") or any(ord(each) <= ord(" ") for each in whole):
        raise usage("The path must begin with /api/ and have no spaces.")
    body = _body(data, data_file)
    if sign:
        answer = _signed_exchange(session, asked, whole, _object(body), amount_unit)
    else:
        answer = _exchange(session, asked, whole, body)
    typer.echo(json.dumps(answer, indent=2 if sys.stdout.isatty() else None, default=float))


def _body(data: str | None, data_file: Path | None) -> bytes | None:
    if data is not None and data_file is not None:
        raise usage("Say --data or --data-file, not both.")
    if data_file is None:
        return None if data is None else data.encode()
    if data_file == Path("-"):
        read = sys.stdin.buffer.read(_MOST_BYTES + 1)
    else:
        with data_file.open("rb") as file:
            read = file.read(_MOST_BYTES + 1)
    if len(read) > _MOST_BYTES:
        raise usage(f"The body has more than {_MOST_BYTES // (1024 * 1024)} MiB.")
    return read


def _object(body: bytes | None) -> dict[str, Any]:
    from clearwindow.core.strict_json import JsonError, parse_json  # noqa: PLC0415 - only signing needs it

    try:
        found = parse_json(body or b"{}", what="body")
    except JsonError as error:
        raise usage(error.message) from None
    if not isinstance(found, dict):
        raise usage("A signed body must be a JSON object.")
    return dict(found)


def _signed_exchange(session: Session, method: str, path: str, fields: Mapping[str, Any], unit: str | None) -> Any:  # noqa: ANN401 - any JSON document
    """Signs and sends; once more if our clock is behind the network's. A refused text changed nothing."""
    from clearwindow.client import InvalidRequestError  # noqa: PLC0415 - as below
    from clearwindow.client.signing import clock_behind  # noqa: PLC0415

    now = datetime.now(UTC)
    try:
        return _exchange(session, method, path, _signed(session, method, path, fields, unit, now))
    except InvalidRequestError as refusal:
        behind = clock_behind(refusal, now)
        if behind is None:
            raise
    return _exchange(session, method, path, _signed(session, method, path, fields, unit, now + behind))


def _signed(
    session: Session, method: str, path: str, fields: Mapping[str, Any], amount_unit: str | None, now: datetime
) -> bytes:
    from clearwindow.client.signing import unsigned_request  # noqa: PLC0415 - the SDK takes a while to import
    from clearwindow.signing.intent import DEFAULT_VALIDITY, with_intent  # noqa: PLC0415
    from clearwindow.signing.models import Operation  # noqa: PLC0415

    name, ids = signed_operation(method, path.partition("?")[0])
    signer = access.signer_of(session.profile)
    if signer is None:
        raise usage("There is no key: name its file with --key-file, or set CLEARWINDOW_XPRV.")
    named = {"nonce": uuid4().hex, **fields}
    if name == Operation.SETTLEMENT_DEPOSITS:
        named = dict(fields)
    said = with_intent(named, Operation(name), ids, now + DEFAULT_VALIDITY, amount_unit)
    unsigned = unsigned_request(named, ids, said)
    return unsigned.body(signer(unsigned.payload))


def signed_operation(method: str, path: str) -> tuple[str, dict[str, str]]:
    """Returns the operation of a request that can be signed, and the ids in its path.

    Raises:
        EndError: requests of this path are not signed.
    """
    for its_method, pattern, version, name in _SIGNED:
        prefix = _ENTERPRISE.replace("v[0-9]+", version)
        found = re.fullmatch(prefix + pattern, path)
        if found is not None and method == its_method:
            return name, {each: value for each, value in found.groupdict().items() if value is not None}
    raise usage(f"{method} {path} is not signed: leave --sign out.")


def _exchange(session: Session, method: str, path: str, body: bytes | None) -> Any:  # noqa: ANN401 - any JSON document
    from clearwindow.client.calls import Answer, Call  # noqa: PLC0415 - as above
    from clearwindow.client.sync.caller import Caller  # noqa: PLC0415

    def read(answer: Answer) -> Any:  # noqa: ANN401 - as above
        return answer.body

    route, _, query = path.partition("?")
    caller = Caller(session.profile.url, session.token)
    try:
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        return caller.send(Call(method, route, read, pairs, content=body, repeatable=method == "GET"))
    finally:
        caller.close()
