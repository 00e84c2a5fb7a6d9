"""Exports: a whole list as one stream of CSV or JSON lines, for those who may read the list. Protocol §2.

An export asks the list's own route for one page after another, each in a short transaction of its own, and sends
the rows of one before it reads the next. So it has the rights, the scope and the filters of the list, holds no
connection of the database while its reader is slow, and keeps one page in memory. Before each page the guard looks
again whether the caller may read.

A stream that cannot be read to its end is cut off without the last chunk of its HTTP body, so that every reader
knows. HTTP/1.0 has no chunks, and its callers get no exports.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import psycopg
import structlog
from fastapi import Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.types import Send

from clearwindow.api.request import is_head, request_id_of, signer_of
from clearwindow.api.tables import CSV_MEDIA_TYPE, JSON_LINES_MEDIA_TYPE, CsvLines, TableFormat, json_line
from clearwindow.core.errors import (
    InvalidRequestError,
    RequestError,
    TooManyRequestsError,
    UnavailableError,
)
from clearwindow.postgres.paging import Position

log = structlog.get_logger(__name__)

MEDIA_TYPES: Final[Mapping[TableFormat, str]] = {
    TableFormat.CSV: CSV_MEDIA_TYPE,
    TableFormat.JSON_LINES: JSON_LINES_MEDIA_TYPE,
}
_PARAMETERS: Final[Mapping[TableFormat, str]] = {
    TableFormat.CSV: "; charset=utf-8; header=present",
    TableFormat.JSON_LINES: "; charset=utf-8",
}
_FIRST_VERSION_WITH_CHUNKS: Final = "1.1"
_PATIENCE_SECONDS: Final = 30
_PAUSE_SECONDS: Final = 0.5
_ID: Final = "id"
"""The column with the key of an entry that stands in a map."""


@dataclass(frozen=True, slots=True)
class Part:
    """One page of an export as text. ``after``: where the next one begins; None if this is the last."""

    text: str
    after: Position | None


ReadPart = Callable[[Position | None], Awaitable[Part]]
"""Reads the page that begins after a place; the first one after None."""


def require_exportable(request: Request) -> None:
    """Refuses an export to those who could not see that it was cut off, or whose answer must be signed whole.

    Raises:
        InvalidRequestError: the request is of HTTP/1.0, or is signed with an HMAC.
    """
    if request.scope["http_version"] < _FIRST_VERSION_WITH_CHUNKS:
        raise InvalidRequestError(
            "export_not_chunked",
            "an export needs HTTP/1.1 or later, because HTTP/1.0 does not show that an answer was cut off: set the"
            " version in your client or proxy, or read the list page by page",
        )
    if signer_of(request) is not None:
        raise InvalidRequestError(
            "export_not_signed",
            "an export is sent while it is read, and no answer can be signed before its end: read the list page by"
            " page, or use a token of the kind bearer",
        )


class Writer:
    """Writes the pages of a list, which are answers of one model. The first list in that model is exported."""

    def __init__(self, answered: type[BaseModel], wanted: TableFormat, *, byte_order_mark: bool) -> None:
        """Begins an export.

        Args:
            answered: what the list answers with.
            wanted: the format.
            byte_order_mark: whether CSV begins with one.
        """
        self.format = wanted
        self._name, row = listed_in(answered)
        self._csv: CsvLines | None = None
        if wanted is TableFormat.CSV:
            ids = [_ID] if hasattr(answered, "LISTED") else []
            self._csv = CsvLines([*ids, *columns_of(row)], byte_order_mark=byte_order_mark)
        alias = answered.model_fields[self._name].alias or self._name
        self.file_name = f"{alias}.{wanted.value}"

    def head(self) -> str:
        return self._csv.head() if self._csv else ""

    def rows(self, answer: BaseModel) -> str:
        """Returns the lines of one page. As JSON lines, each row is as the list has it."""
        listed = getattr(answer, self._name)
        if isinstance(listed, dict):
            return "".join(self._row(entry, {_ID: key}) for key, entry in listed.items())
        return "".join(self._row(entry, {}) for entry in listed)

    def _row(self, entry: BaseModel, key: Mapping[str, object]) -> str:
        if self._csv is not None:
            return self._csv.line({**key, **row_of(entry)})
        text = entry.model_dump_json(by_alias=True, exclude_unset=True)
        return json_line(json.dumps({**key, **json.loads(text)}, ensure_ascii=False) if key else text)


async def exported(request: Request, read: ReadPart, writer: Writer) -> StreamingResponse:
    """Returns the answer that streams the list. The first page is read at once, so that its errors are answers."""
    first = await read(None)
    parts = _nothing() if is_head(request) else _texts(first, read, writer)
    return _Export(parts, writer, request)


def listed_in(answer: type[BaseModel]) -> tuple[str, type[BaseModel]]:
    """Returns the name of an answer's list, and the model of its entries.

    An answer with ``LISTED`` names a map instead, whose keys are the ids of its entries.

    Raises:
        LookupError: the answer has no list.
    """
    named: str | None = getattr(answer, "LISTED", None)
    for name, field in answer.model_fields.items():
        if name == named or (named is None and get_origin(field.annotation) is list):
            return name, get_args(field.annotation)[-1]
    raise LookupError(f"{answer.__name__} has no list")


def columns_of(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Returns the columns of a model's table: its fields by their names on the wire.

    The fields of a model within it are columns of their own, such as ``endpoint.url``. Lists and maps are one
    column each, which has JSON.
    """
    columns = []
    for name, field in model.model_fields.items():
        column = f"{prefix}{field.alias or name}"
        inner = _model_in(field.annotation)
        columns += [column] if inner is None else columns_of(inner, f"{column}.")
    return columns


def row_of(entry: BaseModel) -> dict[str, object]:
    """Returns the values of a model by the columns of ``columns_of``."""
    return dict(_values(type(entry), entry.model_dump(mode="json", by_alias=True, exclude_unset=True), ""))


def _values(model: type[BaseModel], document: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for name, field in model.model_fields.items():
        alias = field.alias or name
        value, inner = document.get(alias), _model_in(field.annotation)
        if inner is None:
            yield f"{prefix}{alias}", value
        elif value is not None:
            yield from _values(inner, value, f"{prefix}{alias}.")


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    """Returns the one model that a field has, if it has one and nothing else but None."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation, *others) = (part for part in get_args(annotation) if part is not type(None))
        if others:
            return None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


async def _texts(part: Part, read: ReadPart, writer: Writer) -> AsyncIterator[str]:
    yield writer.head()
    while True:
        yield part.text
        if part.after is None:
            return
        part = await _patiently(read, part.after)


async def _patiently(read: ReadPart, after: Position) -> Part:
    """Reads a page, again while the server is busy: a moment without a thread must not cut off a long export."""
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return await read(after)
        except (UnavailableError, TooManyRequestsError):
            if time.monotonic() > give_up_at:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)


async def _nothing() -> AsyncIterator[str]:
    yield ""


class _Export(StreamingResponse):
    """Sends the pages. If one cannot be read, the body has no end, and the server closes the connection."""

    def __init__(self, texts: AsyncIterator[str], writer: Writer, request: Request) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{writer.file_name}"', "Vary": "Accept"}
        super().__init__(texts, headers=headers)
        self.headers["Content-Type"] = MEDIA_TYPES[writer.format] + _PARAMETERS[writer.format]
        self._request = request

    async def stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for text in self.body_iterator:
                if text:
                    await send({"type": "http.response.body", "body": _encoded(text), "more_body": True})
        except (RequestError, psycopg.Error) as error:
            self._tell(error.name if isinstance(error, RequestError) else type(error).__name__)
            return
        except Exception as error:  # noqa: BLE001 - the answer has begun: there is nothing else to answer
            self._tell("defect", error)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _tell(self, reason: str, error: Exception | None = None) -> None:
        path, request_id = self._request.url.path, request_id_of(self._request)
        log.warning("export_cut_off", reason=reason, path=path, request_id=request_id, exc_info=error)


def _encoded(text: str | bytes | memoryview[int]) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)
