"""Connection keys encrypted to a partner: only the partner, who has the private RSA key, can read them.

The form is protocol §3, two lines of base64::

    base64(RSA-OAEP-SHA256(base64(password)))
    base64(0x01 ‖ salt 16 ‖ iv 12 ‖ AES-256-GCM ciphertext ‖ tag 16)

The password is the base64 text of 32 random bytes; the AES key is PBKDF2-HMAC-SHA256(password, salt, 200 000, 32).
The network cannot decrypt it. It checks what is visible without the key.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from clearwindow.signing.keys import KeyFormatError

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
PBKDF2_ITERATIONS: Final = 200_000

_VERSION: Final = b"\x01"
_PASSWORD_BYTES: Final = 32
_SALT_BYTES: Final = 16
_IV_BYTES: Final = 12
_TAG_BYTES: Final = 16
_AES_KEY_BYTES: Final = 32
_HEADER_BYTES: Final = len(_VERSION) + _SALT_BYTES + _IV_BYTES
# A connection key has no empty fields, so that at least one byte is encrypted.
_MIN_SEALED_BYTES: Final = _HEADER_BYTES + 1 + _TAG_BYTES
_LINES: Final = 2
_ARMOUR: Final = "-----BEGIN "
_NOT_RSA: Final = "The public key must be an RSA key: PEM, or the base64 of its DER (SubjectPublicKeyInfo)."


class EncryptedFormError(ValueError):
    """A text that is not an encrypted connection key.

    Attributes:
        message: what is wrong, as the end of a sentence; never quotes the text.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def parse_rsa_public_key(text: str) -> RSAPublicKey:
    """Reads an RSA public key: PEM, or base64 of its SubjectPublicKeyInfo (DER).

    Raises:
        KeyFormatError: anything else; the message never quotes the text, which may be a private key.
    """
    if "PRIVATE KEY" in text:
        raise KeyFormatError("This is a private key, now disclosed: make a new pair and give its public key.")
    try:
        if text.lstrip().startswith(_ARMOUR):
            key = load_pem_public_key(text.encode())
        else:
            key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFormatError(_NOT_RSA) from None
    if not isinstance(key, RSAPublicKey):
        raise KeyFormatError(_NOT_RSA)
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise KeyFormatError(f"The RSA key has {key.key_size} bits: it must have {MIN_RSA_BITS} to {MAX_RSA_BITS}.")
    return key


def public_pem(key: RSAPublicKey) -> str:
    """Returns the key as PEM: the same text for every form of the key."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def parse_rsa_private_key(pem: str) -> RSAPrivateKey:
    """Reads the private key that decrypts: PEM without a passphrase.

    Raises:
        KeyFormatError: anything else; the message never quotes the text.
    """
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFormatError("The private key must be an RSA key in PEM, without a passphrase.") from None
    if not isinstance(key, RSAPrivateKey):
        raise KeyFormatError("The private key must be an RSA key in PEM, without a passphrase.")
    return key


def encrypt_connection_key(clear: str, key: RSAPublicKey) -> str:
    """Encrypts one field of a connection key for the partner with this key. Every call returns a different text."""
    password = base64.b64encode(os.urandom(_PASSWORD_BYTES))
    salt, iv = os.urandom(_SALT_BYTES), os.urandom(_IV_BYTES)
    sealed = _VERSION + salt + iv + AESGCM(_aes_key(password, salt)).encrypt(iv, clear.encode(), None)
    return f"{_text(key.encrypt(base64.b64encode(password), _oaep()))}\n{_text(sealed)}"


def decrypt_connection_key(encrypted: str, key: RSAPrivateKey) -> str:
    """Returns the text that was encrypted to the public key of ``key``.

    Raises:
        EncryptedFormError: the form is wrong, the text was changed, or it was encrypted to another key.
    """
    wrapped, sealed = _parts(encrypted, key.key_size)
    try:
        password = base64.b64decode(key.decrypt(wrapped, _oaep()), validate=True)
        salt, iv = sealed[len(_VERSION) :][:_SALT_BYTES], sealed[_HEADER_BYTES - _IV_BYTES : _HEADER_BYTES]
        clear = AESGCM(_aes_key(password, salt)).decrypt(iv, sealed[_HEADER_BYTES:], None)
        return clear.decode()
    except (ValueError, InvalidTag):
        raise EncryptedFormError("cannot be decrypted: it was changed, or encrypted to another key") from None


def claims_encryption(value: str) -> bool:
    """Returns whether a field is encrypted: it has a line break and is not PEM (choice C70)."""
    return ("\n" in value or "\r" in value) and not value.startswith(_ARMOUR)


def require_encrypted_form(encrypted: str, key: RSAPublicKey) -> None:
    """Checks everything that can be checked without the private key.

    Raises:
        EncryptedFormError: the partner with this key cannot decrypt it.
    """
    _parts(encrypted, key.key_size)


def _parts(encrypted: str, key_bits: int) -> tuple[bytes, bytes]:
    lines = encrypted.split("\n")
    if len(lines) != _LINES:
        raise EncryptedFormError("must be exactly two lines of base64, without a line break at the end")
    wrapped, sealed = _bytes(lines[0], "first"), _bytes(lines[1], "second")
    key_bytes = (key_bits + 7) // 8
    if len(wrapped) != key_bytes:
        raise EncryptedFormError(
            f"the first line has {len(wrapped)} bytes, but the partner's RSA key needs {key_bytes}"
        )
    if sealed[: len(_VERSION)] != _VERSION:
        raise EncryptedFormError("the second line must begin with the version byte 01")
    if len(sealed) < _MIN_SEALED_BYTES:
        raise EncryptedFormError(f"the second line has {len(sealed)} bytes, but needs at least {_MIN_SEALED_BYTES}")
    return wrapped, sealed


def _bytes(line: str, which: str) -> bytes:
    try:
        decoded = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raise EncryptedFormError(f"the {which} line is not base64") from None
    # Base64 has spare bits that decode to nothing: one key, one text.
    if _text(decoded) != line:
        raise EncryptedFormError(f"the {which} line is not canonical base64")
    return decoded


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _oaep() -> padding.OAEP:
    return padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)


def _aes_key(password: bytes, salt: bytes) -> bytes:
    return PBKDF2HMAC(SHA256(), _AES_KEY_BYTES, salt, PBKDF2_ITERATIONS).derive(password)
