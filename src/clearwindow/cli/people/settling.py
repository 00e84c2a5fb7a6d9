"""``clearwindow settle``: shows what a settlement would do, asks, signs, stages it and follows it to its end."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

import typer

from clearwindow.cli.people.following import NetworkClock, follow
from clearwindow.cli.people.harmless import harmless
from clearwindow.cli.people.moments import moment_text, parse_moment
from clearwindow.cli.people.output import Column, Format, coloured
from clearwindow.cli.people.problems import INTERRUPTED, UNREACHABLE, EndError, refused, usage
from clearwindow.cli.people.reading import settlement_fields
from clearwindow.cli.people.session import Session, for_members
from clearwindow.cli.people.settling_file import SettlementFile, read_file, wire_amounts

if TYPE_CHECKING:
    from clearwindow.client.answers.disputes import Dispute
    from clearwindow.client.answers.settlements import Settlement, SettlementPreview

_SHOWN_SHORT: Final = 20
_SHOWN_DISPUTES: Final = 20
_LONGEST_ID: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The request that is previewed and staged: both have the same values.

    ``names`` are those that the file has for the connections, by their ids.
    """

    external_id: str
    settlement_amounts: Mapping[str, Any]
    cutoff_at: datetime
    notes: str | None
    names: Mapping[str, str]

    def values(self) -> dict[str, Any]:
        return {
            "external_id": self.external_id,
            "settlement_amounts": self.settlement_amounts,
            "cutoff_at": self.cutoff_at,
            "notes": self.notes,
        }


@for_members
def settle(
    session: Session,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with connection, currency and amount, or JSON.")
    ],
    *,
    external_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Your id of the settlement. (default: the file's, else the file's name)"),
    ] = None,
    cutoff: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Trades until then are in it. (default: the file's, else now)"),
    ] = None,
    notes: Annotated[str | None, typer.Option(help="Any text.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_follow: Annotated[bool, typer.Option("--no-follow", help="Do not wait for its end.")] = False,
) -> None:
    """Settle: show totals, shortfalls and disputes, ask, sign, stage, and follow to the end. For exchanges.

    A minus means that the connection loses. Amounts are coins. The same file again does not settle twice: it
    follows the settlement that was staged. Ctrl-C says what is staged.
    """
    if session.coins.amount_unit is None:
        raise usage("This enterprise is no exchange: only exchanges settle.")
    found = read_file(file, session.coins)
    name = external_id or found.external_id or _name_of(file)
    if not 0 < len(name) <= _LONGEST_ID:
        raise usage(f"The external id must have 1 to {_LONGEST_ID} characters: say another with --external-id.")
    ids = _ids_of(session, found)
    amounts = wire_amounts(found.rows, ids, session.coins)
    staged = _staged_before(session, name)
    plan = _Plan(
        external_id=name,
        settlement_amounts=amounts,
        cutoff_at=_cutoff(cutoff, found, staged),
        notes=notes if notes is not None else found.notes if staged is None else staged.notes,
        names={connection_id: each for each, connection_id in ids.items()},
    )
    preview = session.partner.settlements.preview(**plan.values())
    clock = NetworkClock(preview.previewed_at)
    told = ""
    if staged is not None:
        if preview.repeats_settlement_id != staged.id:
            raise refused(
                f"The external id {name!r} is used by a settlement with other values ({staged.id})."
                " Nothing was done: say another one with --external-id if this is another settlement."
            )
        session.output.note(f"{name} is staged already ({staged.id}).")
    else:
        staged = _stage(session, plan, preview, yes=yes)
        # The question may have been open for long.
        clock = NetworkClock(staged.created_at)
        told = f"Staged: {staged.external_id} ({staged.id}). Disputes until {_deadline(staged)}."
    ended = follow(session, staged, clock, told, to_the_end=not no_follow)
    fields = settlement_fields(ended)
    session.output.record({"settlement": ended, "preview": preview}, fields)
    if ended.status in ("failed", "rejected"):
        raise refused(f"The settlement is {ended.status}{f': {ended.reason}' if ended.reason else ''}.")


def _stage(session: Session, plan: _Plan, preview: SettlementPreview, *, yes: bool) -> Settlement:
    from clearwindow.client import ConflictError, NoAnswerError, ServerError  # noqa: PLC0415 - a slow import

    if session.output.form is Format.PEOPLE:
        _show(session, plan, preview)
    if not preview.accepted:
        for refusal in preview.refusals:
            session.output.note(f"{refusal.error} ({refusal.name})")
        raise refused("The network would refuse this settlement. Nothing was staged.")
    try:
        if not yes and not session.confirm(f"Sign and stage {plan.external_id}?"):
            raise refused("Nothing was staged.")
    except (KeyboardInterrupt, typer.Abort):
        raise EndError("Interrupted. Nothing was staged.", INTERRUPTED) from None
    again = "The same command follows it if it was staged, and stages it if not."
    try:
        unit: Any = session.coins.amount_unit
        staged = session.partner.settlements.create(**plan.values(), amount_unit=unit)
    except KeyboardInterrupt:
        raise EndError(f"Interrupted while it was sent. {again}", INTERRUPTED) from None
    except (NoAnswerError, ServerError) as error:
        raise EndError(f"{error}\n{again}", UNREACHABLE) from None
    except ConflictError:
        # Somebody else ran the same command at the same moment.
        other = _staged_before(session, plan.external_id)
        if other is None:
            raise
        raise refused(f"Meanwhile {plan.external_id} was staged ({other.id}). {again}") from None
    return staged


def _deadline(staged: Settlement) -> str:
    return "now" if staged.dispute_deadline_at is None else moment_text(staged.dispute_deadline_at)


def _closed_with(session: Session, dispute: Dispute) -> str:
    closure = dispute.dispute_closure
    adjusted = {} if closure is None else closure.adjusted_transfers
    return ", ".join(session.coins.text(name, quantity) for name, quantity in adjusted.items()) or "nothing"


def _name_of(file: Path) -> str:
    if not file.is_file():
        raise usage("Say the external id with --external-id: what is no file has no name that stays the same.")
    return file.stem


def _staged_before(session: Session, external_id: str) -> Settlement | None:
    for found in session.partner.settlements.list(external_ids=[external_id], page_size=1):
        return found
    return None


def _cutoff(given: str | None, found: SettlementFile, staged: Settlement | None) -> datetime:
    if given is not None:
        return parse_moment(given)
    if found.cutoff_at is not None:
        return found.cutoff_at
    if staged is not None and staged.cutoff_at is not None:
        return staged.cutoff_at
    return datetime.now(UTC)


def _ids_of(session: Session, found: SettlementFile) -> dict[str, str]:
    """Returns the ids of the connections that the file names: by id, by the partner's own id, or by a name."""
    named = {
        side: row.place for row in found.rows for side in (row.connection, row.counterparty) if side is not None
    }
    ids: dict[str, str] = {}
    for name in named:
        try:
            ids[name] = str(UUID(name))
        except ValueError:
            continue
    if len(ids) == len(named):
        return ids
    by_name: dict[str, set[str]] = {}
    for each in session.partner.connections.list(page_size=500):
        for its_name in {each.partners_connection_id, each.name} & named.keys():
            by_name.setdefault(str(its_name), set()).add(each.id)
    for name, place in named.items():
        if name in ids:
            continue
        matching = by_name.get(name, set())
        if len(matching) != 1:
            raise usage(
                f"{place}: {len(matching)} connections are named {name[:80]!r}. Say the id:"
                " clearwindow connections shows it."
            )
        ids[name] = next(iter(matching))
    return ids


def _show(session: Session, plan: _Plan, preview: SettlementPreview) -> None:
    text, output = session.coins.text, session.output
    output.record(
        preview,
        {
            "amounts": preview.amount_count,
            "disputes until": preview.dispute_deadline_at,
            "top-ups until": preview.top_up_deadline_at,
            "executes": "as soon as it is funded" if preview.execute_when_funded else None,
            "warnings": ", ".join(preview.warnings) or None,
        },
    )
    typer.echo("")
    output.table(
        "currencies",
        preview.currencies,
        [
            Column("clients gain", lambda each: text(each.currency, each.gained), right=True),
            Column("clients lose", lambda each: text(each.currency, each.lost), right=True),
            Column("from disputes", lambda each: text(each.currency, each.from_closures), right=True),
            Column("clients lack", lambda each: text(each.currency, each.shortfall), right=True),
            Column("you pay", lambda each: text(each.currency, each.partner.needed), right=True),
            Column("you have", lambda each: text(each.currency, each.partner.available), right=True),
            Column("you lack now", lambda each: text(each.currency, each.partner.shortfall), right=True),
        ],
    )
    for each in [one for one in preview.balances if one.shortfall][:_SHOWN_SHORT]:
        name = plan.names.get(each.connection_id, each.connection_id)
        line = (
            f"{name} lacks {text(each.currency, each.shortfall)}: it can lose"
            f" {text(each.currency, each.liability)} and has {text(each.currency, each.available)}"
        )
        typer.echo(coloured(harmless(line), "red"))
    closed = preview.settling_disputes
    if closed:
        typer.echo("")
        output.table(
            "settlingDisputes",
            closed[:_SHOWN_DISPUTES],
            [
                Column("closed dispute", lambda each: each.id),
                Column("connection", lambda each: plan.names.get(each.connection_id, each.connection_id)),
                Column("the client receives", lambda each: _closed_with(session, each), right=True),
            ],
        )
    if len(closed) > _SHOWN_DISPUTES:
        output.note(f"{len(closed)} closed disputes are in it in all.")
    short = sum(each.shortfall_count for each in preview.currencies)
    if short > _SHOWN_SHORT:
        output.note(f"{short} balances are short in all.")
    sys.stdout.flush()
