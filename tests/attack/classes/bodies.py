"""Bodies that no honest client sends, to each operation, by callers who may reach it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from clearwindow.web.openapi import operations
from tests.attack.stage import Stage
from tests.attack.tally import AttackClass, Tally
from tests.conftest import OPERATOR_TOKEN
from tests.support.descriptions import own_document
from tests.support.refusals import nothing_written

_REFUSALS: Final = frozenset({400, 403, 404, 409, 413, 415, 422})
_DEEP: Final = 10_000
_DIGITS: Final = 5_000

BROKEN: Final = {
    "no JSON": b"{",
    "a text": b'"text"',
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
    "two documents": b"{}{}",
    "a comment": b"{/**/}",
    "a trailing comma": b'{"a":1,}',
    "single quotes": b"{'a':1}",
    "duplicate keys": b'{"nonce":"a","nonce":"b"}',
    "duplicate keys by escape": b'{"nonce":"a","\\u006eonce":"b"}',
    "duplicate keys inside": b'{"amount":{"currency":"a","currency":"b"}}',
    "NaN": b'{"quantity":NaN}',
    "Infinity": b'{"quantity":-Infinity}',
    "half a surrogate pair": b'{"name":"\\ud800"}',
    "a null byte": b'{"name":"a\x00b"}',
    "not UTF-8": b'{"name":"\xff\xfe"}',
    "an overlong form": b'{"name":"\xc0\xaf"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"name":"a"}'.encode("utf-16"),
    "depth of lists": b'{"a":' + b"[" * _DEEP + b"]" * _DEEP + b"}",
    "depth of objects": b'{"a":' * _DEEP + b"1" + b"}" * _DEEP,
}
"""Bodies that are refused before any field is read."""

WRONG_VALUES: Final[dict[str, Any]] = {
    "null byte": "a\x00b",
    "lists": [[[]]],
    "object": {"$ne": None},
    "huge number": 10**_DIGITS,
    "huge exponent": 1e308,
    "long text": "x" * 200_000,
    "nothing": None,
}


def attack(stage: Stage, tally: Tally) -> None:
    tokens = {side.enterprise.id: stage.testbed.operator.user_token(side.enterprise.id) for side in stage.attacked}
    with stage.http() as http, nothing_written(stage.testbed.runtime):
        for number, (method, template, operation) in enumerate(_with_body()):
            of_operator = template.startswith("/api/operator/")
            token = OPERATOR_TOKEN if of_operator else tokens[stage.of_side(template)["enterpriseId"]]
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            for name, raw in stage.some(list(_bodies(stage, operation)), number):
                answered = http.request(method, stage.path(template), content=raw, headers=headers)
                tally.judge(f"{name}: {method} {template}", answered, _REFUSALS)
            compressed = {**headers, "Content-Encoding": "gzip"}
            answered = http.request(method, stage.path(template), content=b"\x1f\x8b", headers=compressed)
            tally.judge(f"compressed: {method} {template}", answered, _REFUSALS)
    tally.control("a good body", stage.victim.api.post("/webhook-endpoints", {"url": "https://a.example/"}))


def _bodies(stage: Stage, operation: Any) -> Iterator[tuple[str, bytes]]:  # noqa: ANN401 - a part of our document
    yield from BROKEN.items()
    for name in _required(operation) if stage.thorough else _required(operation)[:1]:
        for wrong in WRONG_VALUES:
            yield f"{name} is {wrong}", _encoded(name, wrong)


def _encoded(name: str, wrong: str) -> bytes:
    """Returns a body of one field. Python's own writer refuses numbers of so many digits."""
    if wrong == "huge number":
        return f'{{"{name}": 1{"0" * _DIGITS}}}'.encode()
    return json.dumps({name: WRONG_VALUES[wrong]}).encode()


def _required(operation: Any) -> list[str]:  # noqa: ANN401 - a part of our document
    document = own_document()
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return list(schema.get("required", []))


def _with_body() -> Iterator[tuple[str, str, Any]]:
    for method, path, operation in operations(own_document()):
        if "requestBody" in operation:
            yield method.upper(), path, operation


CLASS: Final = AttackClass(
    "bodies", "hostile bodies to each operation that takes one: no 500, and nothing written", attack
)
