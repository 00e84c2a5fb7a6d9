"""The base of every request and response model: camelCase on the wire, strict, nothing unknown accepted."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, ClassVar, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel
from starlette.responses import Response

from clearwindow.strict_json import JsonNumber

MAX_ID_LENGTH: Final = 255
MAX_NOTES_LENGTH: Final = 10_000
_EARLIEST_YEAR: Final = 1970
_LATEST_YEAR: Final = 9998

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_LENGTH)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NOTES_LENGTH)]


def _number(value: object) -> object:
    if not isinstance(value, JsonNumber):
        return value
    try:
        return Decimal(value.text)
    except InvalidOperation:
        raise ValueError("is too large or too fine a number") from None


def _integer(value: object) -> object:
    return value.as_int() if isinstance(value, JsonNumber) else value


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("must be a date and time in ISO 8601, such as 2026-11-22T09:30:00.000Z")  # noqa: TRY004
    moment = _parsed(value)
    if moment is None or moment.tzinfo is None or not _EARLIEST_YEAR <= moment.year <= _LATEST_YEAR:
        raise ValueError("must be a date and time with its zone in ISO 8601, such as 2026-11-22T09:30:00.000Z")
    return moment.astimezone(UTC)


def _parsed(text: str) -> datetime | None:
    # fromisoformat also takes week dates, dates without hyphens and a date without time.
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T", text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


WireNumber = Annotated[Decimal, BeforeValidator(_number)]
WireInteger = Annotated[int, BeforeValidator(_integer)]
WireMoment = Annotated[datetime, BeforeValidator(_moment)]


class WireModel(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
    )


class RequestModel(WireModel):
    """What a caller sends. Wrong types are refused, never converted."""

    model_config: ClassVar[ConfigDict] = ConfigDict(strict=True, validate_by_name=False)


def present(**fields: object) -> dict[str, object]:
    """The fields that have a value: the wire leaves an optional field out rather than sending null."""
    return {name: value for name, value in fields.items() if value is not None}


def json_response(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The model as JSON, without the fields that were never set."""
    return Response(
        model.model_dump_json(by_alias=True, exclude_unset=True),
        status_code=status,
        media_type="application/json",
        headers=headers,
    )


REPLAY_HEADER: Final = "Idempotent-Replayed"


def replay_headers(*, replayed: bool) -> dict[str, str]:
    """Marks an answer that repeats an earlier one."""
    return {REPLAY_HEADER: "true"} if replayed else {}
