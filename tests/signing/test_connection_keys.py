"""Connection keys encrypted to a partner, in the form of protocol §3."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from clearwindow.signing.connection_keys import (
    EncryptedFormError,
    claims_encryption,
    decrypt_connection_key,
    encrypt_connection_key,
    parse_rsa_private_key,
    parse_rsa_public_key,
    public_pem,
    require_encrypted_form,
)
from clearwindow.signing.keys import KeyFormatError
from tests.signing.samples import CHARACTERS
from tests.support.connection_keys import CLEAR, ENCRYPTED, PAGE, PRIVATE_PEM, PUBLIC_PEM, partners_key

KEY = partners_key()
PUBLIC = KEY.public_key()


def test_vector_of_the_documentation_decrypts() -> None:
    assert decrypt_connection_key(ENCRYPTED, KEY) == CLEAR
    assert f"`{CLEAR}`" in PAGE.read_text()
    assert public_pem(PUBLIC) == PUBLIC_PEM


@settings(max_examples=25, deadline=None)
@given(clear=st.text(CHARACTERS, min_size=1, max_size=200))
def test_encrypted_text_decrypts_to_itself(clear: str) -> None:
    encrypted = encrypt_connection_key(clear, PUBLIC)
    assert claims_encryption(encrypted)
    require_encrypted_form(encrypted, PUBLIC)
    assert decrypt_connection_key(encrypted, KEY) == clear
    assert encrypt_connection_key(clear, PUBLIC) != encrypted


def test_encrypted_form_is_that_of_the_protocol() -> None:
    """This test decrypts as the protocol describes, without the code under test."""
    first, second = (base64.b64decode(line) for line in encrypt_connection_key("größer", PUBLIC).split("\n"))
    wrapped = KEY.decrypt(first, OAEP(MGF1(SHA256()), SHA256(), None))
    password = base64.b64decode(wrapped)
    assert (len(wrapped), len(password), len(base64.b64decode(password))) == (60, 44, 32)
    version, salt, iv, rest = second[:1], second[1:17], second[17:29], second[29:]
    assert version == b"\x01"
    key = hashlib.pbkdf2_hmac("sha256", password, salt, 200_000, 32)
    assert AESGCM(key).decrypt(iv, rest, None).decode() == "größer"


@settings(max_examples=40, deadline=None)
@given(position=st.integers(0, len(ENCRYPTED) - 1), character=st.sampled_from("AZaz09+/=\n\r -\0"))
def test_changed_text_is_refused(position: int, character: str) -> None:
    changed = ENCRYPTED[:position] + character + ENCRYPTED[position + 1 :]
    if changed != ENCRYPTED:
        with pytest.raises(EncryptedFormError):
            decrypt_connection_key(changed, KEY)


def test_another_key_does_not_decrypt() -> None:
    other = rsa.generate_private_key(65537, 2048)
    require_encrypted_form(ENCRYPTED, other.public_key())
    with pytest.raises(EncryptedFormError, match="another key"):
        decrypt_connection_key(ENCRYPTED, other)
    larger = rsa.generate_private_key(65537, 2056)
    with pytest.raises(EncryptedFormError, match="256 bytes, but the partner's RSA key needs 257"):
        require_encrypted_form(ENCRYPTED, larger.public_key())


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


FIRST, SECOND = ENCRYPTED.split("\n")
MALFORMED = {
    "one line": FIRST,
    "three lines": f"{ENCRYPTED}\n",
    "windows' line break": f"{FIRST}\r\n{SECOND}",
    "an empty first line": f"\n{SECOND}",
    "an empty second line": f"{FIRST}\n",
    "no base64 in the first": f"{FIRST[:-3]}!==\n{SECOND}",
    "no base64 in the second": f"{FIRST}\n{SECOND[:-2]}__",
    "no padding": f"{FIRST.rstrip('=')}\n{SECOND}",
    "a first line too short": f"{b64(bytes(255))}\n{SECOND}",
    "a first line too long": f"{b64(bytes(257))}\n{SECOND}",
    "another version": f"{FIRST}\n{b64(bytes([2]) + bytes(60))}",
    "no room for a byte": f"{FIRST}\n{b64(bytes([1]) + bytes(44))}",
    "base64 with spare bits set": f"{FIRST[:-3]}h==\n{SECOND}",
    "swapped": f"{SECOND}\n{FIRST}",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_encrypted_key_is_refused_and_not_quoted(case: str) -> None:
    for check in (lambda: require_encrypted_form(MALFORMED[case], PUBLIC), decrypting(MALFORMED[case])):
        with pytest.raises(EncryptedFormError) as refused:
            check()
        assert FIRST[:12] not in refused.value.message
        assert SECOND[:12] not in refused.value.message


def decrypting(text: str) -> Callable[[], object]:
    return lambda: decrypt_connection_key(text, KEY)


def test_shortest_encrypted_form_holds_one_byte() -> None:
    require_encrypted_form(f"{FIRST}\n{b64(bytes([1]) + bytes(45))}", PUBLIC)


@pytest.mark.parametrize(
    ("value", "claims"),
    [("one line", False), ("a\nb", True), ("a\r\nb", True), ("a\n", True), (PRIVATE_PEM, False), ("", False)],
)
def test_field_with_a_line_break_is_encrypted_unless_it_is_pem(value: str, *, claims: bool) -> None:
    assert claims_encryption(value) is claims


def test_every_form_of_a_public_key_gives_the_same_pem() -> None:
    der = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pkcs1 = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    for form in (PUBLIC_PEM, PUBLIC_PEM.replace("\n", "\r\n"), b64(der), pkcs1):
        assert public_pem(parse_rsa_public_key(form)) == PUBLIC_PEM


def elliptic() -> str:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must be an RSA key"),
        ("hello", "must be an RSA key"),
        ("größer", "must be an RSA key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "must be an RSA key"),
        (PUBLIC_PEM[:-60], "must be an RSA key"),
        (elliptic(), "must be an RSA key"),
        (PRIVATE_PEM, "private key, now disclosed"),
        (public_pem(rsa.generate_private_key(65537, 1024).public_key()), "1024 bits"),  # noqa: S505 - refused
    ],
)
def test_public_key_of_another_kind_is_refused(text: str, why: str) -> None:
    with pytest.raises(KeyFormatError, match=why):
        parse_rsa_public_key(text)


def test_invalid_private_key_is_refused() -> None:
    for text in ("", "x", PUBLIC_PEM, PRIVATE_PEM[:-100]):
        with pytest.raises(KeyFormatError, match="private key must be"):
            parse_rsa_private_key(text)
