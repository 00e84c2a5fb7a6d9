"""``clearwindow connect``, ``allocate``, ``deallocate`` and ``approvals``: what a client does with its funds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from uuid import UUID, uuid4

import typer

from clearwindow.cli.people.asking import typed_secret
from clearwindow.cli.people.output import Column
from clearwindow.cli.people.problems import not_yet, refused, usage
from clearwindow.cli.people.reading import Limit, first, page_size
from clearwindow.cli.people.session import Session, for_members

if TYPE_CHECKING:
    from clearwindow.client.answers.allocations import Allocation
    from clearwindow.client.answers.network import Connection

_SHOWN_NAMES: Final = 12
ConnectionName = Annotated[str, typer.Argument(metavar="CONNECTION", help="The connection: its name or id.")]
AmountWords = Annotated[
    list[str], typer.Argument(metavar="AMOUNT", help="The amount with its currency, such as 1.5 BTC.")
]
Reference = Annotated[
    str | None,
    typer.Option(metavar="ID", help="Your own id. The same again does it only once. (default: a new one)"),
]
Notes = Annotated[str | None, typer.Option(help="Any text.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@for_members
def connect(
    session: Session,
    partner: Annotated[str, typer.Argument(metavar="PARTNER", help="The exchange: its name or id.")],
    *,
    name: Annotated[str | None, typer.Option(help="Your name of the connection. (default: the partner's)")] = None,
    connection_token_file: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The file with the token that the exchange gave you; - reads it here."),
    ] = Path("-"),
) -> None:
    """Connect to an exchange, as its client. Becomes a client of the network first, if it is none.

    For exchanges whose connection key is one token. Others need the SDK.
    """
    from clearwindow.client import TokenKey  # noqa: PLC0415 - the SDK takes a while to import

    wanted = _partner_id(session, partner)
    token = _secret(connection_token_file)
    session.client.register()
    made = session.client.connections.create(
        partner_id=wanted, name=name or partner, connection_key=TokenKey(token)
    )
    session.output.record(made, {"connection": made.name, "id": made.id, "active": made.active})


@for_members
def allocate(
    session: Session,
    connection: ConnectionName,
    amount: AmountWords,
    *,
    reference: Reference = None,
    notes: Notes = None,
    yes: Yes = False,
) -> None:
    """Allocate funds from custody to a connection, with your signature."""
    _move(session, "allocate", connection, amount, reference, notes, yes=yes)


@for_members
def deallocate(
    session: Session,
    connection: ConnectionName,
    amount: AmountWords,
    *,
    reference: Reference = None,
    notes: Notes = None,
    yes: Yes = False,
) -> None:
    """Take funds of a connection back into custody, with your signature."""
    _move(session, "deallocate", connection, amount, reference, notes, yes=yes)


@for_members
def approvals(
    session: Session,
    decision: Annotated[
        Literal["list", "approve", "reject"], typer.Argument(help="List what waits, or decide about one.")
    ] = "list",
    approval: Annotated[str | None, typer.Argument(metavar="[APPROVAL]", help="The id of what you decide.")] = None,
    *,
    notes: Notes = None,
    limit: Limit = 50,
) -> None:
    """List what waits for a second person of your enterprise, and approve or reject it."""
    if decision == "list":
        waiting = session.client.approvals.list(statuses=["pending"], page_size=page_size(limit))
        session.output.table(
            "pendingApprovals",
            first(waiting, limit),
            [
                Column("id", lambda each: each.id),
                Column("what", lambda each: each.type.replace("_", " ")),
                Column("amount", lambda each: _approval_amount(session, each), right=True),
                Column("asked by", lambda each: each.initiated_by),
                Column("since", lambda each: each.created_at),
            ],
        )
        return
    if approval is None:
        raise usage(f"Say which: clearwindow approvals {decision} APPROVAL.")
    decided = session.client.approvals.decide(
        approval, decision="approved" if decision == "approve" else "rejected", notes=notes
    )
    session.output.record(decided, {"approval": approval, "decision": f"{decision} is recorded"})


def find_connection(session: Session, name: str) -> Connection:
    """Returns the client's connection with this id or name.

    Raises:
        EndError: there is none.
    """
    try:
        return session.client.connections.get(UUID(name))
    except ValueError:
        pass
    found = list(session.client.connections.list(names=[name]))
    if len(found) != 1:
        raise usage(f"There are {len(found)} connections named {name!r}: clearwindow connections lists them.")
    return found[0]


def _move(
    session: Session,
    verb: Literal["allocate", "deallocate"],
    connection: str,
    words: list[str],
    reference: str | None,
    notes: str | None,
    *,
    yes: bool,
) -> None:
    coin, quantity = session.coins.parse(" ".join(words))
    if quantity <= 0:
        raise usage("The amount must be above 0.")
    where = find_connection(session, connection)
    shown = session.coins.text(coin.name, quantity)
    direction = "to" if verb == "allocate" else "from"
    if not yes and not session.confirm(f"{verb.title()} {shown} {direction} {where.name}?"):
        raise refused("Nothing was done.")
    noun = session.client.allocations
    carry_out: Callable[..., Allocation] = noun.allocate if verb == "allocate" else noun.deallocate
    made = carry_out(
        where.id,
        currency=coin.name,
        quantity=quantity,
        client_external_id=reference or str(uuid4()),
        notes=notes,
    )
    again = " (it was done before)" if made.replayed else ""
    session.output.record(
        made,
        {
            "amount": shown,
            "connection": where.name,
            "status": f"{made.status}{again}",
            "reference": made.client_external_id,
        },
    )
    if made.status == "reserved":
        raise not_yet("It waits for the partner or for a second person: the amount is reserved.")


def _approval_amount(session: Session, approval: Any) -> str | None:  # noqa: ANN401 - one of several kinds
    quantity = approval.quantity
    return None if quantity is None else session.coins.text(approval.currency, quantity)


def _partner_id(session: Session, name: str) -> str:
    try:
        return str(UUID(name))
    except ValueError:
        pass
    known = list(session.client.partners())
    found = [each for each in known if each.name == name] or [
        each for each in known if each.name.casefold() == name.casefold()
    ]
    if not found:
        shown = ", ".join(sorted(each.name for each in known)[:_SHOWN_NAMES]) or "none"
        raise usage(f"There is no exchange named {name!r}. There are: {shown}.")
    if len(found) > 1:
        raise usage(
            f"{len(found)} exchanges are named {name!r}: say the id, {' or '.join(each.id for each in found)}."
        )
    return found[0].id


def _secret(path: Path) -> str:
    """Reads a secret: from a file, from a pipe, or typed without being shown."""
    is_file = path != Path("-")
    text = path.read_text(encoding="utf-8") if is_file else typed_secret("The exchange's token")
    if not text.strip():
        raise usage("There is no connection token: name its file with --connection-token-file.")
    return text.strip()
