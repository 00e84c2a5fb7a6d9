import base64

import pytest
from btclib_secp256k1 import keys as secp256k1
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.signing import base58check
from clearwindow.signing.keys import (
    KeyFormatError,
    PrivateKey,
    PublicKey,
    generate_private_key,
    parse_public_key,
)
from tests.signing.samples import XPRV, other_key, vector_key

# BIP32, test vector 1.
BIP32_SEED = bytes(range(16))
BIP32_XPRV = (
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmP"
    "GJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
)
BIP32_XPUB = (
    "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJ"
    "oCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"
)
COMPRESSED_SPKI = bytes.fromhex("3036301006072a8648ce3d020106052b8104000a032200")
UNCOMPRESSED_SPKI = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a034200")


def spki(point: bytes) -> str:
    prefix = UNCOMPRESSED_SPKI if len(point) == 65 else COMPRESSED_SPKI
    return base64.b64encode(prefix + point).decode()


def node(*, version: str = "0488b21e", depth: int = 0, origin: bytes = bytes(8), key: bytes) -> str:
    return base58check.encode(bytes.fromhex(version) + bytes([depth]) + origin + bytes(32) + key)


def point_of(key: PrivateKey, *, compressed: bool = True) -> bytes:
    return secp256k1.pubkey_from_prvkey(key.secret, compressed)


def test_bip32_vector() -> None:
    key = generate_private_key(BIP32_SEED)
    assert (key.xprv, key.xpub) == (BIP32_XPRV, BIP32_XPUB)
    assert PrivateKey.parse(BIP32_XPRV).xpub == BIP32_XPUB


@given(st.binary(min_size=16, max_size=64))
def test_every_form_of_a_key_is_the_same_key(entropy: bytes) -> None:
    key = generate_private_key(entropy)
    compressed, uncompressed = point_of(key), point_of(key, compressed=False)
    forms = [key.xpub, spki(compressed), spki(uncompressed), compressed.hex(), compressed.hex().upper()]
    assert {parse_public_key(form) for form in forms} == {key.public_key}
    assert key.public_key.hex == compressed.hex()
    again = PrivateKey.parse(key.xprv)
    assert (again.secret, again.xprv) == (key.secret, key.xprv)


@given(st.integers(1, 2**128))
def test_public_keys_of_another_library_are_parsed(secret: int) -> None:
    public = ec.derive_private_key(secret, ec.SECP256K1()).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    assert parse_public_key(base64.b64encode(der).decode()) == PublicKey(point)


def test_test_network_keys_keep_their_form() -> None:
    raw = base58check.decode(XPRV)
    tprv = base58check.encode(bytes.fromhex("04358394") + raw[4:])
    key = PrivateKey.parse(tprv)
    assert key.xprv == tprv
    assert key.xpub.startswith("tpub")
    assert parse_public_key(key.xpub) == vector_key().public_key


def test_private_key_in_place_of_a_public_key_is_refused_and_not_quoted() -> None:
    damaged = XPRV[:-1] + "z"
    for text in (XPRV, damaged):
        with pytest.raises(KeyFormatError, match="private key") as caught:
            parse_public_key(text)
        assert text[4:20] not in str(caught.value)
        assert caught.value.__cause__ is None


def test_public_key_in_place_of_a_private_key_is_refused() -> None:
    with pytest.raises(KeyFormatError, match="starts with xprv"):
        PrivateKey.parse(vector_key().xpub)


def test_repr_of_a_private_key_hides_it() -> None:
    key = vector_key()
    assert repr(key) == "PrivateKey()"
    for shown in (repr(key), str(key), f"{key}", repr([key])):
        assert key.secret.hex() not in shown
        assert XPRV not in shown


ON_CURVE = bytes.fromhex("02" + f"{1:064x}")
OFF_CURVE = bytes.fromhex("02" + f"{5:064x}")
UNCOMPRESSED = point_of(vector_key(), compressed=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "hello",
        "xpub",
        vector_key().xpub[:-1],
        vector_key().xpub + "1",
        vector_key().xpub.replace("6", "7", 1),
        f"{vector_key().xpub}\n",
        f" {vector_key().xpub}",
        node(version="0488ade4", key=ON_CURVE),
        node(version="0488b21f", key=ON_CURVE),
        node(key=OFF_CURVE),
        node(key=b"\x04" + ON_CURVE[1:]),
        node(key=ON_CURVE, origin=bytes(7) + b"\1"),
        base58check.encode(bytes.fromhex("0488b21e") + bytes(10)),
        vector_key().secret.hex(),
        ON_CURVE.hex()[2:],
        OFF_CURVE.hex(),
        "00" + ON_CURVE.hex()[2:],
        "0x" + ON_CURVE.hex()[2:],
        UNCOMPRESSED.hex(),
        spki(OFF_CURVE),
        spki(b"\x04" + bytes(64)),
        spki(bytes([6 + UNCOMPRESSED[64] % 2]) + UNCOMPRESSED[1:]),
        spki(ON_CURVE)[:-1],
        spki(ON_CURVE).rstrip("="),
        spki(ON_CURVE)[:-2] + "F=",
        spki(ON_CURVE) + "\n",
        base64.b64encode(COMPRESSED_SPKI + ON_CURVE + b"\0").decode(),
        base64.b64encode(ON_CURVE).decode(),
        "\u0660" * 66,
        "1" * 100_000,
    ],
)
def test_invalid_public_key_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(KeyFormatError) as caught:
        parse_public_key(text)
    assert caught.value.message.endswith(".")
    assert len(text) < 20 or text not in caught.value.message


def test_key_of_another_curve_is_refused() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyFormatError, match="something else"):
        parse_public_key(base64.b64encode(der).decode())


def test_bip32_key_of_another_version_is_refused() -> None:
    neighbour = node(version="0488b21f", key=ON_CURVE)
    assert neighbour.startswith("xpub")
    with pytest.raises(KeyFormatError, match="not a valid BIP32 public key"):
        parse_public_key(neighbour)


def test_derived_node_is_used_unchanged() -> None:
    text = node(depth=3, origin=b"\1" * 8, key=ON_CURVE)
    assert parse_public_key(text) == PublicKey(ON_CURVE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "xprv",
        XPRV[:-1],
        XPRV + "1",
        XPRV.replace("3", "4", 1),
        node(version="0488ade4", key=bytes(33)),
        node(version="0488ade4", key=b"\0" + b"\xff" * 32),
        node(version="0488ade4", key=b"\1" * 33),
        node(version="0488ade4", key=b"\0" + b"\1" * 32, origin=b"\1" * 8),
        "L1aW4aubDFB7yfras2S1mN3bqg9nwySY8nkoLmJebSLD5BWv3ENZ",
        "xprv" + "z" * 100_000,
    ],
)
def test_damaged_private_key_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(KeyFormatError) as caught:
        PrivateKey.parse(text)
    assert len(text) < 20 or text[4:20] not in caught.value.message


@pytest.mark.parametrize("length", [0, 15, 65])
def test_entropy_of_a_wrong_length_is_refused(length: int) -> None:
    with pytest.raises(KeyFormatError, match="16 to 64 bytes"):
        generate_private_key(bytes(length))


@pytest.mark.parametrize("raw", [b"", ON_CURVE[1:], OFF_CURVE, UNCOMPRESSED, bytes(33)])
def test_public_key_is_always_a_point_of_the_curve(raw: bytes) -> None:
    with pytest.raises(KeyFormatError):
        PublicKey(raw)


@given(st.binary(max_size=90))
def test_base58check_round_trip(payload: bytes) -> None:
    assert base58check.decode(base58check.encode(payload)) == payload


@given(st.binary(max_size=90), st.data())
def test_base58check_detects_any_changed_character(payload: bytes, data: st.DataObject) -> None:
    text = base58check.encode(payload)
    index = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters().filter(lambda drawn: drawn != text[index]))
    with pytest.raises(ValueError, match=r"checksum|alphabet"):
        base58check.decode(text[:index] + character + text[index + 1 :])


def test_keys_of_different_entropy_differ() -> None:
    assert other_key(1).public_key != other_key(2).public_key


def test_long_base58_text_is_refused_quickly() -> None:
    with pytest.raises(ValueError, match="longer than 200 characters"):
        base58check.decode("z" * 100_000)


def test_bip32_key_of_another_length_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base58check, "decode", lambda _: bytes(77))
    with pytest.raises(KeyFormatError, match="77 bytes instead of BIP32's 78"):
        parse_public_key("xpub")


def test_base58_text_may_have_200_characters() -> None:
    # Each leading zero byte is one character.
    payload = bytes(200 - len(base58check.encode(b"\xff" * 100))) + b"\xff" * 100
    assert len(base58check.encode(payload)) == 200
    assert base58check.decode(base58check.encode(payload)) == payload
    with pytest.raises(ValueError, match="longer than 200 characters"):
        base58check.decode(base58check.encode(b"\0" + payload))
