"""List filters, from the query or from a JSON body on the GET, and paging. Protocol §2.

Arrays come as repeated keys, as comma-separated text or as JSON arrays; numbers as numbers or as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Self, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field, PrivateAttr, StringConstraints, model_validator
from starlette.datastructures import QueryParams

from clearwindow.api.bodies import parse_body, validate
from clearwindow.api.cursors import MAX_CURSOR_LENGTH, Asked
from clearwindow.api.schema import RequestModel, WireMoment
from clearwindow.api.tables import CSV_MEDIA_TYPE, JSON_LINES_MEDIA_TYPE, TableFormat
from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.ids import WireUuid
from clearwindow.core.strict_json import JsonNumber, parse_json
from clearwindow.postgres.paging import Position, Slice
from clearwindow.runtime import Limits

DEFAULT_PAGE_SIZE: Final = 100
MAX_FILTER_VALUES: Final = 1_000
_MAX_PAGE_NUMBER: Final = 10**9
TOTAL_COUNT_HEADER: Final = "X-Total-Count"
TOTAL_KIND_HEADER: Final = "Clearwindow-Total"
AT_LEAST: Final = "at-least"
LINK_HEADER: Final = "Link"


def _as_list(value: object) -> object:
    if isinstance(value, str):
        if value.startswith("["):
            return parse_json(value, what="filter")
        return [part.strip() for part in value.split(",")]
    return value


def _as_flag(value: object) -> object:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _as_count(value: object) -> object:
    text = value.text if isinstance(value, JsonNumber) else value
    if isinstance(text, str) and re.fullmatch(r"[0-9]{1,10}", text):
        return int(text)
    raise ValueError("must be a whole number, 0 or more")


T = TypeVar("T")
Many: TypeAlias = Annotated[list[T] | None, BeforeValidator(_as_list), Field(max_length=MAX_FILTER_VALUES)]
"""A filter with several values."""

ManyNeeded: TypeAlias = Annotated[list[T], BeforeValidator(_as_list), Field(max_length=MAX_FILTER_VALUES)]
"""The same, for a list that needs the filter."""

Uuids: TypeAlias = Many[WireUuid]
Texts: TypeAlias = Many[str]
Flag = Annotated[bool | None, BeforeValidator(_as_flag)]
Moment = WireMoment | None
Count = Annotated[int, BeforeValidator(_as_count)]


class Page(RequestModel):
    """Pages count from 0. A size above the limit of the settings counts as that limit."""

    page_number: Annotated[Count, Field(le=_MAX_PAGE_NUMBER)] = 0
    page_size: Annotated[Count, Field(ge=1)] = DEFAULT_PAGE_SIZE

    @property
    def limit(self) -> int:
        return self.page_size

    @property
    def offset(self) -> int:
        return self.page_number * self.limit


_NO_FILTERS: Final = {"cursor", "page_number", "page_size", "format", "bom"}
_QUALITY: Final = re.compile(r"[01](\.[0-9]{0,3})?")
CursorText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CURSOR_LENGTH)]


class AnswerFormat(StrEnum):
    JSON = "json"
    CSV = TableFormat.CSV.value
    JSON_LINES = TableFormat.JSON_LINES.value


_FORMATS: Final[Mapping[str, AnswerFormat]] = {
    "application/json": AnswerFormat.JSON,
    "application/*": AnswerFormat.JSON,
    "*/*": AnswerFormat.JSON,
    CSV_MEDIA_TYPE: AnswerFormat.CSV,
    JSON_LINES_MEDIA_TYPE: AnswerFormat.JSON_LINES,
}


class CursorPage(Page):
    """A page of a list that can also be read on from a place: ``cursor`` is from the last answer's ``Link``.

    ``format``: ``csv`` or ``jsonl`` for an export of the list from there to its end. Without it, the header
    ``Accept`` decides. ``bom``: an export as CSV begins with a byte order mark.
    """

    cursor: CursorText | None = None
    format: Annotated[AnswerFormat | None, Field(strict=False)] = None
    bom: Flag = None
    _asked: Asked | None = PrivateAttr(default=None)
    _names_page: bool = PrivateAttr(default=False)
    _export: TableFormat | None = PrivateAttr(default=None)
    _part: Slice | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _require_one_way(self) -> Self:
        if self.cursor is not None and "page_number" in self.model_fields_set:
            raise ValueError("must have either cursor or pageNumber, not both")
        self._names_page = bool(self.model_fields_set & {"page_number", "page_size"})
        return self

    def note(self, path: str, query: QueryParams, accept: str) -> None:
        """Keeps what was asked for, to read the cursor and to make the next one.

        Raises:
            InvalidRequestError: it asks for an export and for a page of the list, or for a mark without a table.
        """
        filters = self.model_dump_json(exclude=_NO_FILTERS)
        self._asked = Asked(path, query.multi_items(), filters)
        asked = preferred_format(accept) if self.format is None else self.format
        self._export = None if asked is AnswerFormat.JSON else TableFormat(asked.value)
        if self._export is not None and self._names_page:
            raise _request_invalid(
                "an export has all pages of the list: leave pageNumber and pageSize out, or ask for JSON"
            )
        if self.bom and self._export is not TableFormat.CSV:
            raise _request_invalid("bom: only CSV has a byte order mark: ask for format=csv, or leave it out")

    @property
    def export(self) -> TableFormat | None:
        """The format of an export; None if a page of the list is wanted."""
        return self._export

    def of_export(self, after: Position | None, limit: int) -> Self:
        """Returns these filters for ``limit`` rows after a place, or from where the caller wants to begin."""
        begin = self.slice.after if after is None else after
        part = self.model_copy()
        part._part = Slice(limit, after=begin, counted=False)  # noqa: SLF001 - its own
        return part

    @property
    def asked(self) -> Asked:
        if self._asked is None:
            raise LookupError("these filters came with no request")
        return self._asked

    @property
    def slice(self) -> Slice:
        """The part of the list.

        Raises:
            InvalidRequestError: the cursor is not one of this list with these filters.
        """
        if self._part is not None:
            return self._part
        if self.cursor is None:
            return Slice(self.limit, self.offset)
        return Slice(self.limit, after=self.asked.position(self.cursor))


class CreatedPage(CursorPage):
    """The same with a range of time: ``createdBefore`` is exclusive, ``createdOnOrAfter`` inclusive."""

    created_on_or_after: Moment = None
    created_before: Moment = None

    @model_validator(mode="after")
    def _require_a_range(self) -> Self:
        names = ("createdOnOrAfter", "createdBefore")
        require_range(self.created_on_or_after, self.created_before, names=names)
        return self


def preferred_format(accept: str) -> AnswerFormat:
    """Returns what the header ``Accept`` prefers. JSON, if it names no format that lists have."""
    best, best_quality = AnswerFormat.JSON, 0.0
    for each in accept.split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        quality = _quality(parameters)
        found = _FORMATS.get(name.lower())
        if found is not None and quality > best_quality:
            best, best_quality = found, quality
    return best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            return float(value) if _QUALITY.fullmatch(value.strip()) else 0
    return 1


def _request_invalid(message: str) -> InvalidRequestError:
    return InvalidRequestError("request_invalid", message)


def require_range(start: datetime | None, end: datetime | None, *, names: tuple[str, str]) -> None:
    """Refuses a range of time that ends before it begins."""
    if start is not None and end is not None and end < start:
        raise ValueError(f"{names[1]} must not be earlier than {names[0]}")


F = TypeVar("F", bound=Page)


def parse_filters(query: Mapping[str, object], raw: bytes, model: type[F], limits: Limits) -> F:
    """Returns the filters of a list. The query and the body may each carry some, but not the same one.

    Raises:
        InvalidRequestError: a filter is given twice, or is wrong.
    """
    given = dict(query)
    if raw:
        body = parse_body(raw, _AnyObject, limits.other_body)
        twice = sorted(set(given) & set(body.fields))
        if twice:
            raise InvalidRequestError("filter_twice", f"{twice[0]} is given in the query and in the body")
        given.update(body.fields)
    wanted = validate(given, model)
    return wanted.model_copy(update={"page_size": min(wanted.page_size, limits.page_size)})


def query_filters(parameters: QueryParams) -> dict[str, object]:
    """Returns the query's filters by name; the value of a repeated name is a list."""
    given: dict[str, object] = {}
    for name in parameters:
        values = parameters.getlist(name)
        if any("\0" in value for value in values):
            raise InvalidRequestError("filter_invalid", f"{name}: has a NUL character")
        given[name] = values if len(values) > 1 else values[0]
    return given


class _AnyObject(RequestModel):
    model_config = RequestModel.model_config | {"extra": "ignore"}
