"""Invalid requests get a 4xx and write nothing. The allocation endpoint stands for all signed requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from clearwindow.runtime import Runtime
from clearwindow.signing.message import sign_message
from tests.support.networks import ConnectionHandle, Network, sign_body
from tests.support.operators import make_key
from tests.support.snapshots import snapshot

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True)
class Target:
    """A funded connection and its database."""

    connection: ConnectionHandle
    dsn: str

    @property
    def path(self) -> str:
        return f"{self.connection.path}/allocations"

    def sign(self, fields: dict[str, Any]) -> dict[str, Any]:
        return sign_body(fields, self.connection.client.enterprise.account.key)

    def fields(self, **more: object) -> dict[str, Any]:
        return self.connection.allocation_fields("ofcbtc", 5) | more

    def send(self, body: dict[str, Any] | bytes | str) -> tuple[int, str]:
        """Sends a request and checks that nothing was written. Returns the status and name of the refusal."""
        before = snapshot(self.dsn)
        raw = json.dumps(body).encode() if isinstance(body, dict) else body
        raw = raw.encode() if isinstance(raw, str) else raw
        response = self.connection.client.api.post_raw(self.path, raw)
        assert 400 <= response.status_code < 500, response.text
        assert snapshot(self.dsn) == before
        return response.status_code, response.json()["name"]


@pytest.fixture
def target(network: Network, runtime: Runtime) -> Target:
    connection = network.connect(network.client(deposits={"ofcbtc": 100}), network.partner())
    return Target(connection, runtime.database.dsn)


QUANTITIES: list[object] = [
    "", "0", "00", "-1", "-0", "+1", "01", " 1", "1 ", "1\n", "1e5", "1E5", "1.0", "1.", ".5", "0x10", "1_000",
    "1,000", "ten", "NaN", "Infinity", "\u0663", "\uff11", "1" + "0" * 78, "9" * 1000, 5, 5.0, True, None, [],
    ["5"], {"v": "5"},
]  # fmt: skip


def test_malformed_quantity_is_refused(target: Target, subtests: pytest.Subtests) -> None:
    for quantity in QUANTITIES:
        with subtests.test(quantity=repr(quantity)[:20]):
            amount = {"currency": "ofcbtc", "quantity": quantity}
            assert target.send(target.sign(target.fields(amount=amount))) == (400, "request_invalid")


def test_huge_amount_is_insufficient_funds(target: Target) -> None:
    """10^30 and the largest number of 78 digits are valid quantities."""
    for quantity in (10**30, 10**78 - 1):
        response = target.connection.allocate("ofcbtc", quantity)
        assert (response.status_code, response.json()["name"]) == (422, "insufficient_funds")
        assert response.json()["allocation"]["amount"]["quantity"] == str(quantity)


WRONG_FIELDS: list[dict[str, object]] = [
    {"amount": None},
    {"amount": "5"},
    {"amount": []},
    {"amount": {"quantity": "5"}},
    {"amount": {"currency": "ofcbtc"}},
    {"amount": {"currency": "", "quantity": "5"}},
    {"amount": {"currency": 5, "quantity": "5"}},
    {"amount": {"currency": "ofcbtc", "quantity": "5", "fee": "1"}},
    {"clientExternalId": ""},
    {"clientExternalId": 7},
    {"clientExternalId": "x" * 256},
    {"clientExternalId": None},
    {"nonce": ""},
    {"nonce": 7},
    {"nonce": ["n"]},
    {"notes": ""},
    {"notes": None},
    {"connectionId": None},
    {"enterpriseId": None},
    {"clientExternalId": " \t"},
    {"amount": {"currency": "ofcbtc", "quantity": "5.0"}},
    {"notes": 1},
    {"notes": "n" * 10_001},
    {"extra": "field"},
    {"connectionId": "nonsense"},
    {"enterpriseId": 5},
]


def test_field_of_a_wrong_type_is_refused(target: Target, subtests: pytest.Subtests) -> None:
    for change in WRONG_FIELDS:
        with subtests.test(change=repr(change)[:40]):
            assert target.send(target.sign(target.fields(**change))) == (400, "request_invalid")


def test_missing_field_is_refused(target: Target, subtests: pytest.Subtests) -> None:
    for field in ("amount", "clientExternalId", "nonce", "payload", "signature"):
        with subtests.test(field=field):
            body = target.sign(target.fields())
            del body[field]
            assert target.send(body) == (400, "request_invalid")


WRONG_CURRENCIES = ("btc\0", "OFCBTC", "ofcBTC", "ofc btc", "BTC", "ofcdoge", "ofctbtc", "; DROP", "é")


def test_currency_that_the_partner_does_not_accept_is_refused(target: Target, subtests: pytest.Subtests) -> None:
    for name in WRONG_CURRENCIES:
        with subtests.test(name=name):
            expected = "body_not_json" if "\0" in name else "currency_not_supported"
            amount = {"currency": name, "quantity": "5"}
            assert target.send(target.sign(target.fields(amount=amount))) == (400, expected)


BROKEN_TEXTS: dict[str, Callable[[str], str | bytes]] = {
    "empty": lambda _: "",
    "not JSON": lambda text: text[:-1],
    "two documents": lambda text: text + text,
    "a list": lambda text: f"[{text}]",
    "a text": json.dumps,
    "null": lambda _: "null",
    "a duplicate key": lambda text: text[:-1] + ',"nonce":"another"}',
    "a duplicate key inside": lambda text: text.replace('"quantity"', '"quantity": "1", "quantity"'),
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "no UTF-8": lambda text: text.encode().replace(b"ofcbtc", b"ofc\xff\xfe"),
    "a NUL": lambda text: text.replace("ofcbtc", "ofc\\u0000btc"),
    "a raw NUL": lambda text: text.replace("ofcbtc", "ofc\0btc"),
    "half a surrogate": lambda text: text.replace("ofcbtc", "ofc\\ud800"),
    "NaN": lambda text: text.replace('"5"', "NaN"),
    "nesting": lambda text: text[:-1] + ',"notes":' + "[" * 100_000 + "]" * 100_000 + "}",
    "a long number": lambda text: text[:-1] + ',"notes":' + "9" * 100_000 + "}",
}


def test_body_that_is_not_one_strict_json_object_is_refused(target: Target, subtests: pytest.Subtests) -> None:
    for how, broken_by in BROKEN_TEXTS.items():
        with subtests.test(how=how):
            assert target.send(broken_by(json.dumps(target.sign(target.fields()))))[0] == 400


BROKEN_PAYLOADS: dict[str, Callable[[str], str]] = {
    "another digit": lambda text: text.replace('"5"', '"6"'),
    "one more digit": lambda text: text.replace('"5"', '"50"'),
    "a number for a text": lambda text: text.replace('"5"', "5"),
    "a field more": lambda text: text[:-1] + ',"notes":"more"}',
    "a field less": lambda text: text.replace('"currency":"ofcbtc",', ""),
    "a duplicate key": lambda text: text[:-1] + ',"nonce":"another"}',
    "a duplicate key inside": lambda text: text.replace('"quantity"', '"quantity":"5","quantity"'),
    "another currency": lambda text: text.replace("ofcbtc", "ofceth"),
    "the same currency by another name": lambda text: text.replace("ofcbtc", "btc"),
    "another connection": lambda text: text[:-1] + ',"connectionId":"7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"}',
    "another enterprise": lambda text: text[:-1] + ',"enterpriseId":"exchange"}',
    "not JSON": lambda text: text[:-1],
    "a list": lambda text: f"[{text}]",
    "half a surrogate": lambda text: text.replace("ofcbtc", "\\ud800"),
    "a NUL": lambda text: text.replace("ofcbtc", "ofcbtc\\u0000"),
    "nesting": lambda text: text[:-1] + ',"x":' + "[" * 10_000 + "]" * 10_000 + "}",
}


def test_payload_that_differs_from_the_request_is_refused(target: Target, subtests: pytest.Subtests) -> None:
    for how, broken_by in BROKEN_PAYLOADS.items():
        with subtests.test(how=how):
            body = target.sign(target.fields())
            payload = broken_by(body["payload"])
            assert payload != body["payload"]
            key = target.connection.client.enterprise.account.key
            signed = body | {"payload": payload, "signature": sign_message(key, payload)}
            assert target.send(signed) in {(400, "payload_differs"), (400, "payload_not_json")}


def malleated(signature: str) -> str:
    """Returns the other signature of the same key and text: n - s, with the header of the mirrored point."""
    header, r, s = int(signature[:2], 16), signature[2:66], int(signature[66:], 16)
    return f"{31 + ((header - 31) ^ 1):02x}{r}{CURVE_ORDER - s:064x}"


BROKEN_SIGNATURES: dict[str, Callable[[str], str]] = {
    "malleated": malleated,
    "truncated": lambda text: text[:-2],
    "longer": lambda text: text + "00",
    "upper case": str.upper,
    "with a prefix": lambda text: "0x" + text[2:],
    "another header": lambda text: f"{31 + (int(text[:2], 16) - 30) % 4:02x}{text[2:]}",
    "an uncompressed header": lambda text: f"{27 + (int(text[:2], 16) - 31):02x}{text[2:]}",
    "a bit turned in r": lambda text: text[:65] + f"{int(text[65], 16) ^ 1:x}" + text[66:],
    "a bit turned in s": lambda text: text[:-1] + f"{int(text[-1], 16) ^ 1:x}",
    "zeros": lambda text: text[:2] + "0" * 128,
    "no hexadecimal": lambda text: text[:-1] + "g",
}


def test_changed_signature_is_refused(target: Target, subtests: pytest.Subtests) -> None:
    for how, broken_by in BROKEN_SIGNATURES.items():
        with subtests.test(how=how):
            body = target.sign(target.fields())
            broken = body | {"signature": broken_by(body["signature"])}
            assert target.send(broken) in {(401, "signature_invalid"), (400, "signature_malformed")}


def test_signature_of_a_foreign_key_is_refused(target: Target) -> None:
    fields = target.fields()
    for key in (make_key(99), target.connection.partner.enterprise.account.key):
        assert target.send(sign_body(fields, key)) == (401, "signature_invalid")
    other_text = target.sign(target.fields())
    swapped = target.sign(fields) | {"signature": other_text["signature"]}
    assert target.send(swapped) == (401, "signature_invalid")
