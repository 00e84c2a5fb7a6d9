"""How deep a JSON text is and how many entries it has, found before anything is built of it.

A text of 30 MB can say ten million empty lists: Python's objects for them need gigabytes. So commas and brackets
outside of texts are counted first, slice by slice, with operations on whole slices: other threads run between two
slices, and the memory needed is a few slices. What is no JSON is not judged here: the reader says best where.
"""

from __future__ import annotations

from typing import Final

SLICE_BYTES: Final = 256 * 1024
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{},"'))
# Unmatched brackets are invalid JSON. The reader says best where they are, and may see a few of them.
_SAFE_UNMATCHED: Final = 100


class TooDeepError(ValueError):
    """The text has too many levels."""


class TooManyEntriesError(ValueError):
    """The text has too many members and elements."""


def check_structure(
    raw: bytes, *, max_depth: int, max_entries: int | None = None, slice_bytes: int = SLICE_BYTES
) -> None:
    """Refuses a text that would cost much to read. What it accepts costs little, and may still be over a limit.

    An accepted text has at most twice ``max_entries`` members and elements, and a few hundred levels. A refused
    one, if it is JSON, is really over the limit.

    Raises:
        TooDeepError: it has more than ``max_depth`` levels.
        TooManyEntriesError: it has more than ``max_entries`` members and elements.
    """
    texts = _Texts()
    open_brackets = b""
    commas = containers = start = 0
    while start < len(raw):
        part = raw[start : start + slice_bytes]
        if part.endswith(b"\\") and (len(part) - len(part.rstrip(b"\\"))) % 2:
            # A backslash and what it escapes belong to one slice.
            part = raw[start : start + len(part) + 1]
        start += len(part)
        structure = texts.removed_from(part)
        open_brackets = _unmatched(open_brackets + structure.translate(None, b","), max_depth)
        commas += structure.count(b",")
        containers += structure.count(b"[") + structure.count(b"{")
        # Every comma is followed by an entry, and every container but the outermost is one.
        if max_entries is not None and max(commas, containers - 1) > max_entries:
            raise TooManyEntriesError


class _Texts:
    """Removes the texts from a document that arrives in slices."""

    def __init__(self) -> None:
        self._inside = False

    def removed_from(self, part: bytes) -> bytes:
        """Returns the brackets and commas of the next slice that stand outside of texts."""
        if b"\\" in part:
            part = part.replace(b"\\\\", b"").replace(b'\\"', b"")
        # Two quotes with nothing between them change nothing, whether they begin a text or end one.
        kept = part.translate(None, _NOT_STRUCTURE).replace(b'""', b"")
        pieces = kept.split(b'"')
        outside = b"".join(pieces[self._inside :: 2])
        self._inside ^= len(pieces) % 2 == 0
        return outside


def _unmatched(brackets: bytes, max_depth: int) -> bytes:
    """Removes matched pairs from the inside, level by level, and returns what is left."""
    for _ in range(max_depth):
        before = len(brackets)
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(brackets) == before:
            break
    if len(brackets) > max_depth + _SAFE_UNMATCHED:
        raise TooDeepError
    return brackets
