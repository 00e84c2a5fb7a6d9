"""Reads the forms of pages: fields, and files that are read in the request and never kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from clearwindow.api.bodies import LARGE_BODY_BYTES, read_bytes
from clearwindow.api.capacity import in_thread
from clearwindow.api.request import runtime_of
from clearwindow.core.errors import InvalidRequestError, UnsupportedMediaError
from clearwindow.core.work import Work

SMALL_BYTES: Final = 64 * 1024
FILE_BYTES: Final = 2 * 1024 * 1024
"""A form with a file: some ten thousand lines."""

_URL_ENCODED: Final = b"application/x-www-form-urlencoded"
_MULTIPART: Final = b"multipart/form-data"
_MOST_FIELDS: Final = 200
_LONGEST_BOUNDARY: Final = 256
_SMALL_BODY_BYTES: Final = 8 * 1024


@dataclass(frozen=True, slots=True)
class Form:
    """What a form sent. ``files``: the content of each field with a file that was chosen."""

    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


async def read_form(request: Request, limit_bytes: int = SMALL_BYTES) -> Form:
    """Reads a form. The last field of a name counts.

    Raises:
        UnsupportedMediaError: the body is no form.
        InvalidRequestError: it has too many fields, cannot be read, or is no UTF-8.
        TooLargeError, TooSlowError: it is larger than the form can be, or did not arrive in time.
    """
    media_type, options = parse_options_header(request.headers.get("content-type", ""))
    if media_type not in (_URL_ENCODED, _MULTIPART):
        raise UnsupportedMediaError(
            "form_unreadable",
            f"the body must be a form, as {_URL_ENCODED.decode()} or {_MULTIPART.decode()}",
        )
    raw = await read_bytes(request, limit_bytes, runtime_of(request).limits.body_seconds)
    read: Callable[[], Form] = (
        partial(_multipart, raw, options.get(b"boundary", b""))
        if media_type == _MULTIPART
        else partial(_url_encoded, raw)
    )
    if len(raw) <= _SMALL_BODY_BYTES:
        return read()
    return await in_thread(Work.LARGE_BODY if len(raw) > LARGE_BODY_BYTES else Work.ORDINARY, read)


def text_of(content: bytes, what: str) -> str:
    """Returns the text of a file.

    Raises:
        InvalidRequestError: it is no text in UTF-8, or in UTF-16 with its mark.
    """
    try:
        text = content.decode("utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidRequestError("form_unreadable", f"{what}: is not UTF-8: save the file as UTF-8") from None
    if "\0" in text:
        raise InvalidRequestError("form_unreadable", f"{what}: is not a text file")
    return text


def _url_encoded(raw: bytes) -> Form:
    try:
        fields = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise _unreadable("has too many fields, or text that is no UTF-8") from None
    return Form({name: _line_ends(value) for name, value in fields})


@dataclass(slots=True)
class _Part:
    name: str | None = None
    is_file: bool = False
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    content: bytearray = field(default_factory=bytearray)


class _Parts:
    """Collects the parts of a form that is read from beginning to end."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        self.complete = False
        self._count = 0
        self._part = _Part()

    def callbacks(self) -> Any:  # noqa: ANN401 - a dictionary of the library's own type
        return {
            "on_part_begin": self._begin,
            "on_header_begin": self._begin_header,
            "on_header_field": lambda data, start, end: self._part.header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._part.value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self._part.content.extend(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._count += 1
        if self._count > _MOST_FIELDS:
            raise _unreadable("has too many fields")
        self._part = _Part()

    def _begin_header(self) -> None:
        self._part.header.clear()
        self._part.value.clear()

    def _end_header(self) -> None:
        if self._part.header.lower() == b"content-disposition":
            _, options = parse_options_header(self._part.value.decode("latin-1"))
            name = options.get(b"name")
            self._part.name = None if name is None else _decoded(name)
            self._part.is_file = b"filename" in options

    def _end(self) -> None:
        part = self._part
        if part.name is None:
            raise _unreadable("has a part without a name")
        if not part.is_file:
            self.fields[part.name] = _line_ends(_decoded(bytes(part.content)))
        elif part.content:
            self.files[part.name] = bytes(part.content)

    def _finish(self) -> None:
        self.complete = True


def _multipart(raw: bytes, boundary: bytes) -> Form:
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise _unreadable("does not say where its parts end")
    parts = _Parts()
    parser = MultipartParser(boundary, parts.callbacks())
    try:
        parser.write(raw)
        parser.finalize()
    except FormParserError:
        raise _unreadable("cannot be read as multipart/form-data") from None
    if not parts.complete:
        raise _unreadable("has no end")
    return Form(parts.fields, parts.files)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _unreadable("has text that is no UTF-8") from None


def _line_ends(value: str) -> str:
    if "\0" in value:
        raise _unreadable("has a NUL character")
    # Browsers end lines of a text field with a carriage return.
    return value.replace("\r\n", "\n")


def _unreadable(why: str) -> InvalidRequestError:
    return InvalidRequestError("form_unreadable", f"the form {why}")
