"""In which order a client tries a wallet's keys. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from clearwindow.accounts.values import GoAccountKey


def keys_to_try(keys: Iterable[GoAccountKey]) -> tuple[GoAccountKey, ...]:
    """The keys in force: a client takes the first one for its own, and opens its ciphertext to sign."""
    in_force = [key for key in keys if key.revoked_at is None]
    return tuple(sorted(in_force, key=lambda key: (key.custodian, key.encrypted_prv is None, key.created_at)))
