"""Encryption at rest: AES-256-GCM under the deployment's secret key. A ciphertext is bound to its context."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = b"\x01"

Keys: TypeAlias = Callable[[], Sequence[bytes]]
"""Returns the keys as they are now: the one that encrypts, then others that values may be encrypted with."""


class Vault:
    """Encrypts secrets before they are stored. Keys have 32 bytes and never appear in a repr."""

    def __init__(self, keys: bytes | Keys) -> None:
        if callable(keys):
            self._keys = keys
        else:
            key = keys
            self._keys = lambda: (key,)
        for key in self._keys():
            if len(key) != KEY_BYTES:
                raise ValueError(f"the secret key has {len(key)} bytes, it must have {KEY_BYTES}")

    def encrypt(self, secret: bytes, *, context: str) -> bytes:
        """Returns version byte, nonce, ciphertext and tag. They decrypt only with the same ``context``."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + _cipher(self._keys()[0]).encrypt(nonce, secret, context.encode())

    def decrypt(self, sealed: bytes, *, context: str) -> bytes:
        """Returns the secret.

        Raises:
            InvalidTag: no key fits, the context is another one, or the ciphertext was changed.
            ValueError: this version does not know the form of the ciphertext.
        """
        return self._opened(sealed, context)[0]

    def renewed(self, sealed: bytes, *, context: str) -> bytes | None:
        """Returns the same secret, encrypted with the key that encrypts now. None if it is already.

        Raises:
            InvalidTag, ValueError: as for ``decrypt``.
        """
        secret, position = self._opened(sealed, context)
        return None if position == 0 else self.encrypt(secret, context=context)

    def _opened(self, sealed: bytes, context: str) -> tuple[bytes, int]:
        if sealed[:1] != _VERSION:
            raise ValueError("the secret was encrypted in a form that this version does not know")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        for position, key in enumerate(self._keys()):
            try:
                return _cipher(key).decrypt(nonce, ciphertext, context.encode()), position
            except InvalidTag:
                continue
        raise InvalidTag


@lru_cache(maxsize=8)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)
