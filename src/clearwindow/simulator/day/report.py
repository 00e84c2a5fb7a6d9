"""The report of a day: tables for people, one JSON object for programs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from clearwindow.simulator.day.run import Day
from clearwindow.simulator.network.file import Network
from clearwindow.simulator.screen import Screen


def show(screen: Screen, network: Network, day: Day, rounds: int) -> None:
    tally, outcome = day.tally, day.outcome
    connections = sum(len(trader.connections) for trader in network.traders)
    screen.title(
        f"{rounds} rounds on {network.url}: {len(network.exchanges)} exchanges, {len(network.traders)} traders,"
        f" {connections:,} connections"
    )
    screen.say(f"By the network's clock from {day.began_at:%Y-%m-%d %H:%M} to {day.ended_at:%Y-%m-%d %H:%M} UTC.")
    rows = [(f"settlements {status}", f"{count:,}") for status, count in sorted(outcome.statuses.items())]
    rows += [
        ("transfers, including those of closed disputes", f"{tally.transfers:,}"),
        ("amounts left out because they were not covered", f"{tally.withheld:,}"),
        ("disputes", f"{tally.disputes.total():,}"),
    ]
    rows += [(f"  {resolution}", f"{count:,}") for resolution, count in sorted(tally.disputes.items())]
    screen.table(("", "count"), rows)
    screen.table(
        ("", "deposited", "clients", "exchanges", "unaccounted for"),
        [
            (
                sums.currency,
                _number(sums.paid_in),
                _number(sums.to_clients, signed=True),
                _number(sums.to_exchanges, signed=True),
                _number(sums.unaccounted),
            )
            for sums in outcome.sums
        ],
    )
    screen.blank_line()
    screen.call(
        "Operator", "GET /ledger/check", "ok: true" if outcome.ledger_ok else "ok: false", good=outcome.ledger_ok
    )
    screen.say(
        f"Settlements, disputes and closures took {day.settling_seconds:.1f} s; moving the clock took"
        f" {day.waiting_seconds:.1f} s."
    )
    for wrong in outcome.wrong:
        screen.say(wrong)
    result = "There are problems" if outcome.wrong else "Every connection has exactly what it traded"
    screen.conclusion(f"{result}. The day took {day.seconds:.1f} s.", good=not outcome.wrong)


def as_json(day: Day) -> Mapping[str, object]:
    tally, outcome = day.tally, day.outcome
    return {
        "ok": not outcome.wrong,
        "wrong": list(outcome.wrong),
        "settlements": dict(outcome.statuses),
        "transfers": tally.transfers,
        "withheld": tally.withheld,
        "disputes": {resolution.name.lower(): count for resolution, count in sorted(tally.disputes.items())},
        "sums": {
            sums.currency: {
                "paidIn": _plain(sums.paid_in),
                "clients": _plain(sums.to_clients),
                "exchanges": _plain(sums.to_exchanges),
                "unaccounted": _plain(sums.unaccounted),
            }
            for sums in outcome.sums
        },
        "ledgerOk": outcome.ledger_ok,
        "beganAt": day.began_at.isoformat(),
        "endedAt": day.ended_at.isoformat(),
        "seconds": round(day.seconds, 1),
        "settlingSeconds": round(day.settling_seconds, 1),
        "waitingSeconds": round(day.waiting_seconds, 1),
    }


def _plain(amount: Decimal) -> str:
    """Returns the amount without trailing zeros and without an exponent."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _number(amount: Decimal, *, signed: bool = False) -> str:
    whole, point, fraction = _plain(abs(amount)).partition(".")
    sign = "-" if amount < 0 else "+" if signed and amount > 0 else ""
    return f"{sign}{int(whole):,}{point}{fraction}"
