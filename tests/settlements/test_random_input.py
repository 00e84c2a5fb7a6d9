"""Random input never gets a status of 500 or above, and writes nothing unless it is the valid request."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.networks import Json, sign_body
from tests.support.refusals import Staging, nothing_written, staging
from tests.support.settlements import Testbed

Path = tuple[str, ...]

texts = st.text(st.characters(exclude_categories=()), max_size=12)
numbers = st.integers() | st.floats(allow_nan=True)
hostile = st.sampled_from(["", "0", "-0", "1e5", "\0", "\ud800", "1" * 79, "9" * 400, "\\N", "\t", "٣", "null"])
leaves = st.none() | st.booleans() | numbers | texts | hostile
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
FIELDS = ["externalId", "notes", "settlementAmounts", "nonce", "cutoffAt", "payload", "signature", "enterpriseId"]
bodies = documents | st.dictionaries(st.sampled_from(FIELDS) | texts, documents, max_size=8)


def try_at_random(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
        return settings(max_examples=examples, deadline=None, suppress_health_check=quiet, database=None)(test)

    return decorate


def assert_refused(desk: Staging, body: bytes) -> None:
    response = desk.send(body)
    assert 400 <= response.status_code < 500, (body, response.status_code, response.text)


def test_random_documents_are_refused(testbed: Testbed) -> None:
    desk = staging(testbed)

    @try_at_random(120)
    @given(bodies)
    def never_accepted(document: object) -> None:
        assert_refused(desk, json.dumps(document).encode())

    with nothing_written(testbed.runtime):
        never_accepted()
    desk.accepts()


def places(value: object, path: Path = ()) -> list[Path]:
    found = [path] if path else []
    if isinstance(value, dict):
        for name, member in value.items():
            found += places(member, (*path, name))
    return found


def container_of(document: Json, path: Path) -> Any:  # noqa: ANN401 - any part of a JSON document
    for name in path[:-1]:
        document = document[name]
    return document


@st.composite
def changed(draw: st.DrawFn, fields: Json) -> Json:
    """Draws the document with one member replaced, dropped, renamed or added."""
    document = deepcopy(fields)
    path = draw(st.sampled_from(places(document)))
    inside, name = container_of(document, path), path[-1]
    how = draw(st.sampled_from(["replace", "replace", "drop", "rename", "add"]))
    if how == "replace":
        inside[name] = draw(documents)
    elif how == "add":
        inside[draw(texts)] = draw(documents)
    else:
        value = inside.pop(name)
        if how == "rename":
            inside[draw(texts)] = value
    return document


def test_changed_signed_body_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
    body = desk.signed()

    @try_at_random(120)
    @given(changed(body))
    def never_accepted(document: Json) -> None:
        if document != body:
            assert_refused(desk, json.dumps(document).encode())

    with nothing_written(testbed.runtime):
        never_accepted()
    desk.accepts()


def test_changed_request_with_a_new_signature_never_fails_with_500(testbed: Testbed) -> None:
    """The change reaches every rule behind the signature. An accepted request is settled."""
    desk = staging(testbed)

    @try_at_random(120)
    @given(changed(desk.fields))
    def never_fails(fields: Json) -> None:
        try:
            body = json.dumps(sign_body(fields, desk.key)).encode()
        except ValueError:
            return
        response = desk.send(body)
        assert response.status_code < 500, (body, response.text)

    never_fails()
    testbed.assert_proven()


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draws the text with up to three bytes changed, removed or inserted."""
    text = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text) - 1))
        how = draw(st.sampled_from(["flip", "cut", "put", "twice"]))
        if how == "flip":
            text[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "cut":
            del text[at]
        elif how == "put":
            text.insert(at, draw(st.sampled_from(b'{}[]",:\\\x00\xff 0eu-')))
        else:
            length = draw(st.integers(1, 40))
            text[at:at] = text[at : at + length]
    return bytes(text)


def test_damaged_bytes_of_a_request_are_refused_or_the_same_request(testbed: Testbed) -> None:
    desk = staging(testbed)
    body = desk.signed()
    desk.accepts(body)

    @try_at_random(150)
    @given(damaged(json.dumps(body).encode()))
    def same_or_refused(text: bytes) -> None:
        response = desk.send(text)
        assert response.status_code < 500, (text, response.text)
        if response.status_code == 200:
            assert json.loads(text) == body

    with nothing_written(testbed.runtime):
        same_or_refused()
