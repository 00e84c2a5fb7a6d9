"""A wrong field of a request is described in our words, not in those of the library."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from clearwindow.api.bodies import validate
from clearwindow.api.schema import RequestModel, ShortText
from clearwindow.core.errors import InvalidRequestError


class Example(RequestModel):
    amounts: Annotated[dict[str, str], Field(min_length=1, max_length=2)] = {"a": "1"}  # noqa: RUF012 - frozen
    names: Annotated[list[ShortText], Field(max_length=1)] = []  # noqa: RUF012 - frozen
    count: Annotated[int, Field(ge=1, le=9)] = 1
    flag: bool = False


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"amounts": {}}, "amounts: must have at least 1 entry"),
        ({"amounts": {"a": "1", "b": "2", "c": "3"}}, "amounts: must have at most 2 entries"),
        ({"amounts": []}, "amounts: must be a JSON object"),
        ({"names": ["a", "b"]}, "names: must have at most 1 entry"),
        ({"names": {}}, "names: must be a JSON array"),
        ({"names": ["a" * 300]}, "names.0: must have at most 255 characters"),
        ({"names": [""]}, "names.0: must not be empty"),
        ({"count": 0}, "count: must be at least 1"),
        ({"count": 10}, "count: must be at most 9"),
        ({"count": "1"}, "count: must be a whole number"),
        ({"flag": "yes"}, "flag: must be true or false"),
        ({"unknown": 1}, "unknown: is not a field of this request"),
    ],
)
def test_wrong_field_is_described_in_plain_words(given: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        validate(given, Example)
    assert refused.value.message == said
