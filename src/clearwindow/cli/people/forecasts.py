"""``clearwindow forecast`` and ``clearwindow movable``: what is to come, and what can be moved now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clearwindow.cli.people.moving import find_connection
from clearwindow.cli.people.output import Column, Format
from clearwindow.cli.people.problems import usage
from clearwindow.cli.people.reading import find_settlement, names_of_connections
from clearwindow.cli.people.session import Session, for_members

if TYPE_CHECKING:
    from clearwindow.client.answers.liquidity import (
        Forecast,
        ForecastStep,
        Funds,
        Movable,
        NetworkAccountForecast,
        SettlementForecast,
    )

_PAGE: Final = 500
_SHOWN_HOLDS: Final = 3
_OUTCOMES: Final = {
    "amounts_become_final": "the dispute window ends, and the amounts become final",
    "completes": "it completes",
    "completes_if_funded": "it completes, if the partner has enough",
    "closures_run": "the closures that it took execute",
    "waits_for_funds": "it waits for funds",
    "fails_for_lack_of_funds": "it fails for lack of funds",
    "waits_for_resume": "it waits until what is paused is resumed",
}


@for_members
def forecast(
    session: Session,
    settlement: Annotated[
        str, typer.Argument(metavar="SETTLEMENT", help="The settlement: its id, or your external id.")
    ],
) -> None:
    """Show what each deadline of a settlement brings if nothing changes. With --csv by connection and currency."""
    settlement_id = find_settlement(session, settlement)
    noun: Any = session.partner.settlements if session.is_partner else session.client.settlements
    found: SettlementForecast = noun.forecast(settlement_id, page_size=_PAGE)
    output = session.output
    if output.form is Format.JSON:
        output.record(found, {})
        return
    if output.form is Format.PEOPLE:
        stage = found.stage.replace("_", " ")
        shown = {"external id": found.external_id, "id": found.settlement_id, "stage": stage, "as of": found.as_of}
        output.record(found, {**shown, "open disputes": found.open_disputes})
        if not found.forecasts:
            output.note("There is nothing to forecast: it has ended, is immediate, or is on chain.")
        if found.all_considered is False:
            output.note(f"Only {found.considered_settlements} of your open settlements were looked at.")
    names = names_of_connections(session)
    for each in found.forecasts:
        if output.form is Format.PEOPLE:
            _show_steps(session, each)
        _show_connections(session, each, names)
        if output.form is Format.CSV:
            # The disputes as they stand: two tables under each other are no CSV.
            return
    total = found.meta.total or 0
    if total > _PAGE:
        output.note(f"{_PAGE} of {total} balances are shown. The SDK reads the others page by page.")


@for_members
def movable(
    session: Session,
    connection: Annotated[
        str | None, typer.Argument(metavar="[CONNECTION]", help="The connection: its name or id.")
    ] = None,
    *,
    go_account: Annotated[
        str | None, typer.Option(metavar="ID", help="Show what can be withdrawn from this Go Account instead.")
    ] = None,
) -> None:
    """Show the largest amounts that can be allocated, taken back or withdrawn now, and what holds the rest."""
    if (connection is None) == (go_account is None):
        raise usage("Say a connection or --go-account.")
    text = session.coins.text
    if go_account is not None:
        session.output.table(
            "movableFunds",
            session.client.go_accounts.movable_funds(go_account),
            [
                Column("can be withdrawn", lambda each: _largest(session, each.currency, each.withdrawal)),
                Column("held", lambda each: text(each.currency, each.go_account.held), right=True),
                Column("for", lambda each: _holds(session, each.currency, each.go_account)),
            ],
        )
        return
    where = find_connection(session, connection or "")
    session.output.table(
        "movableFunds",
        session.client.connections.movable_funds(where.id),
        [
            Column("can be allocated", lambda each: _largest(session, each.currency, each.allocation)),
            Column("can be taken back", lambda each: _largest(session, each.currency, each.deallocation)),
            Column("held there", lambda each: text(each.currency, each.network_account.held), right=True),
            Column("for", lambda each: _holds(session, each.currency, each.network_account)),
        ],
    )


def _show_steps(session: Session, found: Forecast) -> None:
    text, output = session.coins.text, session.output
    retracted = found.disputes == "retracted"
    output.heading("If the open disputes are retracted" if retracted else "If nothing changes")
    output.table(
        "steps",
        found.steps,
        [
            Column("at", lambda each: each.at),
            Column("what happens", lambda each: _OUTCOMES.get(each.outcome, each.outcome)),
            Column("you lack then", lambda each: _lacking(session, each), right=True),
        ],
    )
    if found.partner_account:
        output.heading("Your account")
        output.table(
            "partnerAccount",
            found.partner_account,
            [
                Column("changes by", lambda each: text(each.currency, each.change), right=True),
                Column("you have", lambda each: text(each.currency, each.available), right=True),
                Column("you need at most", lambda each: text(each.currency, each.most_needed), right=True),
                Column("you lack for that", lambda each: text(each.currency, each.shortfall), right=True),
            ],
        )
    output.heading("Connections")


def _show_connections(session: Session, found: Forecast, names: dict[str, str]) -> None:
    text = session.coins.text
    session.output.table(
        "networkAccounts",
        found.network_accounts,
        [
            Column("connection", lambda each: names.get(each.connection_id, each.connection_id)),
            Column("moves", lambda each: text(each.currency, each.quantity), right=True),
            Column("held now", lambda each: text(each.currency, each.held), right=True),
            Column("held afterwards", lambda each: _held_afterwards(session, each), right=True),
        ],
    )


def _lacking(session: Session, step: ForecastStep) -> str | None:
    short = [each for each in step.partner_account or () if each.shortfall]
    return ", ".join(session.coins.text(each.currency, each.shortfall) for each in short) or None


def _held_afterwards(session: Session, account: NetworkAccountForecast) -> str | None:
    if not account.after_steps:
        return None
    last = account.after_steps[-1]
    shown = session.coins.text(account.currency, last.held)
    return f"{shown} (for disputes)" if last.held_for_disputes else shown


def _largest(session: Session, currency: str, found: Movable) -> str:
    shown = session.coins.text(currency, found.largest)
    reasons = ", ".join(each.name.replace("_", " ") for each in found.reasons)
    return f"{shown}: {reasons}" if reasons else shown


def _holds(session: Session, currency: str, found: Funds) -> str | None:
    shown = [
        f"{each.kind.replace('_', ' ')} {each.id} {session.coins.text(currency, each.quantity)}"
        for each in found.holds[:_SHOWN_HOLDS]
    ]
    more = found.hold_count - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more else [])]) or None
