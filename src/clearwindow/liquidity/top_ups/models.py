"""Top-ups that open settlements need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TopUp:
    """What a settlement lacks in one currency if all before it have been topped up, in base units.

    Attributes:
        quantity: what it lacks.
        total: the sum of the quantities of this currency up to and with this one.
        by: until when it must be there. An earlier one may take money that comes, so that its time is never later
            than that of a later one.
    """

    settlement_id: UUID
    currency: str
    quantity: int
    total: int
    by: datetime


@dataclass(frozen=True, slots=True)
class TopUps:
    """The top-ups of a partner's account, in the order in which the settlements execute.

    Attributes:
        external_ids: of their settlements.
        considered: how many open settlements were looked at.
        whole: whether these were all.
    """

    go_account_id: UUID
    as_of: datetime
    needed: Sequence[TopUp]
    external_ids: dict[UUID, str]
    considered: int
    whole: bool
