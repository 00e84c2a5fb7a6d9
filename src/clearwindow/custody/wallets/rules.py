"""The order in which a client tries a wallet's keys."""

from __future__ import annotations

from collections.abc import Iterable

from clearwindow.custody.models import GoAccountKey


def keys_to_try(keys: Iterable[GoAccountKey]) -> tuple[GoAccountKey, ...]:
    """Returns the active keys. A client uses the first one and decrypts its ciphertext to sign."""
    active = [key for key in keys if key.revoked_at is None]
    return tuple(sorted(active, key=lambda key: (key.custodian, key.encrypted_prv is None, key.created_at)))
