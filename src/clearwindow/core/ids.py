"""Identifiers. Their source is injected, so that a test can choose them.

On the wire, the id of a Go Account has 32 hexadecimal digits. Every other id of ours is a UUID. Protocol §2.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final, Protocol
from uuid import UUID, uuid4

from pydantic import BeforeValidator, StringConstraints

NIL: Final = UUID(int=0)
"""As an account: everything outside the network. As a partner: none."""

_UUID_TEXT: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
UuidText = Annotated[str, StringConstraints(pattern=_UUID_TEXT)]
"""A UUID in its canonical spelling, so that two keys of a JSON object never mean the same id."""


def _uuid(value: object) -> UUID:
    known = parse_uuid(value) if isinstance(value, str) else None
    if known is None:
        raise ValueError("must be a UUID in lowercase, such as 7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39")
    return known


def _any_id(value: object) -> UUID:
    known = (parse_go_account_id(value) or parse_uuid(value)) if isinstance(value, str) else None
    if known is None:
        raise ValueError("must be a UUID, or the id of a Go Account")
    return known


WireUuid = Annotated[UUID, BeforeValidator(_uuid)]
WireAnyId = Annotated[UUID, BeforeValidator(_any_id)]
"""A UUID, or the id of a Go Account."""


class Ids(Protocol):
    def new(self) -> UUID: ...


class RandomIds:
    def new(self) -> UUID:
        return uuid4()


def time_ordered_prefix(moment: datetime) -> str:
    """Returns the first 15 characters of the version 7 UUIDs of this moment. Statements append random digits.

    Rows of one settlement get neighbouring ids: inserting 100 000 of them touches a few hundred pages of an index
    instead of all of them.
    """
    milliseconds = f"{int(moment.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7"


def parse_uuid(text: str) -> UUID | None:
    """Returns the UUID if the text is its canonical spelling, else None."""
    return UUID(text) if re.fullmatch(_UUID_TEXT, text) else None


def parse_go_account_id(text: str) -> UUID | None:
    """Returns the id if the text has the form of a Go Account's id, else None."""
    return UUID(hex=text) if re.fullmatch(r"[0-9a-f]{32}", text) else None
