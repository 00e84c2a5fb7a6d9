"""JSON from outside, read so that one text has one meaning (protocol §2, §3).

Python's reader keeps the last of two equal keys, takes NaN, hands lone surrogates on, and lets
``true == 1``. Each of these would let a signed payload mean one thing to its signer and another to this
server, so each is refused here, or, for numbers, taken out of Python's arithmetic until a caller asks for it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NoReturn, TypeAlias

MAX_DEPTH: Final = 32
"""How many objects and lists may stand inside one another; the network's own documents need 4."""

MAX_NUMBER_CHARACTERS: Final = 1000
"""The longest number token; the longest amount has 78 digits, and the work on a number grows with it."""

JsonValue: TypeAlias = "bool | str | JsonNumber | list[JsonValue] | dict[str, JsonValue] | None"
"""A document as `parse_json` returns it: ``==`` between two of them is equality of JSON values."""

PlainJson: TypeAlias = "bool | str | int | float | list[PlainJson] | dict[str, PlainJson] | None"
"""The same document with Python's own numbers, as `to_python` returns it."""

_NUMBER: Final = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_SUSPICIOUS_ESCAPE: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{}"'))
_SIMPLE_TEXT: Final = re.compile(rb'"[^"]*+"')
# Unmatched brackets are invalid JSON, and the reader says best where; it may see them while they are few.
_SAFE_UNMATCHED: Final = 100
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_QUOTED_CHARACTERS: Final = 100
_PATH_CHARACTERS: Final = 300


Place: TypeAlias = "tuple[Place, str | int] | None"
"""Where in a document: the containing place and a key or index; None is the document itself.

A chain and not a text, because a hostile document has millions of places and a message names a few.
"""


class JsonError(ValueError):
    """A document, or a number in one, that is refused.

    Attributes:
        message: one sentence that the sender can act on; quotes at most a key of the document, never a value.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True, eq=False)
class JsonNumber:
    """A JSON number as it was written, equal to every other way of writing the same value.

    It equals only another `JsonNumber`, never an int, a bool or a text, and compares in time bounded by the
    length of its text: ``1e999999999`` is never expanded.

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
        """Give the number as an int; ``1.0`` and ``1e2`` are whole numbers too.

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
        """Give an int where the text has neither point nor exponent, else a float that prints the same.

        Raises:
            JsonError: a float would be another value, or infinite.
        """
        if self.text.lstrip("-").isdigit():
            return int(self.text)
        value = float(self.text)
        if value in (float("inf"), float("-inf")) or JsonNumber(repr(value)) != self:
            raise JsonError(f"{quote(self.text)} is not exactly representable: send it as text.")
        return value

    def _canonical(self) -> tuple[str, str, int]:
        """Give (sign, digits without zeros at either end, exponent); equal exactly when the values are."""
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
    """Carries nothing: where the duplicate is costs a second pass, which only a refused document pays."""


class _Pairs(list[tuple[str, object]]):
    """An object's members as written, duplicates included."""


def _object_without_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DuplicateKeyError
    return members


def _refuse_constant(constant: str) -> NoReturn:
    raise JsonError(f"{constant} is not a JSON value.")


# A document of nothing but small numbers would else cost a hundred times what Python's reader spends on it.
_number: Final = lru_cache(maxsize=1024)(JsonNumber)

_READER: Final = json.JSONDecoder(
    object_pairs_hook=_object_without_duplicates,
    parse_float=_number,
    parse_int=_number,
    parse_constant=_refuse_constant,
)
_PAIRS_READER: Final = json.JSONDecoder(object_pairs_hook=_Pairs, parse_float=str, parse_int=str)


def parse_json(text: bytes | str, *, what: str = "request body") -> JsonValue:
    """Read one JSON document from outside (protocol §2, §3).

    Args:
        text: the document; bytes must be UTF-8 without a byte order mark.
        what: what the document is, for the message.

    Raises:
        JsonError: not UTF-8, not JSON, a key twice in one object, NaN or Infinity, a NUL character or a
            lone surrogate in a text or key, more than `MAX_DEPTH` levels, a number longer than
            `MAX_NUMBER_CHARACTERS`.
    """
    raw = text if isinstance(text, bytes) else _encode(text, what)
    decoded = _decode(raw, what)
    _guard_stack(raw, what)
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
    """Copy a document with Python's own numbers in it, for readers such as pydantic.

    Raises:
        JsonError: a number that no Python number represents exactly.
    """
    if isinstance(value, JsonNumber):
        return value.to_python()
    if isinstance(value, dict):
        return {key: to_python(member) for key, member in value.items()}
    if isinstance(value, list):
        return [to_python(member) for member in value]
    return value


def quote(text: str) -> str:
    """Quote a text for a message: escaped, so that it cannot break a log line, and cut to bounded length."""
    if len(text) > _QUOTED_CHARACTERS:
        text = text[: _QUOTED_CHARACTERS - 1] + "…"
    # Other alphabets stay readable: escaping is for what would not print.
    return json.dumps(text, ensure_ascii=not text.isprintable())


def describe_place(place: Place) -> str:
    """Spell out a place for a message, as in ``settlementAmounts.<connection>.BTC``, at bounded length."""
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


def _guard_stack(raw: bytes, what: str) -> None:
    """Refuse nesting that could exhaust the C stack; exact enough for that, `_check_depth` does the rest.

    The reader recurses in C, and some versions of Python allow it more levels than a thread's stack holds:
    the process would die of one request. So the nesting is found first, by operations on the whole text: only
    brackets and quotes are kept, texts are dropped, and matched pairs vanish from the inside.
    """
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    skeleton = raw.translate(None, _NOT_STRUCTURE).replace(b'""', b"")
    if b'"' in skeleton:
        # A text with brackets in it keeps its quotes; start over, as the pass above joined neighbours.
        skeleton = _SIMPLE_TEXT.sub(b"", raw).translate(None, _NOT_STRUCTURE)
    for _ in range(MAX_DEPTH):
        skeleton = skeleton.replace(b"[]", b"").replace(b"{}", b"")
        if len(skeleton) <= _SAFE_UNMATCHED:
            return
    raise _too_deep(what)


def _too_deep(what: str) -> JsonError:
    return JsonError(f"The {what} has more than {MAX_DEPTH} objects and lists inside one another.")


def _check_depth(value: JsonValue, what: str) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        # `type(…) is` and one comprehension a level: this sees every amount of the largest request.
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
    """Name a duplicate key and its object, of a document that is known to have one."""
    try:
        document = _PAIRS_READER.decode(text)
    except json.JSONDecodeError:
        # The first pass stopped at the duplicate, and what follows it is broken in another way.
        return "a key occurs twice in one object."
    for place, members in _containers(document):
        seen: set[str | int] = set()
        for name, _ in members:
            if name in seen:
                return f"the key {quote(str(name))} occurs twice in {describe_place(place)}."
            seen.add(name)
    raise AssertionError("the document has no duplicate key")


def _containers(document: object) -> Iterator[tuple[Place, list[tuple[str | int, object]]]]:
    """Yield each object and list of a document: its place, and (key or index, value) of its members.

    Iterative, as a document's depth may not have been checked yet.
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
