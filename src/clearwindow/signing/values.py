"""What a signed request carries beside its own fields."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from clearwindow.strict_json import JsonValue


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A signed body as it arrived: ``fields`` is the whole body, ``path_ids`` the ids in the path by name."""

    payload: str
    signature: str
    nonce: str
    fields: Mapping[str, JsonValue]
    path_ids: Mapping[str, str]

    @property
    def sha256(self) -> bytes:
        """The same for a byte-identical repeat, and for nothing else: the payload equals all other fields."""
        return hashlib.sha256(f"{len(self.payload)}:{self.payload}{self.signature}".encode()).digest()
