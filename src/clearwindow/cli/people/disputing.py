"""``clearwindow disputes``: list, show, raise, retract and close them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clearwindow.cli.people.moving import find_connection
from clearwindow.cli.people.output import Column
from clearwindow.cli.people.problems import not_yet, refused, usage
from clearwindow.cli.people.reading import Limit, find_settlement, first, page_size
from clearwindow.cli.people.session import Session, for_members

if TYPE_CHECKING:
    from clearwindow.client.answers.disputes import Dispute

disputes_app: Final = typer.Typer(
    help="List, show, raise, retract and close disputes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
DisputeId = Annotated[str, typer.Argument(metavar="DISPUTE", help="The id of the dispute.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@disputes_app.command("list")
@for_members
def list_disputes(
    session: Session,
    *,
    settlement: Annotated[str | None, typer.Option(help="Only those of this settlement.")] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that nobody has closed.")] = False,
    limit: Limit = 50,
) -> None:
    """List disputes, newest first."""
    filters: dict[str, Any] = {"page_size": page_size(limit)}
    if settlement is not None:
        filters["settlement_ids"] = [find_settlement(session, settlement)]
    if open_only:
        filters["closed"] = False
    noun: Any = session.partner.disputes if session.is_partner else session.client.disputes
    session.output.table(
        "disputes",
        first(noun.list(**filters), limit),
        [
            Column("id", lambda each: each.id),
            Column("settlement", lambda each: each.disputed_settlement_id),
            Column("connection", lambda each: each.connection_id),
            Column("the client expects", lambda each: _expected(session, each)),
            Column("state", _state),
            Column("raised", lambda each: each.created_at),
        ],
    )


@disputes_app.command("show")
@for_members
def show(session: Session, dispute: DisputeId) -> None:
    """Show a dispute with its closure."""
    found = _find(session, dispute)
    closure = found.dispute_closure
    session.output.record(
        found,
        {
            "id": found.id,
            "settlement": found.disputed_settlement_id,
            "connection": found.connection_id,
            "the client expects": _expected(session, found),
            "reason": found.reason,
            "state": _state(found),
            "raised": found.created_at,
            "closed with": None if closure is None else _amounts(session, closure.adjusted_transfers),
            "notes": None if closure is None else closure.notes,
            "settled in": found.settled_in_settlement_id,
        },
    )


@disputes_app.command("raise")
@for_members
def raise_dispute(
    session: Session,
    settlement: Annotated[
        str, typer.Argument(metavar="SETTLEMENT", help="The settlement: its id or the exchange's external id.")
    ],
    *,
    connection: Annotated[str, typer.Option(help="Your connection: its name or id.")],
    expect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AMOUNT",
            help="What you expect to receive, such as '1 BTC'; a minus sends. Repeat it by currency.",
        ),
    ] = None,
    expect_nothing: Annotated[
        bool, typer.Option("--expect-nothing", help="You expect that nothing moves.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why, in words.")] = None,
    yes: Yes = False,
) -> None:
    """Dispute a settlement on one connection, with your signature. Only inside the dispute window."""
    if bool(expect) == expect_nothing:
        raise usage("Say what you expect with --expect, or --expect-nothing.")
    expected: dict[str, int] = {}
    for text in expect or ():
        coin, quantity = session.coins.parse(text)
        if coin.name in expected:
            raise usage(f"--expect has {coin.label} twice.")
        expected[coin.name] = quantity
    settlement_id = find_settlement(session, settlement, as_client=True)
    where = find_connection(session, connection)
    shown = _amounts(session, expected)
    if not yes and not session.confirm(f"Dispute the settlement {settlement} on {where.name}, expecting {shown}?"):
        raise refused("Nothing was done.")
    made = session.client.disputes.create(
        settlement_id, connection_id=where.id, expected_transfers=expected, reason=reason
    )
    session.output.record(made, {"dispute": made.id, "the client expects": shown, "state": _state(made)})


@disputes_app.command("retract")
@for_members
def retract(
    session: Session,
    dispute: DisputeId,
    *,
    reason: Annotated[str | None, typer.Option(help="Why, in words.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the retraction back.")] = False,
) -> None:
    """Retract a dispute, with your signature. Only inside the dispute window."""
    found = _find(session, dispute)
    made = session.client.disputes.update(
        found.id, connection_id=found.connection_id, retracted=not undo, reason=reason
    )
    session.output.record(made, {"dispute": made.id, "state": _state(made)})


@disputes_app.command("close")
@for_members
def close(
    session: Session,
    dispute: DisputeId,
    *,
    notes: Annotated[str, typer.Option(help="Why you give it up.")],
    yes: Yes = False,
) -> None:
    """Give up a dispute after its window, with your signature: the original transfers stand if it is approved."""
    if not yes and not session.confirm(f"Give up the dispute {dispute}? The original transfers stand then."):
        raise refused("Nothing was done.")
    made = session.client.disputes.close(dispute, notes=notes)
    session.output.record(made, {"closure": made.id, "status": made.status})
    if made.status == "pending_review":
        raise not_yet("An operator must review the closure.")


def _find(session: Session, dispute: str) -> Dispute:
    noun: Any = session.partner.disputes if session.is_partner else session.client.disputes
    for found in noun.list(dispute_ids=[dispute], page_size=1):
        return found  # type: ignore[no-any-return]
    raise refused(f"There is no dispute {dispute}: clearwindow disputes list has them.")


def _expected(session: Session, dispute: Dispute) -> str:
    return _amounts(session, dispute.expected_transfers)


def _amounts(session: Session, amounts: Any) -> str:  # noqa: ANN401 - a mapping of currencies
    return ", ".join(session.coins.text(name, quantity) for name, quantity in amounts.items()) or "nothing"


def _state(dispute: Dispute) -> str:
    if dispute.retracted:
        return "retracted"
    if dispute.dispute_closure is None:
        return "open"
    settled = ", settled" if dispute.settled_in_settlement_id else ""
    return f"closed ({dispute.dispute_closure.status.replace('_', ' ')}){settled}"
