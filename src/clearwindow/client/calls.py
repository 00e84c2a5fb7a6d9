"""One call as data: what is sent, whether it may be sent again, and how its answer is read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qs

from pydantic import ValidationError

from clearwindow.client.answers.base import Meta, Value
from clearwindow.client.errors import UnexpectedAnswerError
from clearwindow.core.field_errors import field_problem

T = TypeVar("T")
V = TypeVar("V", bound=Value)

TOTAL_COUNT_HEADER: Final = "X-Total-Count"
TOTAL_KIND_HEADER: Final = "Clearwindow-Total"
LINK_HEADER: Final = "Link"
REPLAY_HEADER: Final = "Idempotent-Replayed"
WARNING_HEADER: Final = "Clearwindow-Warning"
REQUEST_ID_HEADER: Final = "X-Request-Id"
CODE_HEADER: Final = "Clearwindow-Code"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. The body is parsed JSON, or None if there is no body."""

    status: int
    body: Any
    meta: Meta


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request byte for byte, so that it can be sent again.

    Attributes:
        path: from the server's root.
        read: makes the value from the answer; raises `ValidationError` or `KeyError` if the form is wrong.
        repeatable: whether the server carries it out only once if it is sent again, because it only reads or has
            a key of its own.
        min_timeout_seconds: how long to wait for a slow answer, even if the options say less.
        headers: beside those that every call has.
    """

    method: str
    path: str
    read: Callable[[Answer], T]
    query: Sequence[tuple[str, str]] = ()
    content: bytes | None = None
    repeatable: bool = False
    min_timeout_seconds: float = 0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list.

    Attributes:
        page_number: its number; None if it was read by a cursor.
        total: the number of entries on all pages, if the server says it.
        total_is_exact: whether the list has no more entries than ``total``; long lists are not counted whole.
        next_cursor: where the next page begins, if the list has cursors; None on its last page.
    """

    items: tuple[T, ...]
    page_number: int | None
    total: int | None
    total_is_exact: bool = True
    next_cursor: str | None = None


_NEXT: Final = re.compile(r"<([^<>]*)>; *rel=\"?next\"?")


def next_cursor_of(link: str) -> str | None:
    """Returns the cursor of the next page from a ``Link`` header; None if it names no next page."""
    found = _NEXT.search(link)
    cursors = parse_qs(found[1].partition("?")[2]).get("cursor") if found else None
    return cursors[0] if cursors else None


def json_body(fields: Mapping[str, object]) -> bytes:
    """Returns an unsigned body."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def code_header(code: str | None) -> dict[str, str]:
    """Returns the header with a code of an operator's second factor.

    Raises:
        ValueError: no header can have this text.
    """
    if code is None:
        return {}
    if not code.isascii() or not code.isprintable():
        raise ValueError("code must be printable ASCII characters")
    return {CODE_HEADER: code.strip()}


def parse_body(raw: bytes) -> Any:  # noqa: ANN401 - any JSON document
    """Parses an answer; numbers keep all their digits.

    Raises:
        ValueError: the answer is not JSON.
    """
    try:
        return json.loads(raw, parse_float=Decimal)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_answer(call: Call[T], answer: Answer) -> T:
    """Reads the answer as the call expects it.

    Raises:
        UnexpectedAnswerError: the answer has another form.
    """
    try:
        return call.read(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the answer"
        reason = f"{place} {field_problem(first, unknown_field='is unknown')}"
    except (KeyError, TypeError):
        reason = "a field is missing or has the wrong type"
    raise UnexpectedAnswerError(
        f"{call.method} {call.path}: the answer {answer.status} has an unexpected form: {reason}",
        status=answer.status,
        request_id=answer.meta.request_id,
    )


def value_of(model: type[V], name: str | None = None) -> Callable[[Answer], V]:
    """Returns a reader of one value: the answer, or its field ``name``."""

    def read(answer: Answer) -> V:
        return model.read(answer.body if name is None else answer.body[name], answer.meta)

    return read


def page_of(model: type[V], name: str, page_number: int | None) -> Callable[[Answer], Page[V]]:
    """Returns a reader of one page of a list."""

    def read(answer: Answer) -> Page[V]:
        items = tuple(model.model_validate(entry) for entry in answer.body[name])
        meta = answer.meta
        return Page(items, page_number, meta.total, meta.total_is_exact, meta.next_cursor)

    return read


def text_of(name: str) -> Callable[[Answer], str]:
    """Returns a reader of one text."""

    def read(answer: Answer) -> str:
        return str(answer.body[name])

    return read


def number_of(name: str) -> Callable[[Answer], int]:
    """Returns a reader of one whole number."""

    def read(answer: Answer) -> int:
        number = answer.body[name]
        if not isinstance(number, int):
            raise TypeError(f"{name} must be a whole number")
        return number

    return read


def values_of(model: type[V], name: str) -> Callable[[Answer], tuple[V, ...]]:
    """Returns a reader of a list without pages."""

    def read(answer: Answer) -> tuple[V, ...]:
        return tuple(model.read(entry, answer.meta) for entry in answer.body[name])

    return read


def nothing(_answer: Answer) -> None:
    """Reads an answer without content."""
