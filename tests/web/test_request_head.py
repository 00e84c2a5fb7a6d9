"""The head of a request is measured before it is parsed, however it arrives."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.core.errors import HeadTooLargeError
from clearwindow.runtime import ServerLimits
from clearwindow.web.request_head import RequestHead

LIMITS = ServerLimits(request_line_bytes=24, head_bytes=64, headers=3)
LINE = b"GET / HTTP/1.1\r\n"


def taken(pieces: list[bytes]) -> tuple[int, bool] | str:
    """Returns how many bytes belong to the head, and whether it has ended; or why it is refused."""
    head = RequestHead(LIMITS)
    size = 0
    for piece in pieces:
        if head.ended:
            break
        try:
            size += head.take(piece)
        except HeadTooLargeError as error:
            return next(iter(error.details or {}))
    return size, head.ended


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (LINE + b"Host: x\r\n\r\nbody", (len(LINE) + 11, True)),
        (LINE + b"Host: x\n\nbody", (len(LINE) + 9, True)),
        (LINE + b"Host: x\r\n", (len(LINE) + 9, False)),
        (LINE + b"\r\n\r\n", (len(LINE) + 2, True)),
        (b"\r\n" + LINE, (2, True)),
        (b"\nGET", (1, True)),
        (b"G" * 24 + b"\n\n", (26, True)),
        (b"G" * 25, "limitBytes"),
        (b"G" * 25 + b"\r\n\r\n", "limitBytes"),
        (LINE + b"A: b\r\n" * 3 + b"\r\n", (len(LINE) + 20, True)),
        (LINE + b"A: b\r\n" * 4 + b"\r\n", "limitHeaders"),
        (LINE + b"A: " + b"b" * 41 + b"\r\n\r\n", (64, True)),
        (LINE + b"A: " + b"b" * 42 + b"\r\n\r\n", "limitBytes"),
        (LINE + b"A: " + b"b" * 1000, "limitBytes"),
    ],
)
@given(places=st.lists(st.integers(0, 1000), max_size=6))
def test_head_is_measured_alike_however_it_arrives(
    sent: bytes, expected: tuple[int, bool] | str, places: list[int]
) -> None:
    assert taken(cut(sent, places)) == expected


@given(sent=st.text("G\r\n: a", max_size=60).map(str.encode), places=st.lists(st.integers(0, 100), max_size=8))
def test_any_bytes_are_measured_alike_however_they_arrive(sent: bytes, places: list[int]) -> None:
    assert taken(cut(sent, places)) == taken([bytes([byte]) for byte in sent])
