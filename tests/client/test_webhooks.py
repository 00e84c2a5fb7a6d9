"""Genuine deliveries of Standard Webhooks 1.0 are accepted, all others are refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.client import WebhookEvent, WebhookVerificationError, verify_webhook

# The example in the tests of the standard's own libraries.
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID: Final = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT: Final = datetime.fromtimestamp(1614265330, UTC)
BODY: Final = b'{"test": 2432232314}'
SIGNATURE: Final = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

OTHER_SECRET: Final = "whsec_" + base64.b64encode(b"another secret of 32 bytes......").decode()
PRIVATE: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC: Final = "whpk_" + base64.b64encode(PRIVATE.public_key().public_bytes_raw()).decode()


def headers(signature: str = SIGNATURE, message_id: str = ID, at: datetime = AT) -> dict[str, str]:
    return {
        "Webhook-Id": message_id,
        "WEBHOOK-TIMESTAMP": str(int(at.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }


def v1(body: bytes, secret: str = SECRET, at: datetime = AT, message_id: str = ID) -> str:
    content = f"{message_id}.{int(at.timestamp())}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def v1a(body: bytes, at: datetime = AT, message_id: str = ID) -> str:
    content = f"{message_id}.{int(at.timestamp())}.".encode() + body
    return "v1a," + base64.b64encode(PRIVATE.sign(content)).decode()


def verify(signature: str, keys: str | list[str] = SECRET, body: bytes = BODY) -> WebhookEvent:
    return verify_webhook(headers(signature), body, keys, now=AT)


def test_example_of_the_standard_is_genuine() -> None:
    event = verify(SIGNATURE)
    assert (event.id, event.sent_at, event.payload) == (ID, AT, {"test": 2432232314})
    assert v1(BODY) == SIGNATURE


def test_ed25519_signature_is_verified_with_public_key() -> None:
    body = b'{"type":"settlement.initiated","timestamp":"2026-01-05T12:00:00Z","data":{"id":"s"}}'
    event = verify(v1a(body), PUBLIC, body)
    assert (event.type, event.data) == ("settlement.initiated", {"id": "s"})
    with pytest.raises(WebhookVerificationError):
        verify(v1a(body), PUBLIC, body.replace(b"initiated", b"completed"))


def test_one_valid_signature_among_several_is_enough() -> None:
    assert verify(f"v2,xxx v1,!! v1 {v1(BODY, OTHER_SECRET)} {SIGNATURE}").id == ID
    assert verify(f"{v1a(BODY)} {v1(BODY, OTHER_SECRET)}", PUBLIC).id == ID


def test_both_keys_are_accepted_during_rotation() -> None:
    for signature in (SIGNATURE, v1(BODY, OTHER_SECRET), v1a(BODY)):
        assert verify(signature, [OTHER_SECRET, PUBLIC, SECRET]).id == ID


@pytest.mark.parametrize(
    "signature",
    [
        "v1,",
        "v1",
        "v1a," + SIGNATURE.removeprefix("v1,"),
        "v2," + SIGNATURE.removeprefix("v1,"),
        SIGNATURE.removeprefix("v1,"),
        SIGNATURE[:-2],
        SIGNATURE.lower(),
        v1(BODY, OTHER_SECRET),
        v1(BODY + b" "),
        v1(BODY, message_id="msg_other"),
        v1(BODY, at=AT + timedelta(seconds=1)),
        v1a(BODY),
    ],
)
def test_wrong_signature_is_refused(signature: str) -> None:
    with pytest.raises(WebhookVerificationError):
        verify(signature)


@given(st.binary(max_size=200), st.text(max_size=200))
def test_random_body_and_signature_are_refused(body: bytes, signature: str) -> None:
    with pytest.raises(WebhookVerificationError):
        verify_webhook(headers(signature), body, [SECRET, PUBLIC], now=AT)


@given(st.integers(0, len(BODY) * 8 - 1))
def test_any_changed_bit_of_body_is_refused(bit: int) -> None:
    changed = bytearray(BODY)
    changed[bit // 8] ^= 1 << bit % 8
    for signature, keys in ((SIGNATURE, SECRET), (v1a(BODY), PUBLIC)):
        with pytest.raises(WebhookVerificationError):
            verify(signature, keys, bytes(changed))


@pytest.mark.parametrize(("off_seconds", "accepted"), [(300, True), (301, False), (-300, True), (-301, False)])
def test_sender_clock_may_be_off_by_five_minutes(*, off_seconds: int, accepted: bool) -> None:
    now = AT + timedelta(seconds=off_seconds)
    if accepted:
        assert verify_webhook(headers(), BODY, SECRET, now=now).id == ID
    else:
        with pytest.raises(WebhookVerificationError, match="301 seconds"):
            verify_webhook(headers(), BODY, SECRET, now=now)
    assert verify_webhook(headers(), BODY, SECRET, now=now, tolerance_seconds=400).id == ID


def test_default_time_is_system_clock() -> None:
    at = datetime.fromtimestamp(int(time.time()), UTC)
    signed = headers(v1(BODY, at=at), at=at)
    assert verify_webhook(signed, BODY, SECRET).sent_at == at
    with pytest.raises(WebhookVerificationError, match="seconds old"):
        verify_webhook(headers(), BODY, SECRET)


@pytest.mark.parametrize("timestamp", ["", "x", "-5", "1.5", "1e9", "٣", "9" * 12, "9" * 400, " 1614265330"])
def test_invalid_timestamp_is_refused(timestamp: str) -> None:
    with pytest.raises(WebhookVerificationError, match="webhook-timestamp"):
        verify_webhook(headers() | {"WEBHOOK-TIMESTAMP": timestamp}, BODY, SECRET, now=AT)


@pytest.mark.parametrize("name", ["Webhook-Id", "WEBHOOK-TIMESTAMP", "webhook-signature"])
def test_missing_header_is_refused(name: str) -> None:
    without = {given: value for given, value in headers().items() if given != name}
    with pytest.raises(WebhookVerificationError, match=f"no {name.lower()}"):
        verify_webhook(without, BODY, SECRET, now=AT)


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"not json", b"\xff", b"[" * 100_000])
def test_genuine_body_that_is_not_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookVerificationError, match="JSON"):
        verify(v1(body), SECRET, body)


def test_too_many_signatures_are_refused() -> None:
    with pytest.raises(WebhookVerificationError, match="20"):
        verify(" ".join([SIGNATURE] * 21))


@pytest.mark.parametrize(
    "key", ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_!!", "whsec_c2hvcnQ=", "whpk_AAAA", "whsk_x"]
)
def test_invalid_key_raises_value_error(key: str) -> None:
    with pytest.raises(ValueError, match=r"whsec_|whpk_"):
        verify(SIGNATURE, [SECRET, key])
    with pytest.raises(ValueError, match="no key"):
        verify(SIGNATURE, [])


def test_parsed_body_is_refused() -> None:
    with pytest.raises(TypeError):
        verify_webhook(headers(), BODY.decode(), SECRET, now=AT)  # type: ignore[arg-type]
