"""Cursors: a place in one list with its filters, as a text that callers hand back unread. Protocol §2.

A cursor is no secret and gives no right: whoever may read the list may read it from any place. Its digest tells a
caller's mistakes: a cut or changed text, a cursor of another list, of another enterprise or of other filters.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64Error
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.strict_json import JsonError, parse_json
from clearwindow.postgres.paging import Position

MAX_CURSOR_LENGTH: Final = 2_000
_DIGEST_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """The list that a request asks for.

    Attributes:
        path: the path of the request.
        query: the parameters of its query, in their order.
        filters: every filter with its value, from the query and the body, as one text.
    """

    path: str
    query: Sequence[tuple[str, str]]
    filters: str

    def cursor(self, position: Position) -> str:
        """Returns the cursor of a place in this list."""
        packed = json.dumps(position, ensure_ascii=False, separators=(",", ":")).encode()
        return urlsafe_b64encode(self._digest(packed) + packed).decode().rstrip("=")

    def position(self, cursor: str) -> Position:
        """Returns the place that the cursor names.

        Raises:
            InvalidRequestError: it is not a cursor of this list with these filters.
        """
        try:
            raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except (NotBase64Error, ValueError):
            raise _invalid() from None
        digest, packed = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if digest != self._digest(packed) or cursor != urlsafe_b64encode(raw).decode().rstrip("="):
            raise _invalid()
        try:
            position = parse_json(packed, what="cursor")
        except JsonError:
            raise _invalid() from None
        if not isinstance(position, list):
            raise _invalid()
        texts = tuple(part for part in position if isinstance(part, str))
        if len(texts) != len(position):
            raise _invalid()
        return texts

    def next_page(self, position: Position) -> str:
        """Returns the address of the page after a place, for a ``Link`` header."""
        kept = [(name, value) for name, value in self.query if name not in ("cursor", "pageNumber")]
        return f"{quote(self.path)}?{urlencode([*kept, ('cursor', self.cursor(position))])}"

    def _digest(self, packed: bytes) -> bytes:
        whole = json.dumps([self.path, self.filters]).encode() + packed
        return hashlib.sha256(whole).digest()[:_DIGEST_BYTES]


def _invalid() -> InvalidRequestError:
    return InvalidRequestError(
        "cursor_invalid",
        "cursor: is not a cursor of this list with these filters: send the text of the last answer's Link header"
        " unchanged and with the same filters, or read the list from its start",
    )
