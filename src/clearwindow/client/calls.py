"""One call as data: what is sent, whether it may be sent twice, and how its answer is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError

from clearwindow.client.answers.base import Meta, Value
from clearwindow.client.errors import UnexpectedAnswerError

T = TypeVar("T")
V = TypeVar("V", bound=Value)

TOTAL_COUNT_HEADER: Final = "X-Total-Count"
REPLAY_HEADER: Final = "Idempotent-Replayed"
REQUEST_ID_HEADER: Final = "X-Request-Id"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, with its body as parsed JSON; None where it has none."""

    status: int
    body: Any
    meta: Meta


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request byte for byte, so that it can be sent again.

    Attributes:
        path: from the server's root.
        read: makes the answer's value; raises `ValidationError` or `KeyError` where it cannot.
        repeatable: the server carries it out once however often it comes: it reads, or has a key of its own.
        patience_seconds: how long to wait for an answer that takes its time, where the options say less.
    """

    method: str
    path: str
    read: Callable[[Answer], T]
    query: Sequence[tuple[str, str]] = ()
    content: bytes | None = None
    repeatable: bool = False
    patience_seconds: float = 0


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list.

    Attributes:
        total: how many entries there are on all pages, where the server says so.
    """

    items: tuple[T, ...]
    page_number: int
    total: int | None


def json_body(fields: Mapping[str, object]) -> bytes:
    """An unsigned body."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def parse_body(raw: bytes) -> Any:  # noqa: ANN401 - any JSON document
    """Reads an answer; numbers keep all their digits.

    Raises:
        ValueError: not JSON.
    """
    try:
        return json.loads(raw, parse_float=Decimal)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_answer(call: Call[T], answer: Answer) -> T:
    """The call's own reading of its answer.

    Raises:
        UnexpectedAnswerError: the answer has not the form that it must have.
    """
    try:
        return call.read(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = f"{place}: {first['msg']}" if place else str(first["msg"])
    except (KeyError, TypeError):
        reason = "a part of it is missing"
    raise UnexpectedAnswerError(
        f"{call.method} {call.path} was answered {answer.status} in another form than expected: {reason}",
        status=answer.status,
        request_id=answer.meta.request_id,
    )


def value_of(model: type[V], name: str | None = None) -> Callable[[Answer], V]:
    """Reads the answer, or the part of it under ``name``, as one value."""

    def read(answer: Answer) -> V:
        return model.read(answer.body if name is None else answer.body[name], answer.meta)

    return read


def page_of(model: type[V], name: str, page_number: int) -> Callable[[Answer], Page[V]]:
    """Reads a page of a list."""

    def read(answer: Answer) -> Page[V]:
        items = tuple(model.model_validate(entry) for entry in answer.body[name])
        return Page(items, page_number, answer.meta.total)

    return read


def text_of(name: str) -> Callable[[Answer], str]:
    """Reads one text."""

    def read(answer: Answer) -> str:
        return str(answer.body[name])

    return read


def number_of(name: str) -> Callable[[Answer], int]:
    """Reads one whole number."""

    def read(answer: Answer) -> int:
        number = answer.body[name]
        if not isinstance(number, int):
            raise TypeError(f"{name} must be a whole number")
        return number

    return read


def values_of(model: type[V], name: str) -> Callable[[Answer], tuple[V, ...]]:
    """Reads a list that has no pages."""

    def read(answer: Answer) -> tuple[V, ...]:
        return tuple(model.read(entry, answer.meta) for entry in answer.body[name])

    return read


def nothing(_answer: Answer) -> None:
    """Reads an answer that says only that it was done."""
