"""Entries and levels of JSON texts are counted before anything is built of them."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearwindow.core.json_structure import TooDeepError, TooManyEntriesError, check_structure
from clearwindow.core.strict_json import JsonError, parse_json
from tests.support.memory import memory_limited

MEGABYTE: Final = 1_000_000
ENTRIES: Final = 220_000
DEEP: Final = 1_000

texts: Final = st.text(st.sampled_from('[]{},:"\\/ax\n é\U0001f600'), max_size=12)
documents: Final = st.recursive(
    st.none() | st.integers() | texts,
    lambda inside: st.lists(inside, max_size=5) | st.dictionaries(texts, inside, max_size=5),
    max_leaves=40,
)


def entries_of(value: object) -> int:
    inside = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    return len(inside) + sum(map(entries_of, inside))


def depth_of(value: object) -> int:
    inside = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else None
    return 0 if inside is None else 1 + max(map(depth_of, inside), default=0)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    documents,
    st.sampled_from((None, 1)),
    st.booleans(),
    st.integers(min_value=1, max_value=9) | st.just(100_000),
)
def test_a_text_is_refused_only_if_it_is_over_the_limit(
    document: Any,  # noqa: ANN401 - any JSON
    indent: int | None,
    ascii_only: bool,  # noqa: FBT001 - drawn
    slice_bytes: int,
) -> None:
    raw = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    entries = entries_of(document)
    check_structure(raw, max_depth=depth_of(document), max_entries=entries, slice_bytes=slice_bytes)
    # What passes has at most twice the limit, and one entry more.
    over = (entries - 1) // 2
    if over > 0:
        with pytest.raises(TooManyEntriesError):
            check_structure(raw, max_depth=100, max_entries=over - 1, slice_bytes=slice_bytes)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("slice_bytes", [1, 7, 100_000])
def test_deep_text_is_refused_wherever_it_is_cut(opening: str, slice_bytes: int) -> None:
    closing = "]" if opening == "[" else "}"
    before = '{"a":"\\\\","b":[],"c":"[[[["},' * 3
    deep = f"[{before}{opening * DEEP}1{closing * DEEP}]"
    with pytest.raises(TooDeepError):
        check_structure(deep.encode(), max_depth=32, slice_bytes=slice_bytes)
    check_structure(deep.encode(), max_depth=DEEP + 1, slice_bytes=slice_bytes)


def of_size(begin: bytes, repeated: bytes, end: bytes, size: int) -> bytes:
    return begin + repeated * (size // len(repeated)) + end


HOSTILE: Final = {
    "empty lists": (b'{"a":[', b"[],", b"[]]}"),
    "empty objects": (b'{"a":[', b"{},", b"{}]}"),
    "small numbers": (b'{"a":[', b"1,", b"1]}"),
    "opened lists": (b"", b"[", b""),
    "opened objects": (b"", b'{"a":', b""),
    "lists in lists": (b'{"a":[', b"[" * 30 + b"]" * 30 + b",", b"1]}"),
    "keys": (b"{", b'"k":0,', b'"l":0}'),
    "commas": (b"", b",", b""),
    "empty lists in a list of a text's end": (b'{"a":"\\\\\\""' + b",", b'"b":[],', b'"c":[]}'),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_refused_text_costs_no_memory(how: str) -> None:
    raw = of_size(*HOSTILE[how], size=4 * MEGABYTE)
    with memory_limited(4 * MEGABYTE), pytest.raises((JsonError, TooManyEntriesError)):
        parse_json(raw, max_entries=ENTRIES)


LONG: Final = {
    "a number": (b'{"a":', b"1", b"}"),
    "a text": (b'{"a":"', b"x", b'"}'),
    "a key": (b'{"', b"x", b'":1}'),
    "escapes": (b'{"a":"', b"\\u0041", b'"}'),
    "escaped quotes": (b'{"a":"', b'\\"', b'"}'),
    "backslashes": (b'{"a":"', b"\\\\", b'"}'),
    "commas in a text": (b'{"a":"', b",[],", b'"}'),
    "spaces": (b'{"a":', b" ", b"1}"),
}


@pytest.mark.parametrize("how", LONG)
def test_a_long_text_costs_a_few_times_its_size(how: str) -> None:
    size = 2 * MEGABYTE
    raw = of_size(*LONG[how], size=size)
    with memory_limited(4 * size):
        if how == "a number":
            with pytest.raises(JsonError, match="characters"):
                parse_json(raw, max_entries=ENTRIES)
        else:
            assert isinstance(parse_json(raw, max_entries=ENTRIES), dict)
