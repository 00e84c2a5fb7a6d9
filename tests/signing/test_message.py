import hashlib

import pytest
from btclib_secp256k1 import dsa, recovery
from hypothesis import given, settings
from hypothesis import strategies as st

from clearwindow.signing.keys import PublicKey
from clearwindow.signing.message import SignatureFormatError, sign_message, verify_message
from tests.signing.samples import CURVE_ORDER, PAYLOAD, SIGNATURE, other_key, vector_key

PAYLOADS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
KEY = vector_key()
PUBLIC = KEY.public_key


def digest(payload: bytes, size: bytes) -> bytes:
    message = b"\x18Bitcoin Signed Message:\n" + size + payload
    return hashlib.sha256(hashlib.sha256(message).digest()).digest()


def test_vector_of_the_protocol() -> None:
    assert sign_message(KEY, PAYLOAD) == SIGNATURE
    assert verify_message([PUBLIC], PAYLOAD, SIGNATURE) == PUBLIC


@given(PAYLOADS)
def test_signed_message_verifies(payload: str) -> None:
    signature = sign_message(KEY, payload)
    assert signature == sign_message(KEY, payload)
    assert verify_message([PUBLIC], payload, signature) == PUBLIC


def test_text_outside_the_basic_plane_is_signed_as_utf8() -> None:
    payload = '{"note":"😀𝄞"}'
    raw = payload.encode()
    signature, recovery_id = recovery.sign(digest(raw, bytes([len(raw)])), KEY.secret)
    assert sign_message(KEY, payload) == bytes([31 + recovery_id]).hex() + signature.hex()


# The first and last value of each form of CompactSize, and the largest request.
@pytest.mark.parametrize(
    ("length", "size"),
    [
        (0, "00"),
        (0xFC, "fc"),
        (0xFD, "fdfd00"),
        (0xFFFF, "fdffff"),
        (0x1_0000, "fe00000100"),
        (7_000_000, "fec0cf6a00"),
    ],
)
def test_length_is_a_compact_size(length: int, size: str) -> None:
    signature = sign_message(KEY, "a" * length)
    expected = digest(b"a" * length, bytes.fromhex(size))
    assert dsa.verify(expected, PUBLIC.compressed, bytes.fromhex(signature)[1:], compact=True)
    assert verify_message([PUBLIC], "a" * length, signature) == PUBLIC


@given(PAYLOADS.filter(bool), st.data())
def test_any_changed_character_of_the_payload_is_refused(payload: str, data: st.DataObject) -> None:
    signature = sign_message(KEY, payload)
    index = data.draw(st.integers(0, len(payload) - 1))
    replacement = data.draw(st.text(st.characters(), max_size=2).filter(lambda drawn: drawn != payload[index]))
    changed = payload[:index] + replacement + payload[index + 1 :]
    assert verify_message([PUBLIC], changed, signature) is None


@pytest.mark.parametrize("changed", [PAYLOAD + "\n", " " + PAYLOAD, PAYLOAD[:-1], PAYLOAD + "\0", ""])
def test_changed_whitespace_is_refused(changed: str) -> None:
    assert verify_message([PUBLIC], changed, SIGNATURE) is None


@settings(max_examples=300)
@given(st.integers(0, 129), st.sampled_from("0123456789abcdef"))
def test_any_changed_character_of_the_signature_is_refused(index: int, character: str) -> None:
    changed = SIGNATURE[:index] + character + SIGNATURE[index + 1 :]
    try:
        found = verify_message([PUBLIC], PAYLOAD, changed)
    except SignatureFormatError:
        found = None
    assert (found == PUBLIC) == (changed == SIGNATURE)


@given(PAYLOADS)
def test_signature_with_high_s_is_refused(payload: str) -> None:
    raw = bytes.fromhex(sign_message(KEY, payload))
    twin_s = (CURVE_ORDER - int.from_bytes(raw[33:])).to_bytes(32)
    for header in range(31, 35):
        twin = bytes([header]) + raw[1:33] + twin_s
        assert verify_message([PUBLIC], payload, twin.hex()) is None
    # A verifier that accepts a high s would accept this signature. Only the check above refuses it.
    flipped = bytes([31 + ((raw[0] - 31) ^ 1)]) + raw[1:33] + twin_s
    size = len(payload.encode())
    encoded = bytes([size]) if size < 0xFD else b"\xfd" + size.to_bytes(2, "little")
    recovered = recovery.recover(digest(payload.encode(), encoded), flipped[1:], flipped[0] - 31)
    assert recovered == PUBLIC.compressed


@given(PAYLOADS)
def test_other_header_is_refused(payload: str) -> None:
    signature = sign_message(KEY, payload)
    for header in range(31, 35):
        found = verify_message([PUBLIC], payload, f"{header:02x}{signature[2:]}")
        assert (found is not None) == (header == int(signature[:2], 16))


@pytest.mark.parametrize("header", [0, 26, 27, 30, 35, 39, 255])
def test_header_of_another_kind_of_signature_is_malformed(header: int) -> None:
    with pytest.raises(SignatureFormatError, match="31 to 34"):
        verify_message([PUBLIC], PAYLOAD, f"{header:02x}{SIGNATURE[2:]}")


@pytest.mark.parametrize(
    "signature",
    [
        "",
        SIGNATURE[:-1],
        SIGNATURE[:-2],
        SIGNATURE + "0",
        SIGNATURE + "\n",
        SIGNATURE.upper(),
        " " + SIGNATURE[1:],
        "0x" + SIGNATURE[2:],
        SIGNATURE[:-1] + "g",
        SIGNATURE[:-1] + "\u0661",
    ],
)
def test_text_of_another_form_is_malformed(signature: str) -> None:
    with pytest.raises(SignatureFormatError) as caught:
        verify_message([PUBLIC], PAYLOAD, signature)
    assert caught.value.message == "The signature must be 130 lowercase hexadecimal characters."


@pytest.mark.parametrize("r", [0, 1, CURVE_ORDER - 1, CURVE_ORDER, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, CURVE_ORDER // 2, CURVE_ORDER // 2 + 1, CURVE_ORDER, 2**256 - 1])
def test_numbers_out_of_range_are_refused(r: int, s: int) -> None:
    for header in range(31, 35):
        assert verify_message([PUBLIC], PAYLOAD, f"{header:02x}{r:064x}{s:064x}") is None


def test_verification_finds_the_key_that_signed() -> None:
    first, second = other_key(1).public_key, other_key(2).public_key
    assert verify_message([], PAYLOAD, SIGNATURE) is None
    assert verify_message([first, second], PAYLOAD, SIGNATURE) is None
    for keys in ([PUBLIC, first, second], [first, PUBLIC, second], [first, second, PUBLIC]):
        assert verify_message(iter(keys), PAYLOAD, SIGNATURE) == PUBLIC


def test_half_of_a_surrogate_pair_cannot_be_signed() -> None:
    assert verify_message([PUBLIC], "\ud800", SIGNATURE) is None
    with pytest.raises(UnicodeEncodeError):
        sign_message(KEY, "\ud800")


def test_highest_low_s_is_accepted_and_the_next_one_is_not() -> None:
    # Any s belongs to some key, which recovery finds.
    size = bytes([len(PAYLOAD.encode())])
    for s, is_accepted in ((CURVE_ORDER // 2, True), (CURVE_ORDER // 2 + 1, False)):
        signature = SIGNATURE[:66] + f"{s:064x}"
        raw = bytes.fromhex(signature)
        signer = PublicKey(recovery.recover(digest(PAYLOAD.encode(), size), raw[1:], raw[0] - 31))
        assert (verify_message([signer], PAYLOAD, signature) == signer) is is_accepted
