"""Reading a request's body: bounded, strict JSON, validated, with errors that name the entry."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from clearwindow.errors import InvalidRequestError, TooLargeError, TooSlowError
from clearwindow.runtime import Limits, Runtime
from clearwindow.strict_json import JsonError, JsonValue, parse_json

M = TypeVar("M", bound=BaseModel)

_ERRORS_NAMED: Final = 20
_LENGTH_DIGITS: Final = 19
_QUOTED_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True)
class Body(Generic[M]):
    """A request's body twice: as the validated model, and as the JSON it was, for the match with a payload."""

    model: M
    fields: Mapping[str, JsonValue]


async def read_body(request: Request, model: type[M], *, optional: bool = False) -> Body[M]:
    """Reads and validates the body; an absent one counts as ``{}`` where it is ``optional``.

    Raises:
        TooLargeError: more bytes than the limit.
        TooSlowError: it did not arrive in time.
        InvalidRequestError: not strict JSON, not an object, too many entries, or not of the model's shape.
    """
    runtime: Runtime = request.app.state.runtime
    raw = await read_bytes(request, runtime.limits)
    if not raw and optional:
        raw = b"{}"
    return await run_in_threadpool(parse_body, raw, model, runtime.limits.body_entries)


async def read_bytes(request: Request, limits: Limits) -> bytes:
    limit_bytes = limits.body_bytes
    declared = request.headers.get("content-length", "")
    chunks: list[bytes] = []
    size = int(declared) if declared.isascii() and declared.isdigit() and len(declared) <= _LENGTH_DIGITS else 0
    if size <= limit_bytes:
        size = 0
        try:
            async with asyncio.timeout(limits.body_seconds):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > limit_bytes:
                        break
                    chunks.append(chunk)
        except TimeoutError:
            raise TooSlowError(
                "body_too_slow",
                f"the request body did not arrive within {limits.body_seconds:g} seconds: send it again",
                {"limitSeconds": limits.body_seconds},
            ) from None
        except ClientDisconnect:
            raise InvalidRequestError("body_incomplete", "the connection closed before the body ended") from None
    if size > limit_bytes:
        raise TooLargeError(
            "body_too_large",
            f"the request body is larger than {limit_bytes} bytes: split it into smaller requests",
            {"limitBytes": limit_bytes},
        )
    return b"".join(chunks)


def parse_body(raw: bytes, model: type[M], limit_entries: int) -> Body[M]:
    try:
        document = parse_json(raw)
    except JsonError as error:
        raise InvalidRequestError("body_not_json", str(error)) from None
    if not isinstance(document, dict):
        raise InvalidRequestError("body_not_object", "the request body must be a JSON object")
    _require_few_entries(document, limit_entries)
    return Body(validate(document, model), document)


def _require_few_entries(document: dict[str, JsonValue], limit: int) -> None:
    """Before validation, which makes an error of a thousand bytes for every entry that is wrong."""
    level: list[dict[str, JsonValue] | list[JsonValue]] = [document]
    count = 0
    while level:
        count += sum(map(len, level))
        if count > limit:
            raise InvalidRequestError(
                "too_many_entries",
                f"the request body has more than {limit} entries: split it into smaller requests",
                {"limitEntries": limit},
            )
        level = [
            member
            for container in level
            for member in (container.values() if isinstance(container, dict) else container)
            if isinstance(member, dict | list)
        ]


def validate(document: Mapping[str, object], model: type[M]) -> M:
    """The model of a JSON object; the error names the first entries that are wrong."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        problems = [
            {"entry": entry_path(item["loc"]), "problem": _problem(item["type"], item["msg"], item["input"])}
            for item in found[:_ERRORS_NAMED]
        ]
        first = problems[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise InvalidRequestError(
            "request_invalid",
            f"{first['entry']}: {first['problem']}{more}",
            {"problems": problems, "problemCount": len(found)},
        ) from None


def entry_path(location: tuple[int | str, ...]) -> str:
    return ".".join(quoted(part) for part in location) or "body"


def quoted(value: object) -> str:
    """A value short enough for a sentence."""
    text = str(value)
    return text if len(text) <= _QUOTED_CHARACTERS else f"{text[:_QUOTED_CHARACTERS]}… ({len(text)} characters)"


_PLAIN: Final = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request",
    "string_type": "must be a text",
    "string_too_short": "must not be empty",
}


def _problem(kind: str, message: str, value: object) -> str:
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "string_pattern_mismatch":
        return f"{quoted(repr(value))} is not in the form that is expected here ({message})"
    return message.removeprefix("Value error, ")
