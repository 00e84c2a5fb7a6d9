"""Objects that are validated in parts become what they would become at once, and their errors are few."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from clearwindow.api import parts
from clearwindow.api.bodies import parse_body
from clearwindow.core.errors import InvalidRequestError
from clearwindow.runtime import Limits
from clearwindow.settlements.schemas import StageSettlementRequest
from tests.support.memory import memory_limited

Text = Annotated[str, StringConstraints(pattern="^[a-z]$")]
STRICT: Final = ConfigDict(strict=True)
ADAPTERS: Final[dict[int, TypeAdapter[Any]]] = {
    2: TypeAdapter(Annotated[dict[Text, dict[Text, Text]], Field(min_length=1)], config=STRICT),
    3: TypeAdapter(Annotated[dict[Text, dict[Text, dict[Text, Text]]], Field(min_length=1)], config=STRICT),
}
names: Final = st.sampled_from("abcdefgh") | st.just("WRONG")


def objects(levels: int) -> st.SearchStrategy[object]:
    inside = objects(levels - 1) if levels else st.just("x")
    return st.dictionaries(names, inside | st.just("y"), max_size=8) if levels else inside


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(levels=st.sampled_from((2, 3)), data=st.data(), size=st.integers(min_value=2, max_value=9))
def test_parts_and_the_whole_are_validated_alike(levels: int, data: st.DataObject, size: int) -> None:
    document = data.draw(objects(levels))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART_ENTRIES", size)
        try:
            expected = ADAPTERS[levels].validate_python(document)
        except ValidationError as error:
            known = [(one["loc"], one["type"]) for one in error.errors()]
            with pytest.raises(ValidationError) as refused:
                parts.validated_in_parts(document, ADAPTERS[levels], levels=levels)
            found = [(one["loc"], one["type"]) for one in refused.value.errors()]
            assert found == known[: len(found)]
        else:
            assert parts.validated_in_parts(document, ADAPTERS[levels], levels=levels) == expected
            assert list(parts.validated_in_parts(document, ADAPTERS[levels], levels=levels)) == list(expected)


def settlement(**changes: object) -> bytes:
    fields = {
        "externalId": "x",
        "nonce": "n",
        "cutoffAt": "2026-01-01T00:00:00Z",
        "payload": "{}",
        "signature": "0",
    }
    return json.dumps(fields | changes).encode()


MANY: Final = 20_000
WRONG: Final = {
    "ids": settlement(settlementAmounts={f"i{number}": 0 for number in range(MANY)}),
    "amounts of one connection": settlement(settlementAmounts={"c": {f"{number}": 0 for number in range(MANY)}}),
    "amounts": settlement(
        settlementAmounts={f"00000000-0000-4000-8000-{number:012}": {"BTC": "x"} for number in range(MANY)}
    ),
    "nested amounts": settlement(
        settlementAmounts={f"{source}": {f"{to}": {"": 0} for to in range(100)} for source in range(MANY // 100)}
    ),
    "unknown fields": settlement(**{f"f{number}": 0 for number in range(4 * MANY)}),
}


@pytest.mark.parametrize("what", WRONG)
def test_many_wrong_entries_cost_few_errors(what: str) -> None:
    with memory_limited(24_000_000), pytest.raises(InvalidRequestError) as refused:
        parse_body(WRONG[what], StageSettlementRequest, Limits().settlement_body)
    assert refused.value.name == "request_invalid"
    assert refused.value.details is not None
    problems = refused.value.details["problems"]
    assert isinstance(problems, list)
    assert len(problems) == 20
    if what == "unknown fields":
        # All of them, and the amounts that are missing.
        assert refused.value.details["problemCount"] == 4 * MANY + 1
