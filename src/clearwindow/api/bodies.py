"""A request's body: size limit, strict JSON, validation, and errors that name the wrong entry."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect, Request

from clearwindow.api.capacity import body_arriving, hold_large_body
from clearwindow.core.errors import InvalidRequestError, TooLargeError, TooSlowError, UnsupportedMediaError
from clearwindow.core.field_errors import field_problem
from clearwindow.core.json_structure import TooDeepError, TooManyEntriesError, check_structure
from clearwindow.core.strict_json import MAX_DEPTH, JsonError, JsonValue, parse_json
from clearwindow.core.text import quoted
from clearwindow.runtime import BodyLimits

M = TypeVar("M", bound=BaseModel)

LARGE_BODY_BYTES: Final = 256 * 1024
"""A larger body needs a place, and is parsed in a thread for large bodies."""

_ERRORS_NAMED: Final = 20
_PLAIN_ENCODING: Final = "identity"
_LENGTH_DIGITS: Final = 19


@dataclass(frozen=True, slots=True)
class Body(Generic[M]):
    """A request's body as the validated model, and as the JSON fields that are compared with a payload."""

    model: M
    fields: Mapping[str, JsonValue]
    size: int
    """In bytes, as it arrived."""


async def read_bytes(request: Request, limit_bytes: int, limit_seconds: float) -> bytes:
    """Reads the whole body. If its declared length is over the limit, nothing is read.

    A large body is read when the server has a place for it, which it keeps until the request ends.

    Raises:
        UnavailableError, TooManyRequestsError: there was no such place in time.
        TooLargeError: it has more bytes than the limit.
        TooSlowError: it did not arrive in time.
        UnsupportedMediaError: it is compressed.
        InvalidRequestError: the caller closed the connection before its end.
    """
    encoding = request.headers.get("content-encoding", _PLAIN_ENCODING).strip().lower()
    if encoding not in {"", _PLAIN_ENCODING}:
        raise UnsupportedMediaError(
            "content_encoding_unsupported",
            f"Content-Encoding: {quoted(encoding)} is not read here: send the body as plain JSON",
        )
    size = declared_size(request.headers.get("content-length", ""))
    body = bytearray()
    if size <= limit_bytes:
        try:
            async with asyncio.timeout(limit_seconds):
                with body_arriving():
                    body, size = await _received(request, size, limit_bytes)
        except TimeoutError:
            raise TooSlowError(
                "body_too_slow",
                f"the request body did not arrive within {limit_seconds:g} seconds: send it again",
                {"limitSeconds": limit_seconds},
            ) from None
        except ClientDisconnect:
            raise InvalidRequestError("body_incomplete", "the connection closed before the body ended") from None
    if size > limit_bytes:
        raise TooLargeError(
            "body_too_large",
            f"the request body is larger than {limit_bytes} bytes: split it into smaller requests",
            {"limitBytes": limit_bytes},
        )
    return bytes(body)


def declared_size(content_length: str) -> int:
    """Returns how many bytes a body will have, by its header; 0 if that is not known."""
    known = content_length.isascii() and content_length.isdigit() and len(content_length) <= _LENGTH_DIGITS
    return int(content_length) if known else 0


async def _received(request: Request, size: int, limit_bytes: int) -> tuple[bytearray, int]:
    """Returns the body, or its beginning if it is too large, and the number of bytes that were seen."""
    # One buffer, and no list of chunks: a chunk may be a single byte.
    body = bytearray()
    if size > LARGE_BODY_BYTES:
        await hold_large_body()
    async for chunk in request.stream():
        size = len(body) + len(chunk)
        if size > limit_bytes:
            break
        if size > LARGE_BODY_BYTES:
            await hold_large_body()
        body += chunk
    return body, size


def parse_body(raw: bytes, model: type[M], limits: BodyLimits) -> Body[M]:
    """Returns the body as the model.

    Raises:
        InvalidRequestError: not strict JSON, not an object, too many entries, or not of the model's shape.
        TooLargeError: its ``payload`` has more bytes than the limit.
    """
    try:
        document = parse_json(raw, max_entries=limits.entries)
    except TooManyEntriesError:
        raise _too_many_entries("request body", limits) from None
    except JsonError as error:
        raise InvalidRequestError("body_not_json", str(error)) from None
    if not isinstance(document, dict):
        raise InvalidRequestError("body_not_object", "the request body must be a JSON object")
    _require_few_entries(document, limits)
    if "payload" in model.model_fields:
        _require_bounded_payload(document.get("payload"), limits)
    return Body(validate(document, model), document, len(raw))


def _require_few_entries(document: dict[str, JsonValue], limits: BodyLimits) -> None:
    """Counts exactly. `parse_json` lets at most twice the limit pass."""
    level: list[dict[str, JsonValue] | list[JsonValue]] = [document]
    count = 0
    while level:
        count += sum(map(len, level))
        if count > limits.entries:
            raise _too_many_entries("request body", limits)
        level = [
            member
            for container in level
            for member in (container.values() if isinstance(container, dict) else container)
            if isinstance(member, dict | list)
        ]


def _require_bounded_payload(payload: JsonValue, limits: BodyLimits) -> None:
    """Runs before the payload is read as JSON of its own, which its levels cannot break and its entries can."""
    if not isinstance(payload, str):
        return
    raw = payload.encode()
    if len(raw) > limits.payload_size:
        raise TooLargeError(
            "payload_too_large",
            f"the payload is larger than {limits.payload_size} bytes",
            {"limitBytes": limits.payload_size},
        )
    try:
        check_structure(raw, max_depth=MAX_DEPTH, max_entries=limits.entries)
    except TooManyEntriesError:
        raise _too_many_entries("payload", limits) from None
    except TooDeepError:
        # Told by whoever reads it, in the words of a payload.
        return


def _too_many_entries(what: str, limits: BodyLimits) -> InvalidRequestError:
    return InvalidRequestError(
        "too_many_entries",
        f"the {what} has more than {limits.entries} entries: split it into smaller requests",
        {"limitEntries": limits.entries},
    )


def validate(document: Mapping[str, object], model: type[M]) -> M:
    """Returns the model of a JSON object. The error names the first wrong entries."""
    given, left_out = _with_few_unknown(document, model)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False)
        count = len(found) + left_out
        problems = [{"entry": entry_path(item["loc"]), "problem": _problem(item)} for item in found[:_ERRORS_NAMED]]
        first = problems[0]
        more = f" (and {count - 1} more)" if count > 1 else ""
        raise InvalidRequestError(
            "request_invalid",
            f"{first['entry']}: {first['problem']}{more}",
            {"problems": problems, "problemCount": count},
        ) from None


def _with_few_unknown(document: Mapping[str, object], model: type[M]) -> tuple[Mapping[str, object], int]:
    """Returns the document with the first of its unknown fields, and the number of the others.

    Each unknown field costs an error of a thousand bytes, and 20 are named.
    """
    known = {field.alias or name for name, field in model.model_fields.items()}
    unknown = [name for name in document if name not in known]
    if model.model_config.get("extra") != "forbid" or len(unknown) <= _ERRORS_NAMED:
        return document, 0
    dropped = set(unknown[_ERRORS_NAMED:])
    return {name: value for name, value in document.items() if name not in dropped}, len(dropped)


def entry_path(location: tuple[int | str, ...]) -> str:
    return ".".join(quoted(part) for part in location) or "body"


def _problem(error: ErrorDetails) -> str:
    problem = field_problem(error, unknown_field="is not a field of this request")
    if error["type"] == "string_pattern_mismatch":
        return f"{quoted(repr(error['input']))} {problem}"
    return problem
