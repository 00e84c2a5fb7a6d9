"""Where the head of a request ends, and whether it is small enough. Counts bytes before anything is parsed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from clearwindow.core.errors import HeadTooLargeError
from clearwindow.runtime import ServerLimits

_END: Final = re.compile(rb"\n\r?\n")
_LONGEST_PART_OF_END: Final = 2


@dataclass(slots=True)
class RequestHead:
    """The head of one request, which arrives in pieces of any size."""

    limits: ServerLimits
    ended: bool = False
    _bytes: int = 0
    _lines: int = 0
    _tail: bytes = field(default=b"")

    def take(self, arrived: bytes | bytearray) -> int:
        """Counts the bytes that belong to the head, and returns how many these are. The rest follows the head.

        Raises:
            HeadTooLargeError: the request line, the head or the number of headers is over its limit.
        """
        window = self._tail + arrived
        end = self._end_in(window)
        taken = (len(window) if end is None else end) - len(self._tail)
        part = arrived[:taken]
        self.ended = end is not None
        self._require_short_line(part)
        self._bytes += taken
        self._lines += part.count(b"\n")
        self._tail = bytes(window[: len(self._tail) + taken][-_LONGEST_PART_OF_END:])
        if self._bytes > self.limits.head_bytes:
            raise _too_large("head", self.limits.head_bytes, "bytes")
        # The request line has a line end, too, and so has the empty line after the last header.
        if self._lines - 1 - self.ended > self.limits.headers:
            raise _too_large("head", self.limits.headers, "headers")
        return taken

    def _end_in(self, window: bytes) -> int | None:
        if self._bytes == len(self._tail):
            for empty_line in (b"\n", b"\r\n"):
                if window.startswith(empty_line):
                    return len(empty_line)
        found = _END.search(window)
        return found.end() if found else None

    def _require_short_line(self, part: bytes | bytearray) -> None:
        if self._lines > 0:
            return
        line_end = part.find(b"\n")
        line_bytes = self._bytes + (len(part) if line_end < 0 else line_end)
        if line_bytes > self.limits.request_line_bytes:
            raise _too_large("request line", self.limits.request_line_bytes, "bytes")


def _too_large(what: str, limit: int, unit: str) -> HeadTooLargeError:
    return HeadTooLargeError(
        "head_too_large",
        f"the {what} of the request has more than {limit} {unit}: send filters in a JSON body, and fewer headers",
        {f"limit{unit.capitalize()}": limit},
    )
