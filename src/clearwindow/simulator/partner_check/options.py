"""What somebody asks to have checked, read from texts: options of a command, and files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from clearwindow.conformance.values import DEFAULT_CONNECTION_KEY, Terms, WronglyAskedError
from clearwindow.errors import InvalidRequestError
from clearwindow.ids import parse_uuid
from clearwindow.money import AmountUnit, from_partner_amount
from clearwindow.partnercalls.rules import require_endpoint
from clearwindow.partnercalls.values import Endpoint

_MOST_DECIMALS: Final = 18
_MOST_CHARACTERS: Final = 40
_MOST_FILE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    url: str | None
    currency: str
    amount_unit: AmountUnit
    callback_paths: Sequence[str]
    client_id: str | None
    connection_key_file: Path | None
    settlement_file: Path | None
    allow_private: bool


def terms_of(asked: Asked) -> Terms:
    """What was asked, checked.

    Raises:
        WronglyAskedError: it cannot be; in one sentence.
    """
    if not asked.url:
        raise WronglyAskedError("Say which endpoint with --url.")
    endpoint = Endpoint("checked", asked.url, _paths(asked.callback_paths))
    try:
        require_endpoint(endpoint, allow_private=may_be_private(asked))
    except InvalidRequestError as error:
        said = str(error).replace("callbackUrl:", "--url").replace("callbackPaths", "--callback-path")
        raise WronglyAskedError(f"{said}{_hint(endpoint)}.") from None
    currency, quantity = _amount(asked.currency, asked.amount_unit)
    client_id = None if asked.client_id is None else parse_uuid(asked.client_id)
    if asked.client_id is not None and client_id is None:
        raise WronglyAskedError("--client-id must be a UUID in lowercase.")
    terms = Terms(endpoint, currency, quantity, asked.amount_unit, client_id=client_id)
    return replace(
        terms,
        connection_key=_connection_key(asked.connection_key_file),
        settlement=_settlement(asked.settlement_file),
    )


def may_be_private(asked: Asked) -> bool:
    """Loopback needs no leave: whoever runs the check on a machine is on it already."""
    return asked.allow_private or _is_loopback(asked.url or "")


def _hint(endpoint: Endpoint) -> str:
    try:
        require_endpoint(endpoint, allow_private=True)
    except InvalidRequestError:
        return ""
    return ", unless --allow-private is said"


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
            raise WronglyAskedError("--callback-path must be CALL=PATH, such as allocations=/v2/allocations.")
        paths[name] = path
    return paths


def _amount(option: str, unit: AmountUnit) -> tuple[str, Decimal]:
    name, _, text = option.partition("=")
    plain = text.isascii() and text.replace(".", "", 1).isdigit() and len(text) <= _MOST_CHARACTERS
    decimals = _MOST_DECIMALS if unit is AmountUnit.DECIMAL else 0
    if not name or not plain or not from_partner_amount(text, unit, decimals):
        form = "BTC=0.5, with 18 decimals at most" if decimals else "BTC=50000000, in whole base units"
        raise WronglyAskedError(f"--currency must be NAME=AMOUNT, such as {form}.")
    return name, Decimal(text)


def _connection_key(path: Path | None) -> Mapping[str, str]:
    if path is None:
        return DEFAULT_CONNECTION_KEY
    fields = _object(path)
    if not fields or not all(isinstance(value, str) and value for value in fields.values()):
        raise WronglyAskedError(f'{path} must hold an object of texts, such as {{"connectionToken": "…"}}.')
    return {name: value for name, value in fields.items() if name != "schema"}


def _settlement(path: Path | None) -> Mapping[str, object] | None:
    if path is None:
        return None
    fields = _object(path)
    if parse_uuid(str(fields.get("settlementId"))) is None:
        raise WronglyAskedError(
            f"{path} must hold an object with the settlementId of a settlement, and what is known of it."
        )
    return fields


def _object(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MOST_FILE_BYTES))
    except OSError as error:
        raise WronglyAskedError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        # The reader's own text might quote a secret.
        raise WronglyAskedError(f"{path} does not hold JSON.") from None
    if not isinstance(document, dict):
        raise WronglyAskedError(f"{path} must hold a JSON object.")
    return document
