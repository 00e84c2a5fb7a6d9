"""Encryption at rest: AES-256-GCM under the deployment's secret key, bound to what is encrypted."""

from __future__ import annotations

import os
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = b"\x01"


class Vault:
    """Encrypts secrets before they are stored. A key is 32 bytes; its text never appears in a repr."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the secret key has {len(key)} bytes, it must have {KEY_BYTES}")
        self._cipher = AESGCM(key)

    def encrypt(self, secret: bytes, *, context: str) -> bytes:
        """Version byte, nonce, ciphertext and tag; decrypts only under the same ``context``."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, context.encode())

    def decrypt(self, sealed: bytes, *, context: str) -> bytes:
        """Raises ``cryptography.exceptions.InvalidTag`` for another key, another context or a changed text."""
        if sealed[:1] != _VERSION:
            raise ValueError("the secret was sealed in a form this version does not know")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        return self._cipher.decrypt(nonce, ciphertext, context.encode())
