"""The console's own files. Their names carry the hash of their content, so that browsers keep them for good."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from clearwindow.console.rules import PREFIX

ASSETS_PATH: Final = f"{PREFIX}/assets"
CACHE_HEADERS: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_KINDS: Final = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}
_HASH_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Asset:
    path: str
    media_type: str
    content: bytes


@cache
def assets() -> Mapping[str, Asset]:
    """Returns the files by their plain names."""
    return {name: _asset(name, media_type) for name, media_type in _KINDS.items()}


def asset_at(path: str) -> Asset | None:
    """Returns the file at a path, if its content has this hash."""
    return next((asset for asset in assets().values() if asset.path == path), None)


def _asset(name: str, media_type: str) -> Asset:
    content = files("clearwindow.console").joinpath("static", name).read_bytes()
    stem, _, ending = name.rpartition(".")
    digest = hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]
    return Asset(f"{ASSETS_PATH}/{stem}.{digest}.{ending}", media_type, content)
