"""Wallets."""

from __future__ import annotations

from dataclasses import dataclass

from clearwindow.custody.models import GoAccount, GoAccountKey


@dataclass(frozen=True, slots=True)
class Wallet:
    """A Go Account with its active keys, in the order in which a client tries them."""

    account: GoAccount
    keys: tuple[GoAccountKey, ...]

    @property
    def custodian_signs(self) -> bool:
        return any(key.custodian for key in self.keys)
