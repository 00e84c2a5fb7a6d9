"""Identifiers are injected, so that a run can be repeated. On the wire a Go Account id is 32 hexadecimal digits."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final, Protocol
from uuid import UUID, uuid4

from pydantic import BeforeValidator, StringConstraints

NIL: Final = UUID(int=0)
"""The outside world as an account, and the partner of what belongs to no partner."""

_UUID_TEXT: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
UuidText = Annotated[str, StringConstraints(pattern=_UUID_TEXT)]
"""A UUID in its one canonical spelling, so that two keys of an object can never name the same thing."""


def _uuid(value: object) -> UUID:
    known = parse_uuid(value) if isinstance(value, str) else None
    if known is None:
        raise ValueError("must be a UUID in lowercase, such as 7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39")
    return known


WireUuid = Annotated[UUID, BeforeValidator(_uuid)]


class Ids(Protocol):
    def new(self) -> UUID: ...


class RandomIds:
    def new(self) -> UUID:
        return uuid4()


def time_ordered_prefix(moment: datetime) -> str:
    """The beginning of version 7 UUIDs of this moment, to which a statement appends the rest of random ones.

    Rows of one settlement get ids side by side, so that inserting 100 000 of them touches a few hundred pages of an
    index and not every page it has.
    """
    milliseconds = f"{int(moment.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7"


def parse_uuid(text: str) -> UUID | None:
    """The UUID that the text canonically spells, else None."""
    return UUID(text) if re.fullmatch(_UUID_TEXT, text) else None


def parse_go_account_id(text: str) -> UUID | None:
    return UUID(hex=text) if re.fullmatch(r"[0-9a-f]{32}", text) else None
