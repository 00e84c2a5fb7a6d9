"""Bodies and payloads that are not one valid JSON document are refused before their fields are read."""

from __future__ import annotations

import json

from clearwindow.signing.message import sign_message
from tests.support.networks import Json
from tests.support.refusals import Staging, staging
from tests.support.settlements import Testbed

TEXTS = ("externalId", "notes", "nonce", "cutoffAt", "payload", "signature")


def raw(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def with_payload(desk: Staging, payload: str) -> Json:
    """Returns the valid fields with any text as signed payload."""
    return {**desk.fields, "payload": payload, "signature": sign_message(desk.key, payload)}


def test_body_that_is_no_json_object_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
    for text in (
        b"",
        b" ",
        b"{",
        b"{}}",
        b"{'a': 1}",
        b"nul",
        b'{"a":1,}',
        b"//",
        b"externalId=1",
        b"\x00",
        b"NaN",
    ):
        desk.refuses(text, "body_not_json")
    for text in (b"[]", b'"x"', b"1", b"null", b"true", b"[" + raw(desk.signed()) + b"]"):
        desk.refuses(text, "body_not_object")
    whole = raw(desk.signed())
    for end in (1, 10, len(whole) // 2, len(whole) - 1):
        desk.refuses(whole[:end], "body_not_json")
    desk.accepts()


def test_duplicate_key_in_body_is_named(testbed: Testbed) -> None:
    desk = staging(testbed)
    whole = raw(desk.signed())
    own = desk.connection.id
    for key, text in (
        ("externalId", b'{"externalId":"another",' + whole[1:]),
        ("externalId", b'{"externalI\\u0064":"another",' + whole[1:]),
        ("nonce", whole[:-1] + b',"nonce":"another"}'),
        ("payload", whole[:-1] + b',"payload":"{}"}'),
        ("BTC", whole.replace(b'{"BTC": "-7"}', b'{"BTC": "-7", "BTC": "7"}', 1)),
        ("BTC", whole.replace(b'{"BTC": "-7"}', b'{"BTC": "-7", "\\u0042TC": "-7"}', 1)),
        (own, whole.replace(b'{"BTC": "-7"}', b'{"BTC":"-7"},"%s":{"BTC":"-7"}' % own.encode(), 1)),
    ):
        assert text != whole
        desk.refuses(text, "body_not_json", f'"{key}" occurs twice')
    upper = {own: {"BTC": "-7"}, own.upper(): {"BTC": "-7"}}
    desk.refuses(desk.signed(settlementAmounts=upper), "request_invalid", own.upper())
    desk.accepts()


def test_duplicate_key_in_payload_is_named(testbed: Testbed) -> None:
    desk = staging(testbed)
    payload = desk.signed()["payload"]
    own = desk.connection.id
    for key, text in (
        ("externalId", '{"externalId":"another",' + payload[1:]),
        ("BTC", payload.replace('{"BTC":"-7"}', '{"BTC":"7","BTC":"-7"}')),
        ("BTC", payload.replace('{"BTC":"-7"}', '{"\\u0042TC":"7","BTC":"-7"}')),
        (own, payload.replace('{"BTC":"-7"}', f'{{"BTC":"7"}},"{own}":{{"BTC":"-7"}}')),
    ):
        assert text != payload
        desk.refuses(with_payload(desk, text), "payload_not_json", f'"{key}" occurs twice')
    desk.accepts()


def test_payload_that_is_no_json_object_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
    for text in (" ", "{", "[]", '"x"', "null", "0", "NaN", "\ufeff{}", desk.signed()["payload"] + "x"):
        desk.refuses(with_payload(desk, text), "payload_not_json")
    desk.accepts()


def test_deep_nesting_is_refused_in_body_and_payload(testbed: Testbed) -> None:
    desk = staging(testbed)
    whole, payload = raw(desk.signed()), desk.signed()["payload"]
    for levels in (200, 100_000):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            deep = opening * levels + ("1" if closing == "}" else "") + closing * levels
            desk.refuses(deep.encode(), "body_not_json", "inside one another")
            unknown = whole[:-1] + b',"unknown":' + deep.encode() + b"}"
            desk.refuses(unknown, "body_not_json", "inside one another")
            amounts = whole.replace(b'"-7"', deep.encode(), 1)
            desk.refuses(amounts, "body_not_json", "inside one another")
            inside = payload[:-1] + f',"unknown":{deep}}}'
            desk.refuses(with_payload(desk, inside), "payload_not_json", "inside one another")
            desk.refuses(with_payload(desk, deep), "payload_not_json", "inside one another")
        desk.refuses(b"[" * levels, "body_not_json")
    desk.accepts()


def test_invalid_utf_8_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
    whole = raw(desk.signed())
    for broken in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80"):
        text = whole.replace(b"of the fifth", b"of" + broken + b"the fifth", 1)
        desk.refuses(text, "body_not_json", "UTF-8")
    desk.refuses(b"\xef\xbb\xbf" + whole, "body_not_json", "byte order mark")
    for encoding in ("utf-16", "utf-32"):
        desk.refuses(whole.decode().encode(encoding), "body_not_json")
    desk.accepts()


def test_nul_character_is_refused_in_every_text(testbed: Testbed) -> None:
    desk = staging(testbed)
    for field in TEXTS:
        changed = {**desk.signed(), field: f"{desk.signed()[field]}\0"}
        desk.refuses(json.dumps(changed).encode(), "body_not_json", "NUL character", field)
        desk.refuses(raw(changed).replace(b"\\u0000", b"\x00"), "body_not_json")
    own = desk.connection.id
    for amounts in ({own: {"BTC\0": "1"}}, {own: {"BTC": "1\0"}}, {own + "\0": {"BTC": "1"}}):
        desk.refuses(desk.signed(settlementAmounts=amounts), "body_not_json", "NUL character", "settlementAmounts")
    for text in ('{"a":"\\u0000"}', '{"\\u0000":1}', desk.signed()["payload"].replace("of the", "of\\u0000")):
        desk.refuses(with_payload(desk, text), "payload_not_json", "NUL character")
    desk.accepts()


def test_lone_surrogate_is_refused_in_every_text(testbed: Testbed) -> None:
    desk = staging(testbed)
    for field in TEXTS:
        for half in (b"\\ud800", b"\\uDFFF", b"\\udc00\\ud800"):
            text = raw({**desk.signed(), field: "HERE"}).replace(b"HERE", half)
            desk.refuses(text, "body_not_json", "surrogate", field)
    desk.refuses(raw(desk.signed()).replace(b"BTC", b"\\udbff", 1), "body_not_json", "surrogate")
    desk.refuses(with_payload(desk, '{"notes":"\\ud800"}'), "payload_not_json", "surrogate")
    desk.accepts(desk.signed(notes="a whole pair: \U0001d11e"))


def test_oversized_numbers_are_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
    whole = raw(desk.signed())
    for number in (b"1e999999999", b"-1E-999999999", b"1" * 1_000, b"0." + b"3" * 900):
        desk.refuses(whole.replace(b'"-7"', number, 1), "request_invalid", "settlementAmounts")
    for number in (b"1" * 1_001, b"1" * 1_000_000):
        desk.refuses(whole.replace(b'"-7"', number, 1), "body_not_json", "characters")
    desk.refuses(with_payload(desk, desk.signed()["payload"].replace('"-7"', "-7")), "payload_differs", "BTC")
    desk.accepts()


def test_body_with_many_wrong_entries_is_refused_with_a_short_error(testbed: Testbed) -> None:
    desk = staging(testbed)
    many = b"".join(b',"k%d":0' % number for number in range(250_000))
    for text in (b'{"externalId":"x"' + many + b"}", b'{"settlementAmounts":{"":0' + many + b"}}"):
        desk.refuses(text, "too_many_entries", "220000")
    desk.refuses(b'{"unknown":[' + b"[]," * 250_000 + b"[]]}", "too_many_entries")
    desk.accepts()
