import copy
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clearwindow.core.strict_json import JsonError, JsonNumber, JsonValue, Place, describe_place, parse_json
from clearwindow.signing import payload
from clearwindow.signing.payload import MAX_DIFFERENCES, PayloadMismatchError, match_payload, payload_text
from tests.signing.samples import TEXTS, json_objects, json_values

CONNECTION = "3f2b1c1e-0d6a-4c0e-9d5a-6a1b2c3d4e5f"
IDS = {"enterpriseId": "e-1", "settlementId": "s-1"}


def fields(text: str) -> dict[str, JsonValue]:
    parsed = parse_json(text)
    assert isinstance(parsed, dict)
    return parsed


def mismatch(payload: str, body: str, path_ids: dict[str, str] | None = None) -> str:
    with pytest.raises(PayloadMismatchError) as caught:
        match_payload(payload, fields(body), path_ids or {})
    message = caught.value.message
    assert str(caught.value) == message
    assert len(message) < 3500
    assert message.startswith("The payload does not match the request: ")
    return message.removeprefix("The payload does not match the request: ")


def shuffled(value: JsonValue, data: st.DataObject) -> JsonValue:
    if isinstance(value, dict):
        return {name: shuffled(value[name], data) for name in data.draw(st.permutations(sorted(value)))}
    if isinstance(value, list):
        return [shuffled(member, data) for member in value]
    return value


def places(value: JsonValue, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [place] if place else []
    if isinstance(value, dict):
        found.extend(inner for name, member in value.items() for inner in places(member, (*place, name)))
    elif isinstance(value, list):
        found.extend(inner for index, member in enumerate(value) for inner in places(member, (*place, index)))
    return found


def container_at(document: JsonValue, place: tuple[str | int, ...]) -> dict[str | int, JsonValue]:
    for step in place[:-1]:
        assert isinstance(document, dict | list)
        document = document[step]  # type: ignore[index]
    return document  # type: ignore[return-value]


@given(json_objects(), st.data())
def test_equal_values_in_any_order_match(document: dict[str, JsonValue], data: st.DataObject) -> None:
    document = {name: value for name, value in document.items() if name not in ("payload", "signature")}
    payload = shuffled(document, data)
    assert isinstance(payload, dict)
    try:
        text = payload_text(payload)
    except JsonError:  # a float that Python's writer turns into another number
        assume(False)  # noqa: FBT003
        raise
    match_payload(text, {**document, "payload": text, "signature": "00"}, {})
    match_payload(text, document, {})


@given(json_objects().filter(bool), json_values(3), st.sampled_from(["replace", "remove", "add"]), st.data())
def test_any_single_change_on_either_side_is_found(
    document: dict[str, JsonValue], value: JsonValue, change: str, data: st.DataObject
) -> None:
    document = {f"_{name}": member for name, member in document.items()}
    place = data.draw(st.sampled_from(places(document)))
    changed = copy.deepcopy(document)
    container = container_at(changed, place)
    if change == "replace":
        assume(container[place[-1]] != value)
        container[place[-1]] = value
    elif change == "remove":
        del container[place[-1]]
    else:
        name = data.draw(TEXTS)
        assume(f"_{name}" not in changed)
        changed[f"_{name}"] = value
    for signed, asked in ((document, changed), (changed, document)):
        with pytest.raises(PayloadMismatchError) as caught:
            match_payload(payload_text(signed), asked, {})
        # If a name may be a secret, the message has no values, only that they differ.
        assert " in the " in caught.value.message or caught.value.message.endswith(" differs.")


def test_envelope_and_order_are_ignored() -> None:
    match_payload(
        '{"b":{"y":1,"x":[1.0]},"a":"é"}',
        fields('{"a":"\\u00e9","payload":1,"b":{"x":[1],"y":1},"signature":2}'),
        {},
    )


@pytest.mark.parametrize("name", ["payload", "signature"])
def test_payload_with_an_envelope_field_is_refused(name: str) -> None:
    body = f'{{"{name}":"x"}}'
    assert mismatch(body, body) == f"{name} is in the payload but not in the request."


@pytest.mark.parametrize(
    ("payload", "body", "expected"),
    [
        (
            f'{{"settlementAmounts":{{"{CONNECTION}":{{"BTC":"5","ETH":"1"}}}}}}',
            f'{{"settlementAmounts":{{"{CONNECTION}":{{"ETH":"1","BTC":"6"}}}}}}',
            f'settlementAmounts.{CONNECTION}.BTC is "5" in the payload and "6" in the request.',
        ),
        ('{"a":1}', "{}", "a is in the payload but not in the request."),
        ("{}", '{"a":null}', "a is in the request but not in the payload."),
        ('{"a":true}', '{"a":1}', "a is true in the payload and 1 in the request."),
        ('{"a":0}', '{"a":false}', "a is 0 in the payload and false in the request."),
        ('{"a":1}', '{"a":"1"}', 'a is 1 in the payload and "1" in the request.'),
        ('{"a":"1"}', '{"a":"1.0"}', 'a is "1" in the payload and "1.0" in the request.'),
        ('{"a":null}', '{"a":{}}', "a is null in the payload and an object in the request."),
        ('{"a":{}}', '{"a":[]}', "a is an object in the payload and a list in the request."),
        (
            '{"a":[1,2]}',
            '{"a":[2,1]}',
            "a[0] is 1 in the payload and 2 in the request; a[1] is 2 in the payload",
        ),
        ('{"a":[1]}', '{"a":[1,2]}', "a has 1 entries in the payload and 2 in the request."),
        ('{"é":"A"}', '{"é":"a"}', 'é is "A" in the payload and "a" in the request.'),
        ('{"a":"é"}', '{"a":"e\u0301"}', "a is "),
    ],
)
def test_differences_are_named(payload: str, body: str, expected: str) -> None:
    assert mismatch(payload, body).startswith(expected)


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ("{}", "{}"),
        ('{"enterpriseId":"e-1"}', "{}"),
        ("{}", '{"settlementId":"s-1"}'),
        ('{"enterpriseId":"e-1","settlementId":"s-1"}', '{"enterpriseId":"e-1"}'),
    ],
)
def test_path_ids_may_be_absent_from_either_side(payload: str, body: str) -> None:
    match_payload(payload, fields(body), IDS)


@pytest.mark.parametrize("other", ['"e-2"', '"E-1"', "1", "null", '["e-1"]', "{}"])
def test_path_id_that_differs_is_refused(other: str) -> None:
    contradiction, agreement = f'{{"enterpriseId":{other}}}', '{"enterpriseId":"e-1"}'
    expected = 'and "e-1" in the path.'
    assert mismatch(contradiction, "{}", IDS).endswith(f"in the payload {expected}")
    assert mismatch("{}", contradiction, IDS).endswith(f"in the request body {expected}")
    assert mismatch(contradiction, agreement, IDS).endswith(f"in the payload {expected}")
    # Payload and body may agree and still differ from the path.
    assert len(mismatch(contradiction, contradiction, IDS).split("; ")) == 2


def test_id_of_another_path_is_an_ordinary_field() -> None:
    assert "connectionId is in the payload" in mismatch('{"connectionId":"c"}', "{}", IDS)


def test_nested_id_is_an_ordinary_field() -> None:
    assert "a.enterpriseId" in mismatch('{"a":{"enterpriseId":"e-1"}}', '{"a":{}}', IDS)


def test_at_most_five_differences_of_bounded_length_are_named() -> None:
    body = json.dumps({f"{number}{'k' * 5000}": {"v" * 5000: "b" * 5000} for number in range(9)})
    message = mismatch(body.replace('"b', '"c'), body)
    assert message.count(" in the payload and ") == 5
    assert message.endswith("; and more.")
    five = mismatch('{"a":1,"b":1,"c":1,"d":1,"e":1}', '{"a":2,"b":2,"c":2,"d":2,"e":2}')
    assert five.count(" in the payload and ") == 5
    assert "more" not in five
    ids_too = mismatch('{"enterpriseId":"x","a":1,"b":1,"c":1,"d":1,"e":1}', "{}", IDS)
    assert ids_too.count(" in the ") >= 5
    assert ids_too.endswith("; and more.")


def test_comparison_ends_with_the_difference_that_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[Place] = []

    def describe(place: Place) -> str:
        named.append(place)
        return describe_place(place)

    monkeypatch.setattr(payload, "describe_place", describe)
    body = json.dumps(dict.fromkeys(map(str, range(1000)), 1))
    assert mismatch(body.replace(": 1", ": 2"), body).endswith("; and more.")
    assert len(named) == MAX_DIFFERENCES + 1


@pytest.mark.parametrize("name", ["connectionKey", "apiSecret", "connectionToken", "apiKey", "password"])
def test_secrets_are_not_quoted(name: str) -> None:
    payload = f'{{"a":{{"{name}":"hidden1"}},"{name}":{{"x":["hidden1",{{}}]}}}}'
    message = mismatch(payload, payload.replace("hidden1", "hidden2").replace("{}", '"hidden3"'))
    assert message == f"a.{name} differs; {name}.x[0] differs; {name}.x[1] differs."


@pytest.mark.parametrize("payload", ["[]", "1", '"{}"', "null"])
def test_payload_that_is_no_object_is_refused(payload: str) -> None:
    with pytest.raises(JsonError, match="must be a JSON object"):
        match_payload(payload, {}, {})


@pytest.mark.parametrize("payload", ["", "{", '{"a":1,"a":1}', '{"a":{"b":1,"b":2}}', '{"a":NaN}', "[" * 100_000])
def test_payload_that_is_not_strict_json_is_refused(payload: str) -> None:
    with pytest.raises(JsonError, match=r"^The payload "):
        match_payload(payload, {"a": JsonNumber("1")}, {})


def test_match_does_not_change_the_request() -> None:
    body = fields('{"enterpriseId":"e-1","payload":"","signature":"","a":1}')
    before = dict(body)
    match_payload('{"a":1}', body, IDS)
    assert body == before


def test_text_to_sign_is_compact_and_in_the_given_order() -> None:
    text = payload_text({"b": "é😀", "a": [1, True, None, {"n": JsonNumber("10"), "m": JsonNumber("0.5")}]})
    assert text == '{"b":"é😀","a":[1,true,null,{"n":10,"m":0.5}]}'


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "NaN or an infinite number"),
        (float("inf"), "NaN or an infinite number"),
        ("\ud800", "half of a surrogate pair"),
        ({"\udfff": 1}, "half of a surrogate pair"),
        (JsonNumber("1e400"), "not exactly representable"),
    ],
)
def test_value_that_a_payload_cannot_hold_is_refused(value: object, why: str) -> None:
    with pytest.raises(JsonError, match=why):
        payload_text({"a": value})


def test_value_that_is_not_json_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="object is not a JSON value"):
        payload_text({"a": object()})
