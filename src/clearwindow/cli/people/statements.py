"""``clearwindow statement``: what an account had, what changed it, and what is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from clearwindow.cli.people.moments import parse_moment
from clearwindow.cli.people.output import Column, Format
from clearwindow.cli.people.problems import usage
from clearwindow.cli.people.reading import Limit, first, page_size
from clearwindow.cli.people.session import Session, for_members

if TYPE_CHECKING:
    from clearwindow.client.answers.statements import Statement, StatementEntry


@for_members
def statement(
    session: Session,
    connection: Annotated[
        str | None, typer.Argument(metavar="[CONNECTION]", help="The connection: its name or id.")
    ] = None,
    *,
    account: Annotated[str | None, typer.Option(metavar="ID", help="The account, such as your Go Account.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin then. (default: when the account was opened)")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="End before then. (default: now)")] = None,
    currency: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only entries in this currency; repeatable.")
    ] = None,
    limit: Limit = 100,
) -> None:
    """Show an account over a period: opening, entries, closing, and what is held. With --csv the entries."""
    if (connection is None) == (account is None):
        raise usage("Say a connection or --account.")
    account_id = account or _network_account(session, connection or "")
    period: dict[str, Any] = {}
    if since is not None:
        period["created_on_or_after"] = parse_moment(since)
    if until is not None:
        period["created_before"] = parse_moment(until)
    only: dict[str, Any] = {"currencies": [session.coins.find(name).name for name in currency]} if currency else {}
    listed = session.client.statements.entries(
        account_id, **period, **only, page_size=page_size(limit and limit + 1)
    )
    entries = list(first(listed, limit and limit + 1))
    found = session.client.statements.get(account_id, **period)
    more = bool(limit) and len(entries) > limit
    entries = entries[: limit or None]
    if session.output.form is Format.JSON:
        session.output.record({"statement": found, "entries": entries}, {})
    else:
        _show(session, found, entries)
    if more:
        session.output.note(f"Only the first {limit} entries are shown: --limit 0 shows all.")


def _show(session: Session, found: Statement, entries: list[StatementEntry]) -> None:
    text, output = session.coins.text, session.output
    if output.form is Format.PEOPLE:
        shown = {
            "account": found.account.id,
            "name": found.account.label,
            "from": found.created_on_or_after,
            "until": found.created_before or found.read_at,
        }
        output.record(found, shown)
        output.heading("Balances")
        output.table(
            "balances",
            sorted(found.balances.items()),
            [
                Column("opening", lambda row: text(row[0], row[1].opening.available), right=True),
                Column("held", lambda row: text(row[0], row[1].opening.held), right=True),
                Column("closing", lambda row: text(row[0], row[1].closing.available), right=True),
                Column("held then", lambda row: text(row[0], row[1].closing.held), right=True),
            ],
        )
        output.heading("Entries")
    output.table(
        "entries",
        entries,
        [
            Column("at", lambda each: each.created_at),
            Column("available", lambda each: text(each.currency, each.available), right=True),
            Column("held", lambda each: text(each.currency, each.held), right=True),
            Column("what", lambda each: each.description),
            Column("reference", lambda each: each.external_id or each.reference),
        ],
    )
    if output.form is Format.PEOPLE and found.held:
        output.heading("Held now")
        output.table(
            "held",
            found.held,
            [
                Column("amount", lambda each: text(each.currency, each.quantity), right=True),
                Column("for", lambda each: each.description),
            ],
        )


def _network_account(session: Session, name: str) -> str:
    """Returns the account of the connection with this id or name, of either side.

    Raises:
        EndError: there is none, or several have the name.
    """
    noun: Any = session.partner.connections if session.is_partner else session.client.connections
    try:
        return str(noun.get(UUID(name)).network_account_id)
    except ValueError:
        pass
    found = [each.network_account_id for each in noun.list(page_size=page_size(0)) if each.name == name]
    if len(found) != 1:
        raise usage(f"There are {len(found)} connections named {name!r}: clearwindow connections lists them.")
    return str(found[0])
