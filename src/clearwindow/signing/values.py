"""What a signed request carries beside its own fields."""

from __future__ import annotations

import hashlib
import json
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
        """The same for a byte-identical repeat on the same path, and for nothing else.

        The payload equals all other fields. The path's ids need not be in it, and a text that was signed for one
        settlement or dispute must not pass as a repeat on another.
        """
        text = json.dumps([dict(self.path_ids), self.payload, self.signature], sort_keys=True)
        return hashlib.sha256(text.encode()).digest()
