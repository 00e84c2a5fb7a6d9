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
_TODAY: Final = Link(PREFIX, "Today", "t")
_OF_TRADERS: Final = (
    Link(f"{PREFIX}/trader/money", "Money", "m"),
    Link(f"{PREFIX}/trader/settlements", "Settlements", "s"),
    Link(f"{PREFIX}/trader/disputes", "Disputes", "d"),
    Link(f"{PREFIX}/trader/connections", "Connections", "c"),
    Link(f"{PREFIX}/trader/allocations", "Allocations", "a"),
    Link(f"{PREFIX}/trader/approvals", "Approvals", "p"),
)
_OF_EXCHANGES: Final = (
    Link(f"{PREFIX}/exchange/settlements", "Settlements", "s"),
    Link(f"{PREFIX}/exchange/new", "New settlement", "n"),
    Link(f"{PREFIX}/exchange/disputes", "Disputes", "d"),
    Link(f"{PREFIX}/exchange/connections", "Connections", "c"),
    Link(f"{PREFIX}/exchange/allocations", "Allocations", "a"),
    Link(f"{PREFIX}/exchange/endpoint", "Endpoint", "e"),
)
_OF_BOTH: Final = (
    Link(f"{PREFIX}/webhooks", "Webhooks", "w"),
    Link(f"{PREFIX}/tokens", "Tokens", "k"),
    Link(f"{PREFIX}/session", "Your session", "y"),
)

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
    "allocation_sent": "The request is sent. Its state is below.",
    "approval_approved": "You have approved it.",
    "approval_rejected": "You have rejected it.",
    "connection_changed": "The connection is changed.",
    "dispute_given_up": "The dispute is given up. What happens next is below.",
    "dispute_raised": "The dispute is raised. Its transfers do not run with the settlement.",
    "dispute_retracted": "The dispute is retracted: the settlement's own transfers stand.",
    "dispute_stands_again": "The dispute stands again.",
    "endpoint_changed": "The endpoint is changed.",
    "endpoint_deleted": "The endpoint is deleted. It gets nothing any more.",
    "events_replayed": "The events are sent again.",
    "limits_changed": "The limits are set. Lower ones apply now, higher ones later.",
    "allocation_decided": "Your decision is carried out.",
    "settlement_staged": "The settlement is staged. Its clients may dispute it until the window ends.",
    "settlement_withdrawn": "The settlement is taken back: none of its own transfers runs.",
    "test_sent": "A test event is on its way. Its delivery appears below.",
    "token_revoked": "The token is revoked.",
}
"""What a page says after an act, by its name in the query: another text in the address shows nothing."""


def navigation_of(actor: Actor, *, trades: bool, settles: bool) -> tuple[Link, ...]:
    """Returns the links of a visitor's bar.

    Args:
        actor: the visitor.
        trades: whether its enterprise acts as a client.
        settles: whether it is an exchange. One that trades, too, has both kinds of pages with names of their own.
    """
    if isinstance(actor, Operator):
        return _OF_OPERATORS
    of_exchange = _OF_EXCHANGES if settles else ()
    of_trader: tuple[Link, ...] = _OF_TRADERS if trades else ()
    if settles and trades:
        of_trader = tuple(Link(each.href, f"{each.label} as a client", "") for each in of_trader)
    return (_TODAY, *of_exchange, *of_trader, *_OF_BOTH)
