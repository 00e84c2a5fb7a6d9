"""``clearwindow balances``, ``settlements`` and ``connections``: what a member reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar
from uuid import UUID

import typer

from clearwindow.cli.people.harmless import harmless
from clearwindow.cli.people.moments import left_text, moment_text
from clearwindow.cli.people.output import Column, Format
from clearwindow.cli.people.problems import not_yet, refused, usage
from clearwindow.cli.people.session import Session, for_members

if TYPE_CHECKING:
    from clearwindow.client.answers.base import Balance
    from clearwindow.client.answers.network import Connection
    from clearwindow.client.answers.settlements import Settlement

T = TypeVar("T")

_PAGE: Final = 500
Limit = Annotated[int, typer.Option(min=0, metavar="N", help="Show at most this many; 0 shows all.")]


class Status(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"


def first(items: Iterable[T], limit: int) -> Iterator[T]:
    """Yields the first ones, or all of them if the limit is 0."""
    return islice(items, limit or None)


def page_size(limit: int) -> int:
    """Returns how many entries a request should read."""
    return min(limit or _PAGE, _PAGE)


@for_members
def balances(session: Session) -> None:
    """Show what you have: in custody, and on each connection, available and held."""
    is_partner = session.is_partner
    read = session.partner.balances() if is_partner else session.client.balances()
    rows: list[tuple[str, str, Balance]] = []
    rows += [("custody", name, balance) for name, balance in sorted((read.balances or {}).items())]
    names = names_of_connections(session) if is_partner and session.output.form is not Format.JSON else {}
    for connection_id, found in read.network_balances.items():
        place = names.get(connection_id) or getattr(found, "name", None) or connection_id
        rows += [(place, name, balance) for name, balance in sorted(found.balances.items())]
    if session.output.form is Format.JSON:
        session.output.record(read, {})
        return
    text = session.coins.theirs_text if is_partner else session.coins.text
    session.output.table(
        "balances",
        rows,
        [
            Column("where", lambda row: row[0]),
            Column("available", lambda row: text(row[1], row[2].available), right=True),
            Column("held", lambda row: text(row[1], row[2].held), right=True),
        ],
    )


def names_of_connections(session: Session) -> dict[str, str]:
    """Returns the names that clients gave them, by id; with the id if several have the same name."""
    noun: Any = session.partner.connections if session.is_partner else session.client.connections
    names = {each.id: each.name for each in noun.list(page_size=_PAGE)}
    used = Counter(names.values())
    return {each: name if used[name] == 1 else f"{name} ({each})" for each, name in names.items()}


@for_members
def connections(session: Session, *, limit: Limit = 50) -> None:
    """List your connections: as a client to exchanges, as an exchange those of its clients."""
    noun = session.partner.connections if session.is_partner else session.client.connections
    session.output.table(
        "connections",
        first(noun.list(page_size=page_size(limit)), limit),
        [
            Column("name", lambda each: each.name),
            Column("id", lambda each: each.id),
            Column("partner's id", lambda each: each.partners_connection_id),
            Column("state", _connection_state),
            Column("since", lambda each: each.created_at),
        ],
    )


@for_members
def settlements(  # noqa: PLR0913 - each is an option of the command
    session: Session,
    settlement: Annotated[
        str | None, typer.Argument(metavar="[SETTLEMENT]", help="Show this one: its id or your external id.")
    ] = None,
    *,
    status: Annotated[list[Status] | None, typer.Option(help="Only those with this status; repeatable.")] = None,
    disputed: Annotated[bool, typer.Option("--disputed", help="Only those with disputes.")] = False,
    limit: Limit = 20,
    withdraw: Annotated[
        bool,
        typer.Option(
            "--withdraw",
            help="Take this one back, with your signature, as its exchange. Only in its dispute window.",
        ),
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="With --withdraw: why, in words. Everybody in it reads it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --withdraw: do not ask.")] = False,
) -> None:
    """List settlements, newest first, show one with its transfers and disputes, or take one back."""
    if withdraw:
        _withdraw(session, settlement, reason, yes=yes)
        return
    if settlement is not None:
        show_settlement(session, settlement, limit)
        return
    filters: dict[str, Any] = {"page_size": page_size(limit)}
    if disputed:
        filters["only_show_disputed"] = True
    noun: Any = session.partner.settlements if session.is_partner else session.client.settlements
    if status and not session.is_partner:
        filters["statuses"] = status
    found = noun.list(**filters)
    if status and session.is_partner:
        # The partner's list of the contract has no filter by status.
        found = (each for each in found if each.status in status)
    session.output.table(
        "settlements",
        first(found, limit),
        [
            Column("external id", lambda each: each.external_id),
            Column("id", lambda each: each.id),
            Column("state", settlement_state),
            Column("disputed", lambda each: bool(each.disputed)),
            Column("created", lambda each: each.created_at),
            Column("next deadline", _next_deadline),
        ],
    )


def _withdraw(session: Session, name: str | None, reason: str | None, *, yes: bool) -> None:
    if name is None or not reason:
        raise usage("Say which settlement, and why: clearwindow settlements SETTLEMENT --withdraw --reason WHY.")
    if not session.is_partner:
        raise usage(
            "Only the exchange that staged a settlement takes it back. As its client: clearwindow disputes."
        )
    settlement_id = find_settlement(session, name)
    if not yes and not session.confirm(f"Take back the settlement {name}? None of its new amounts will move."):
        raise refused("Nothing was done.")
    taken = session.partner.settlements.withdraw(settlement_id, reason=reason)
    session.output.record(taken, settlement_fields(taken))
    if taken.status == "pending":
        raise not_yet("Its amounts are taken back. The closed disputes that it took are still carried out with it.")


def find_settlement(session: Session, name: str, *, as_client: bool = False) -> str:
    """Returns the id of a settlement: as it is, or found by the partner's external id.

    Raises:
        EndError: there is none, or several exchanges of a client have one.
    """
    try:
        return str(UUID(name))
    except ValueError:
        pass
    if session.is_partner and not as_client:
        found = [each.id for each in session.partner.settlements.list(external_ids=[name])]
    else:
        # The client's list of the contract has no filter by the partner's ids.
        newest = islice(session.client.settlements.list(page_size=_PAGE), _PAGE)
        found = [each.id for each in newest if each.external_id == name]
    if len(found) > 1:
        raise usage(f"{len(found)} settlements are named {name!r}: say the id, {' or '.join(found[:5])}.")
    if not found:
        raise refused(f"There is no settlement {name!r}: clearwindow settlements lists them.")
    return found[0]


def show_settlement(session: Session, name: str, limit: int) -> None:
    """Shows one settlement."""
    settlement_id = find_settlement(session, name)
    noun: Any = session.partner.settlements if session.is_partner else session.client.settlements
    detail = noun.get(settlement_id)
    output, staged = session.output, detail.settlement
    if output.form is Format.JSON:
        output.record(detail, {})
        return
    if output.form is Format.PEOPLE:
        output.record(staged, settlement_fields(staged))
        typer.echo("")
    output.table(
        "transfers",
        first(detail.settlement_transfers, limit),
        [
            Column("amount", lambda each: session.coins.text(each.currency, each.quantity), right=True),
            Column("status", lambda each: each.status),
            Column("from", lambda each: each.source_network_account_id or each.source_trading_account_id),
            Column("to", lambda each: each.destination_network_account_id or each.destination_trading_account_id),
        ],
    )
    shown = min(len(detail.settlement_transfers), limit or _PAGE)
    total = detail.meta.total or shown
    if output.form is Format.PEOPLE and total > shown:
        output.note(f"{shown} of {total} transfers are shown: --limit shows more of a page, --json a whole one.")
    for dispute in detail.settlement_disputes if output.form is Format.PEOPLE else ():
        typer.echo(f"dispute {harmless(dispute.id)}: {'retracted' if dispute.retracted else 'open'}")


def settlement_fields(staged: Settlement) -> dict[str, object]:
    """Returns what people want to know of a settlement."""
    return {
        "external id": staged.external_id,
        "id": staged.id,
        "state": settlement_state(staged),
        "reason": staged.reason,
        "notes": staged.notes,
        "cutoff": staged.cutoff_at,
        "created": staged.created_at,
        "disputes until": staged.dispute_deadline_at,
        "top-ups until": staged.top_up_deadline_at,
        "withdrawn": staged.withdrawn_at,
        "paused since": staged.paused_since,
        "ended": staged.finalized_at,
    }


def settlement_state(staged: Settlement) -> str:
    """Returns the state in words."""
    stage = (staged.stage or "").replace("_", " ")
    paused = ", paused" if staged.paused_since is not None else ""
    return (
        f"{staged.status} ({stage}){paused}" if staged.status == "pending" and stage else f"{staged.status}{paused}"
    )


def next_deadline(staged: Settlement) -> datetime | None:
    """Returns the deadline that a pending settlement waits for."""
    if staged.status != "pending":
        return None
    return staged.dispute_deadline_at if staged.stage == "dispute_window" else staged.top_up_deadline_at


def _next_deadline(staged: Settlement) -> str | None:
    ends = next_deadline(staged)
    return None if ends is None else f"{moment_text(ends)}, in {left_text(ends - datetime.now(UTC))}"


def _connection_state(connection: Connection) -> str:
    if not connection.initialized:
        return "not confirmed by the partner"
    return "active" if connection.active else "stopped"
