"""Wallets, and what their custodian keys sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from clearwindow.core.money import AmountUnit
from clearwindow.custody.models import GoAccount, GoAccountKey


@dataclass(frozen=True, slots=True)
class Wallet:
    """A Go Account with its active keys, in the order in which a client tries them."""

    account: GoAccount
    keys: tuple[GoAccountKey, ...]

    @property
    def custodian_signs(self) -> bool:
        return any(key.custodian for key in self.keys)


class Names(Enum):
    """Whose currency name an amount of a text has, and its unit."""

    OURS = auto()
    """Ours, in base units."""
    PARTNERS = auto()
    """The partner's, in the unit of its configuration."""
    PARTNERS_IN_BASE_UNITS = auto()


@dataclass(frozen=True, slots=True)
class TextAmount:
    """An amount that a text moves, without its sign: to whom it goes is not looked at."""

    names: Names
    currency: str
    quantity: str


@dataclass(frozen=True, slots=True)
class KnownText:
    """The operations that a text may be for, and the amounts that it moves.

    Amounts that only say what others moved or claim, as in decisions and disputes, are not among them.
    """

    operations: Sequence[str]
    amounts: Sequence[TextAmount]


@dataclass(frozen=True, slots=True)
class PartnerCurrency:
    """One of the enterprise's own currency names as a partner, and what it means."""

    partner_name: str
    currency: str
    decimals: int
    amount_unit: AmountUnit


@dataclass(frozen=True, slots=True)
class DaySum:
    """What custodian keys of an enterprise have signed of a currency on a day, and the limit if there is one."""

    currency: str
    quantity: int
    limit: int | None
