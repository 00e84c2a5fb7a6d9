"""JSON from outside, read so that one text has one meaning (protocol §2, §3).

Python's reader keeps the last of two equal keys, takes NaN, passes lone surrogates on, and ``true == 1`` holds.
With each of these, a signed payload could mean one thing to its signer and another to this server. So keys,
constants and surrogates are refused here, and numbers stay text until a caller asks for a number.
"""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NoReturn, TypeAlias

from clearwindow.core.json_structure import TooDeepError, check_structure

MAX_DEPTH: Final = 32
"""How deep objects and lists may be nested. The network's own documents need 4 levels."""

MAX_NUMBER_CHARACTERS: Final = 1000
"""The longest number in characters. The longest amount has 78 digits, and longer numbers cost more work."""

JsonValue: TypeAlias = "bool | str | JsonNumber | list[JsonValue] | dict[str, JsonValue] | None"
"""A document as `parse_json` returns it: ``==`` between two of them is equality of JSON values."""

PlainJson: TypeAlias = "bool | str | int | float | list[PlainJson] | dict[str, PlainJson] | None"
"""The same document with Python's own numbers, as `to_python` returns it."""

_NUMBER: Final = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_SUSPICIOUS_ESCAPE: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SMALL_BYTES: Final = 256 * 1024
# Threads share one interpreter. Several large documents at once take as long as one after another, need the memory
# of all, and leave other threads no turn between them.
_one_large_document: Final = threading.Lock()
_QUOTED_CHARACTERS: Final = 100
_PATH_CHARACTERS: Final = 300


Place: TypeAlias = "tuple[Place, str | int] | None"
"""A place in a document: the place of the container, and a key or index in it. None is the document itself.

It is a chain instead of a text, because a hostile document has millions of places and a message names a few.
"""


class JsonError(ValueError):
    """A document that is refused, or a number in it.

    Attributes:
        message: one sentence that the sender can act on. It may quote a key of the document, never a value.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True, eq=False)
class JsonNumber:
    """A JSON number as it was written. It equals every other spelling of the same value.

    It equals only another `JsonNumber`, never an int, a bool or a text. The time of a comparison depends on the
    length of the text only: ``1e999999999`` is never expanded.

    Raises:
        JsonError: the text is not a JSON number, or is longer than `MAX_NUMBER_CHARACTERS`.
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > MAX_NUMBER_CHARACTERS:
            raise JsonError(f"A number may have at most {MAX_NUMBER_CHARACTERS} characters.")
        if _NUMBER.fullmatch(self.text) is None:
            raise JsonError(f"{quote(self.text)} is not a JSON number.")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JsonNumber):
            return NotImplemented
        return self.text == other.text or self._canonical() == other._canonical()

    def __hash__(self) -> int:
        return hash(self._canonical())

    def as_int(self, *, low: int = -(2**63), high: int = 2**63 - 1) -> int:
        """Returns the number as an int. ``1.0`` and ``1e2`` are whole numbers too.

        Raises:
            JsonError: not a whole number, or outside `low` to `high`.
        """
        sign, digits, exponent = self._canonical()
        if exponent < 0:
            raise JsonError(f"{quote(self.text)} is not a whole number.")
        # The digits are counted before the power is built, so that 1e999999999 costs nothing.
        if len(digits) + exponent <= len(str(max(abs(low), abs(high)))):
            value = int(f"{sign}{digits or 0}{'0' * exponent}")
            if low <= value <= high:
                return value
        raise JsonError(f"{quote(self.text)} must be from {low} to {high}.")

    def to_python(self) -> int | float:
        """Returns an int if the text has neither point nor exponent, else a float of the same value.

        Raises:
            JsonError: a float would have another value, or be infinite.
        """
        if self.text.lstrip("-").isdigit():
            return int(self.text)
        value = float(self.text)
        if value in (float("inf"), float("-inf")) or JsonNumber(repr(value)) != self:
            raise JsonError(f"{quote(self.text)} is not exactly representable: send it as text.")
        return value

    def _canonical(self) -> tuple[str, str, int]:
        """Returns sign, digits without zeros at either end, and exponent. They are equal if the values are."""
        match = _NUMBER.fullmatch(self.text)
        if match is None:  # __post_init__ has matched it
            raise AssertionError(self.text)
        sign, whole, fraction, exponent = match.groups(default="")
        digits = (whole + fraction).lstrip("0")
        significant = digits.rstrip("0")
        if not significant:
            return "", "", 0
        return sign, significant, int(exponent or "0") - len(fraction) + len(digits) - len(significant)


class _DuplicateKeyError(Exception):
    """Carries nothing: a second pass, which only refused documents need, finds the place of the duplicate."""


class _Pairs(list[tuple[str, object]]):
    """An object's members as written, duplicates included."""


def _object_without_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DuplicateKeyError
    return members


def _refuse_constant(constant: str) -> NoReturn:
    raise JsonError(f"{constant} is not a JSON value.")


# Without the cache, a document of small numbers would cost a hundred times what Python's own reader spends.
_number: Final = lru_cache(maxsize=1024)(JsonNumber)

_READER: Final = json.JSONDecoder(
    object_pairs_hook=_object_without_duplicates,
    parse_float=_number,
    parse_int=_number,
    parse_constant=_refuse_constant,
)
_PAIRS_READER: Final = json.JSONDecoder(object_pairs_hook=_Pairs, parse_float=str, parse_int=str)


def parse_json(text: bytes | str, *, what: str = "request body", max_entries: int | None = None) -> JsonValue:
    """Reads one JSON document from outside (protocol §2, §3).

    Args:
        text: the document; bytes must be UTF-8 without a byte order mark.
        what: what the document is, for the message.
        max_entries: about how many members and elements it may have; see `check_structure`.

    Raises:
        TooManyEntriesError: it has more than `max_entries`.
        JsonError: not UTF-8, not JSON, a key twice in one object, NaN or Infinity, a NUL character or a
            lone surrogate in a text or key, more than `MAX_DEPTH` levels, a number longer than
            `MAX_NUMBER_CHARACTERS`.
    """
    raw = text if isinstance(text, bytes) else _encode(text, what)
    if len(raw) <= _SMALL_BYTES:
        return _read(raw, what, max_entries)
    with _one_large_document:
        return _read(raw, what, max_entries)


def _read(raw: bytes, what: str, max_entries: int | None) -> JsonValue:
    _check_structure(raw, what, max_entries)
    decoded = _decode(raw, what)
    try:
        value: JsonValue = _READER.decode(decoded)
    except json.JSONDecodeError as error:
        reason = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
        where = f"line {error.lineno}, column {error.colno}"
        raise JsonError(f"The {what} is not valid JSON: {reason} at {where}.") from None
    except JsonError as error:
        raise JsonError(f"The {what} is refused: {error.message}") from None
    except _DuplicateKeyError:
        raise JsonError(f"The {what} is refused: {_describe_duplicate(decoded)}") from None
    _check_depth(value, what)
    # Raw NULs are invalid JSON and raw surrogates are not UTF-8: only an escape can bring either in.
    if _SUSPICIOUS_ESCAPE.search(decoded):
        _check_characters(value, what)
    return value


def to_python(value: JsonValue) -> PlainJson:
    """Returns a copy of a document with Python's own numbers, for readers such as pydantic.

    Raises:
        JsonError: no Python number represents a number of the document exactly.
    """
    if isinstance(value, JsonNumber):
        return value.to_python()
    if isinstance(value, dict):
        return {key: to_python(member) for key, member in value.items()}
    if isinstance(value, list):
        return [to_python(member) for member in value]
    return value


def quote(text: str) -> str:
    """Returns a text as a message quotes it: escaped, so that it cannot break a log line, and not too long."""
    if len(text) > _QUOTED_CHARACTERS:
        text = text[: _QUOTED_CHARACTERS - 1] + "…"
    # Other alphabets stay readable: only what would not print is escaped.
    return json.dumps(text, ensure_ascii=not text.isprintable())


def describe_place(place: Place) -> str:
    """Returns a place as a message names it, such as ``settlementAmounts.<connection>.BTC``, of limited length."""
    parts: list[str] = []
    while place is not None:
        place, name = place
        if isinstance(name, int):
            parts.append(f"[{name}]")
        else:
            plain = name.isprintable() and 0 < len(name) <= _QUOTED_CHARACTERS
            parts.append(f".{name if plain else quote(name)}")
    path = "".join(reversed(parts)).removeprefix(".")
    if len(path) > _PATH_CHARACTERS:
        path = f"…{path[1 - _PATH_CHARACTERS :]}"
    return path or "the outermost level"


def _encode(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _not_utf8(what, error.start) from None


def _decode(raw: bytes, what: str) -> str:
    try:
        decoded = raw.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(what, error.start) from None
    if decoded.startswith("\ufeff"):
        raise JsonError(f"The {what} starts with a byte order mark: send plain UTF-8 without it.")
    return decoded


def _not_utf8(what: str, offset: int) -> JsonError:
    return JsonError(f"The {what} is not valid UTF-8 at offset {offset}.")


def _check_structure(raw: bytes, what: str, max_entries: int | None) -> None:
    """Refuses nesting that could exhaust the C stack, and more entries than the caller allows.

    The reader recurses in C, and some versions of Python allow it more levels than a thread's stack holds: one
    request would end the process. `_check_depth` finds the few levels that this check lets pass.
    """
    try:
        check_structure(raw, max_depth=MAX_DEPTH, max_entries=max_entries)
    except TooDeepError:
        raise _too_deep(what) from None


def _too_deep(what: str) -> JsonError:
    return JsonError(f"The {what} has more than {MAX_DEPTH} objects and lists inside one another.")


def _check_depth(value: JsonValue, what: str) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        # `type(…) is` and one comprehension for each level, for speed: the largest request has 100 000 amounts.
        level = [
            member
            for container in level
            for member in (container.values() if type(container) is dict else container)
            if type(member) is dict or type(member) is list
        ]
        if not level:
            return
    raise _too_deep(what)


def _check_characters(value: JsonValue, what: str) -> None:
    if isinstance(value, str) and (fault := _fault(value)):
        raise JsonError(f"The {what} has {fault}.")
    for place, members in _containers(value):
        for name, member in members:
            if isinstance(name, str) and (fault := _fault(name)):
                raise JsonError(f"The {what} has {fault} in a key of {describe_place(place)}.")
            if isinstance(member, str) and (fault := _fault(member)):
                raise JsonError(f"The {what} has {fault} in {describe_place((place, name))}.")


def _fault(text: str) -> str | None:
    if "\0" in text:
        return "a NUL character (\\u0000)"
    if _SURROGATE.search(text):
        return "half of a surrogate pair (\\ud800 to \\udfff)"
    return None


def _describe_duplicate(text: str) -> str:
    """Names a duplicate key and its object. The document must have one."""
    try:
        document = _PAIRS_READER.decode(text)
    except json.JSONDecodeError:
        # The first pass stopped at the duplicate. What follows it is not valid JSON.
        return "a key occurs twice in one object."
    for place, members in _containers(document):
        seen: set[str | int] = set()
        for name, _ in members:
            if name in seen:
                return f"the key {quote(str(name))} occurs twice in {describe_place(place)}."
            seen.add(name)
    raise AssertionError("the document has no duplicate key")


def _containers(document: object) -> Iterator[tuple[Place, list[tuple[str | int, object]]]]:
    """Yields each object and list of a document: its place, and key or index and value of its members.

    It does not recurse, because the depth of the document may not have been checked yet.
    """
    waiting: list[tuple[Place, object]] = [(None, document)]
    while waiting:
        place, value = waiting.pop()
        members: list[tuple[str | int, object]]
        if isinstance(value, dict):
            members = list(value.items())
        elif isinstance(value, _Pairs):
            members = list(value)
        elif isinstance(value, list):
            members = list(enumerate(value))
        else:
            continue
        yield place, members
        waiting.extend(
            ((place, name), member) for name, member in reversed(members) if isinstance(member, dict | list)
        )


__all__ = [
    "MAX_DEPTH",
    "MAX_NUMBER_CHARACTERS",
    "JsonError",
    "JsonNumber",
    "JsonValue",
    "Place",
    "PlainJson",
    "describe_place",
    "parse_json",
    "quote",
    "to_python",
]
