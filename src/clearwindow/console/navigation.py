"""Which pages a visitor's bar leads to, and what pages say after an act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from clearwindow.console.rules import PREFIX
from clearwindow.identity.models import Actor, Operator


class Link(NamedTuple):
    """``key``: after g, this key goes there."""

    href: str
    label: str
    key: str


_OF_OPERATORS: Final = (
    Link(PREFIX, "Now", "n"),
    Link(f"{PREFIX}/settlements", "Settlements", "s"),
    Link(f"{PREFIX}/disputes", "Disputes", "d"),
    Link(f"{PREFIX}/proposals", "Proposals", "p"),
    Link(f"{PREFIX}/enterprises", "Enterprises", "e"),
)
_OF_MEMBERS: Final = (Link(PREFIX, "Today", "t"), Link(f"{PREFIX}/session", "Your session", "y"))

MESSAGES: Final[Mapping[str, str]] = {
    "closure_approved": "The closure is approved. Its transfers run with the exchange's next settlement.",
    "closure_cancelled": "The transfers of the closure are cancelled.",
    "closure_rejected": "The closure is rejected. The dispute may be closed again.",
    "dispute_closed": "The dispute is closed: another operator reviews it now.",
    "proposal_approved": "The proposal is approved.",
    "proposal_rejected": "The proposal is rejected.",
    "proposal_withdrawn": "The proposal is withdrawn.",
    "proposed": "Another operator must approve that first. It waits among the proposals.",
    "rejected": "The settlement is rejected.",
    "retried": "The settlement is tried again.",
}
"""What a page says after an act, by its name in the query: another text in the address shows nothing."""


def navigation_of(actor: Actor) -> tuple[Link, ...]:
    return _OF_OPERATORS if isinstance(actor, Operator) else _OF_MEMBERS
