"""The catalogue of events as JSON Schema: what kind of value each field of an event's ``data`` has."""

from __future__ import annotations

import re
from typing import Any, Final

from clearwindow.events.catalogue import CATALOGUE
from clearwindow.events.models import EventType

Json = dict[str, Any]

_TEXT: Final[Json] = {"type": "string"}
_TIME: Final[Json] = {"type": "string", "format": "date-time"}
_TIMES: Final = frozenset({"failingSince", "nextFrom", "verifiesFrom"})
_CHOICE: Final = re.compile(r"`(\w+)`(?:, | or |$)")
_AMOUNT: Final = ("currency", "quantity")
_SHORTFALL: Final = ("currency", "needed", "available", "shortfall")
_OF_NAME: Final[Json] = {
    "amount": {"type": "object", "required": [*_AMOUNT], "properties": dict.fromkeys(_AMOUNT, _TEXT)},
    "changedFields": {"type": "array", "items": _TEXT},
    "connectionIds": {"type": "array", "items": _TEXT},
    "currencies": {"type": "object", "additionalProperties": _TEXT},
    "shortfalls": {
        "type": "array",
        "items": {
            "type": "object",
            "required": [*_SHORTFALL],
            "properties": dict.fromkeys(_SHORTFALL, _TEXT),
        },
    },
    "warnings": {"type": "array", "items": _TEXT},
}
"""Fields that are more than a text, a time or a truth value, by their names."""


def data_schema(kind: EventType) -> Json:
    """Returns the schema of an event's ``data``. A field that is not required is there only if it applies."""
    described = CATALOGUE[kind]
    return {
        "type": "object",
        "required": list(described.fields),
        "properties": {
            name: _value(name, meaning) | {"description": meaning}
            for name, meaning in (described.fields | described.options).items()
        },
    }


def _value(name: str, meaning: str) -> Json:
    if name in _OF_NAME:
        return dict(_OF_NAME[name])
    if meaning.startswith("whether "):
        return {"type": "boolean"}
    if name.endswith("At") or name in _TIMES:
        return dict(_TIME)
    if not _CHOICE.sub("", meaning):
        return _TEXT | {"enum": _CHOICE.findall(meaning)}
    return dict(_TEXT)
