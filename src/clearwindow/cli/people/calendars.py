"""``clearwindow calendar`` and ``clearwindow top-ups``: what ends when, and what must be paid in until then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clearwindow.cli.people.output import Column, Format
from clearwindow.cli.people.problems import usage
from clearwindow.cli.people.reading import Limit, first, page_size
from clearwindow.cli.people.session import Session, for_members

if TYPE_CHECKING:
    from clearwindow.client.answers.liquidity import ClientDeadline, PartnerDeadline

_KINDS: Final = {
    "dispute_window_ends": "the dispute window ends",
    "top_up_window_ends": "the top-up window ends",
    "closures_run": "the closures that it took execute",
}


@for_members
def calendar(session: Session, *, limit: Limit = 50) -> None:
    """List when the windows of open settlements end, the earliest first, with what each settlement takes."""
    noun: Any = session.partner.settlements if session.is_partner else session.client.settlements
    session.output.table(
        "deadlines",
        first(noun.calendar(page_size=page_size(limit)), limit),
        [
            Column("at", lambda each: each.at),
            Column("settlement", lambda each: each.external_id),
            Column("what", _what),
            Column("you gain or lose", lambda each: _change(session, each), right=True),
        ],
    )


@for_members
def top_ups(
    session: Session,
    *,
    worst_case: Annotated[
        bool,
        typer.Option("--worst-case", help="As if every client disputed what it would lose, as long as it can."),
    ] = False,
) -> None:
    """List what must be paid into your account, and until when. For exchanges."""
    if not session.is_partner:
        raise usage("Only exchanges top up: clearwindow movable shows what you can allocate.")
    found = session.partner.settlements.top_ups(worst_case=worst_case)
    output = session.output
    if output.form is Format.JSON:
        output.record(found, {})
        return
    text = session.coins.text
    output.table(
        "topUps",
        found.top_ups,
        [
            Column("until", lambda each: each.by),
            Column("late", lambda each: each.overdue),
            Column("settlement", lambda each: each.external_id),
            Column("lacks", lambda each: text(each.currency, each.quantity), right=True),
            Column("with those before", lambda each: text(each.currency, each.total), right=True),
        ],
    )
    if not found.all_considered:
        output.note(f"Only {found.considered_settlements} of your open settlements were looked at.")


def _what(deadline: PartnerDeadline | ClientDeadline) -> str:
    shown = _KINDS.get(deadline.kind, deadline.kind)
    return f"{shown}, paused" if deadline.paused else shown


def _change(session: Session, deadline: Any) -> str | None:  # noqa: ANN401 - of either side
    changes: dict[str, int] = {}
    if session.is_partner:
        changes = {each.currency: each.change for each in deadline.partner_account}
    else:
        for each in deadline.network_accounts:
            changes[each.currency] = changes.get(each.currency, 0) + each.quantity
    return ", ".join(session.coins.text(name, change) for name, change in sorted(changes.items())) or None
