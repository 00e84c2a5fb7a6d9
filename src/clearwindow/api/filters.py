"""List filters, from the query or from a JSON body on the GET, and paging. Protocol §2.

Arrays come as repeated keys, as comma-separated text or as JSON arrays; numbers as numbers or as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Self, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field, PrivateAttr, StringConstraints, model_validator
from starlette.datastructures import QueryParams

from clearwindow.api.bodies import parse_body, validate
from clearwindow.api.cursors import MAX_CURSOR_LENGTH, Asked
from clearwindow.api.schema import RequestModel, WireMoment
from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.ids import WireUuid
from clearwindow.core.strict_json import JsonNumber, parse_json
from clearwindow.postgres.paging import Slice
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


CursorText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CURSOR_LENGTH)]


class CursorPage(Page):
    """A page of a list that can also be read on from a place: ``cursor`` is from the last answer's ``Link``."""

    cursor: CursorText | None = None
    _asked: Asked | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _require_one_way(self) -> Self:
        if self.cursor is not None and "page_number" in self.model_fields_set:
            raise ValueError("must have either cursor or pageNumber, not both")
        return self

    def note(self, path: str, query: QueryParams) -> None:
        """Keeps what was asked for, to read the cursor and to make the next one."""
        filters = self.model_dump_json(exclude={"cursor", "page_number", "page_size"})
        self._asked = Asked(path, query.multi_items(), filters)

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
