"""Reads the options of a run from command-line values and files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.ids import parse_uuid
from clearwindow.core.money import AmountUnit, from_partner_amount
from clearwindow.partner_calls.models import Endpoint
from clearwindow.partner_calls.rules import require_endpoint
from clearwindow.simulator.partner_check.models import DEFAULT_CONNECTION_KEY, InvalidOptionError, Terms

_MOST_DECIMALS: Final = 18
_MOST_CHARACTERS: Final = 40
_MOST_FILE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """The options as given on the command line."""

    url: str | None
    currency: str
    amount_unit: AmountUnit
    callback_paths: Sequence[str]
    client_id: str | None
    connection_key_file: Path | None
    settlement_file: Path | None
    allow_private: bool
    issuer: str
    audience: str
    header: str
    timeout_seconds: float
    answers_later: bool


def terms_of(given: Options) -> Terms:
    """Validates the options.

    Raises:
        InvalidOptionError: an option is not valid.
    """
    if not given.url:
        raise InvalidOptionError("Name the endpoint with --url.")
    endpoint = Endpoint("checked", given.url, _paths(given.callback_paths))
    try:
        require_endpoint(endpoint, allow_private=may_be_private(given))
    except InvalidRequestError as error:
        text = str(error).replace("callbackUrl:", "--url").replace("callbackPaths", "--callback-path")
        raise InvalidOptionError(f"{text}{_hint(endpoint)}.") from None
    currency, quantity = _amount(given.currency, given.amount_unit)
    client_id = None if given.client_id is None else parse_uuid(given.client_id)
    if given.client_id is not None and client_id is None:
        raise InvalidOptionError("--client-id must be a UUID in lowercase.")
    return Terms(
        endpoint,
        currency,
        quantity,
        given.amount_unit,
        issuer=given.issuer,
        audience=given.audience,
        header=given.header,
        client_id=client_id,
        answers_later=given.answers_later,
        timeout_seconds=given.timeout_seconds,
        connection_key=_connection_key(given.connection_key_file),
        settlement=_settlement(given.settlement_file),
    )


def may_be_private(given: Options) -> bool:
    """Returns whether private addresses may be called. Loopback is always allowed, because it is this machine."""
    return given.allow_private or _is_loopback(given.url or "")


def _hint(endpoint: Endpoint) -> str:
    try:
        require_endpoint(endpoint, allow_private=True)
    except InvalidRequestError:
        return ""
    return ", unless --allow-private is given"


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _paths(options: Sequence[str]) -> Mapping[str, str]:
    paths: dict[str, str] = {}
    for option in options:
        name, equals, path = option.partition("=")
        if not equals:
            raise InvalidOptionError("--callback-path must be CALL=PATH, such as allocations=/v2/allocations.")
        paths[name] = path
    return paths


def _amount(option: str, unit: AmountUnit) -> tuple[str, Decimal]:
    name, _, text = option.partition("=")
    plain = text.isascii() and text.replace(".", "", 1).isdigit() and len(text) <= _MOST_CHARACTERS
    decimals = _MOST_DECIMALS if unit is AmountUnit.DECIMAL else 0
    if not name or not plain or not from_partner_amount(text, unit, decimals):
        form = "BTC=0.5, with at most 18 decimals" if decimals else "BTC=50000000, in whole base units"
        raise InvalidOptionError(f"--currency must be NAME=AMOUNT, such as {form}.")
    return name, Decimal(text)


def _connection_key(path: Path | None) -> Mapping[str, str]:
    if path is None:
        return DEFAULT_CONNECTION_KEY
    fields = _object(path)
    if not fields or not all(isinstance(value, str) and value for value in fields.values()):
        raise InvalidOptionError(
            f'{path} must contain a JSON object of strings, such as {{"connectionToken": "…"}}.'
        )
    return {name: value for name, value in fields.items() if name != "schema"}


def _settlement(path: Path | None) -> Mapping[str, object] | None:
    if path is None:
        return None
    fields = _object(path)
    if parse_uuid(str(fields.get("settlementId"))) is None:
        raise InvalidOptionError(
            f"{path} must contain a JSON object with the settlementId of a settlement, and optionally more fields."
        )
    return fields


def _object(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MOST_FILE_BYTES))
    except OSError as error:
        raise InvalidOptionError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        # The JSON reader's own message might quote a secret.
        raise InvalidOptionError(f"{path} does not contain valid JSON.") from None
    if not isinstance(document, dict):
        raise InvalidOptionError(f"{path} must contain a JSON object.")
    return document
