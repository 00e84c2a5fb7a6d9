"""The largest amount that would be accepted, and the reasons against more. Pure. Protocol §4."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from clearwindow.allocations import rules as allocation_rules
from clearwindow.allocations.models import AllocationType, Parties, Refusal
from clearwindow.ledger.models import Balance
from clearwindow.liquidity.movable.models import Movable, Reason
from clearwindow.pauses.models import Pause, PauseKind
from clearwindow.pauses.rules import told

_ENOUGH: Final = Balance(1, 0)
"""With it, one base unit is refused only for another reason than lack of funds."""


def allocatable(
    parties: Parties, currency: str, balance: Balance, pauses: Sequence[Pause], *, licensed: bool
) -> Movable:
    """Returns what can be allocated of the Go Account's balance. ``pauses``: all of its sides and currencies."""
    reasons = [] if licensed else [Reason("partner_not_licensed")]
    if not parties.currencies.partner_names(currency):
        reasons.append(Reason("currency_not_supported"))
    reasons += _refused(AllocationType.ALLOCATION, parties)
    return movable(balance, [*reasons, *_paused(pauses, currency)])


def deallocatable(parties: Parties, currency: str, balance: Balance, pauses: Iterable[Pause]) -> Movable:
    """Returns what can be taken back of the network account's balance. A paused partner does not stop it."""
    standing = [pause for pause in pauses if pause.kind is not PauseKind.PARTNER]
    reasons = _refused(AllocationType.DEALLOCATION, parties)
    return movable(balance, [*reasons, *_paused(standing, currency)])


def withdrawable(currency: str, balance: Balance, pauses: Iterable[Pause]) -> Movable:
    """Returns what can be withdrawn of a Go Account's balance. ``pauses``: all that touch it or a currency."""
    return movable(balance, _paused(pauses, currency))


def movable(balance: Balance, reasons: Sequence[Reason]) -> Movable:
    """Returns all that is available, or nothing and the reasons."""
    if reasons:
        return Movable(0, reasons)
    lacking = [] if balance.available else [Reason(Refusal.INSUFFICIENT_FUNDS.value)]
    return Movable(balance.available, lacking)


def _refused(kind: AllocationType, parties: Parties) -> list[Reason]:
    why = allocation_rules.refusal(kind, parties.client, parties.partner, parties.connection, _ENOUGH, 1)
    return [Reason(why.value)] if why else []


def _paused(pauses: Iterable[Pause], currency: str) -> list[Reason]:
    return [Reason("paused", told(pause)) for pause in pauses if pause.currency in (None, currency)]
