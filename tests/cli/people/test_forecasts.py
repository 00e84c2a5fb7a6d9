"""What is to come and what can be moved, as people read it."""

from __future__ import annotations

import re

from tests.cli.people.persons import Persons


def words(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


def test_both_sides_see_what_a_settlement_will_bring_and_what_holds_their_funds(persons: Persons) -> None:
    persons.done(
        "sandbox", "member", "plover", "--currency", "BTC=ofcbtc", "--top-up-minutes", "15", "--profile", "ada"
    )
    persons.done("sandbox", "member", "wren", "--deposit", "10 BTC", "--profile", "ada")
    persons.done("connect", "Plover", "--name", "wren", "--profile", "wren", given="token")
    persons.done("allocate", "wren", "2 BTC", "-y", "--profile", "wren")
    (persons.folder / "gain.csv").write_text("connection,currency,amount\nwren,BTC,0.5\n")
    persons.done("settle", "gain.csv", "--yes", "--no-follow", "--profile", "plover")
    (persons.folder / "loss.csv").write_text("connection,currency,amount\nwren,BTC,-1.5\n")
    persons.done("settle", "loss.csv", "--yes", "--no-follow", "--profile", "plover")

    shown = persons.done("forecast", "gain", "--profile", "plover")
    lines = [words(line) for line in shown.splitlines()]
    assert [line[1:] for line in lines if "becomes" in line[-1] or line[-1].endswith("final")] == [
        ["the dispute window ends, and the amounts become final"]
    ]
    assert ["it fails for lack of funds", "0.5 BTC"] in [line[1:] for line in lines]
    assert ["-0.5 BTC", "0 BTC", "0.5 BTC", "0.5 BTC"] in lines
    assert ["wren", "0.5 BTC", "0 BTC", "0 BTC"] in lines

    calendar = [words(line)[1:] for line in persons.done("calendar", "--profile", "plover").splitlines()[1:]]
    assert calendar == [
        ["gain", "the dispute window ends", "-0.5 BTC"],
        ["loss", "the dispute window ends", "1.5 BTC"],
        ["gain", "the top-up window ends", "-0.5 BTC"],
        ["loss", "the top-up window ends", "1.5 BTC"],
    ]
    assert "0.5 BTC" in persons.done("calendar", "--profile", "wren").splitlines()[1]
    (lack,) = [words(line)[1:] for line in persons.done("top-ups", "--profile", "plover").splitlines()[1:]]
    assert lack == ["no", "gain", "0.5 BTC", "0.5 BTC"]
    assert "Only exchanges top up" in persons.fails(2, "top-ups", "--profile", "wren")

    settlement = persons.json("settlements", "loss", "--profile", "plover")["settlement"]["id"]
    raised = ("disputes", "raise", settlement, "--connection", "wren", "--expect-nothing", "--yes")
    persons.done(*raised, "--profile", "wren")
    shown = persons.done("forecast", settlement, "--profile", "wren")
    assert "it completes, if the partner has enough" in shown
    connections = [words(line)[1:] for line in shown.splitlines() if line.startswith("wren ")]
    assert connections == [
        ["0 BTC", "1.5 BTC", "1.5 BTC (for disputes)"],
        ["-1.5 BTC", "1.5 BTC", "0 BTC"],
    ]
    assert "If the open disputes are retracted:" in shown
    table = persons.done("forecast", settlement, "--csv", "--profile", "wren").splitlines()
    assert table == ["connection,moves,held now,held afterwards", "wren,0 BTC,1.5 BTC,1.5 BTC (for disputes)"]
    assert len(persons.json("forecast", settlement, "--profile", "wren")["forecasts"]) == 2

    (heading, row) = persons.done("movable", "wren", "--profile", "wren").splitlines()
    assert words(heading) == ["can be allocated", "can be taken back", "held there", "for"]
    assert words(row) == ["8 BTC", "0.5 BTC", "1.5 BTC", f"settlement {settlement} 1.5 BTC"]
    account = persons.json("sandbox", "member", "wren", "--profile", "ada")["goAccount"]
    assert "8 BTC" in persons.done("movable", "--go-account", account, "--profile", "wren")
    assert "Say a connection or --go-account" in persons.fails(2, "movable", "--profile", "wren")
    persons.done("operator", "advance-clock", "46", "--profile", "ada")
    assert "nothing to forecast" in persons.run("forecast", "loss", "--profile", "plover").stderr
