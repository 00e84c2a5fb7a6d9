"""The base of all request and response models: camelCase on the wire, strict, no unknown fields."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, ClassVar, Final, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from clearwindow.core.clock import EARLIEST_YEAR, LATEST_YEAR, parse_moment
from clearwindow.core.strict_json import JsonNumber

MAX_ID_LENGTH: Final = 255
MAX_NOTES_LENGTH: Final = 10_000

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_LENGTH)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NOTES_LENGTH)]


def _number(value: object) -> object:
    if not isinstance(value, JsonNumber):
        return value
    try:
        return Decimal(value.text)
    except InvalidOperation:
        raise ValueError("is a number with too many digits") from None


def _integer(value: object) -> object:
    return value.as_int() if isinstance(value, JsonNumber) else value


def _moment(value: object) -> datetime:
    moment = parse_moment(value) if isinstance(value, str) else None
    if moment is None:
        raise ValueError(
            "must be a date and time with its zone in RFC 3339, such as 2026-11-22T09:30:00.000Z,"
            f" in the years {EARLIEST_YEAR} to {LATEST_YEAR}"
        )
    return moment


def _not_null(value: object) -> object:
    if value is None:
        raise ValueError("must not be null: leave the field out")
    return value


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be white space only")
    return text


T = TypeVar("T")
Omittable: TypeAlias = Annotated[T | SkipJsonSchema[None], BeforeValidator(_not_null)]
"""A field that may be left out and must not be null, as in the wire contract. Its default is None."""

KeyText = Annotated[ShortText, AfterValidator(_not_blank)]
"""A caller's own id of what it asks for. Not white space only: people must be able to quote it (choice C124)."""

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


REPLAY_HEADER: Final = "Idempotent-Replayed"


WARNING_HEADER: Final = "Clearwindow-Warning"


def warning_headers(warnings: Sequence[str]) -> dict[str, str]:
    """Names what was accepted and may still be a mistake."""
    return {WARNING_HEADER: ", ".join(warnings)} if warnings else {}


def replay_headers(*, replayed: bool) -> dict[str, str]:
    """Returns the header that marks an answer as a repeat of an earlier one."""
    return {REPLAY_HEADER: "true"} if replayed else {}
