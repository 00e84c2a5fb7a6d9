"""The words for a wrong field are ours for every kind of field that requests, settings and files have."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from clearwindow.core.field_errors import field_problem


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class Token(BaseModel):
    form: Literal["token"] = Field(alias="schema")


class Pair(BaseModel):
    form: Literal["pair"] = Field(alias="schema")


@dataclass(config=ConfigDict(extra="forbid"))
class Point:
    x: int


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    amount: Decimal | None = None
    side: Side = Side.BUY
    key: Annotated[Token | Pair, Field(discriminator="form")] | None = None


@pytest.mark.parametrize(
    ("form", "value", "problem"),
    [
        (int, "many", "must be a whole number"),
        (int, 1.5, "must be a whole number"),
        (int, "9" * 5000, "has too many digits"),
        (float, "many", "must be a number"),
        (Annotated[float, Field(allow_inf_nan=False)], "inf", "must be a finite number"),
        (Decimal, "many", "must be a number"),
        (Decimal, [], "must be a number"),
        (bool, "maybe", "must be true or false"),
        (bool, [], "must be true or false"),
        (Annotated[float, Field(gt=0)], 0, "must be more than 0"),
        (Annotated[int, Field(ge=5)], 4, "must be at least 5"),
        (Annotated[int, Field(lt=5)], 5, "must be less than 5"),
        (Annotated[int, Field(le=5)], 6, "must be at most 5"),
        (Annotated[Decimal, Field(decimal_places=2)], "0.001", "must have at most 2 decimal places"),
        (Annotated[str, Field(min_length=1)], "", "must not be empty"),
        (Annotated[str, Field(min_length=2)], "a", "must have at least 2 characters"),
        (Annotated[str, Field(max_length=1)], "aa", "must have at most 1 character"),
        (Annotated[SecretStr, Field(min_length=16)], "a", "must have at least 16 characters"),
        (Annotated[str, Field(pattern="^a$")], "b", "must match ^a$"),
        (Annotated[dict[str, str], Field(min_length=1)], {}, "must have at least 1 entry"),
        (Annotated[list[str], Field(max_length=2)], ["a", "b", "c"], "must have at most 2 entries"),
        (tuple[str, ...], "a", "must be a JSON array"),
        (Literal["a", "b"], "c", "must be 'a' or 'b'"),
        (Side, "hold", "must be 'buy' or 'sell'"),
        (Point, 1, "must be a JSON object"),
        (Point, {"x": 1, "y": 2}, "is not known"),
        (Point, {}, "is required"),
        (Strict, 1, "must be a JSON object"),
        (Strict, {"else": 1}, "is not known"),
        (Strict, {"amount": "1"}, "must be a number"),
        (Strict, {"key": {}}, "needs the field schema"),
        (Strict, {"key": {"schema": "x"}}, "schema must be one of 'token', 'pair'"),
    ],
)
def test_wrong_field_is_described_in_plain_words(form: type, value: object, problem: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(form).validate_python(value)
    (error,) = refused.value.errors(include_url=False, include_input=False)
    assert field_problem(error, unknown_field="is not known") == problem


def test_text_that_is_not_json_is_described_with_its_place() -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Strict).validate_json("{")
    (error,) = refused.value.errors(include_url=False)
    said = field_problem(error, unknown_field="")
    assert said == "is not valid JSON (EOF while parsing an object at line 1 column 1)"
