"""A statement of an account, as people read it."""

from __future__ import annotations

import re

from tests.cli.people.persons import Persons


def words(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


def test_statement_has_opening_entries_closing_and_what_is_held(persons: Persons) -> None:
    account = persons.json("sandbox", "member", "robin", "--deposit", "10 BTC", "--profile", "ada")["goAccount"]
    persons.done("connect", "meridian", "--name", "robin", "--profile", "robin", given="token")
    for amount in ("2 BTC", "1 BTC"):
        persons.done("allocate", "robin", amount, "-y", "--profile", "robin")
    (persons.folder / "robin.csv").write_text("connection,currency,amount\nrobin,BTC,-0.5\n")
    persons.done("settle", "robin.csv", "--yes", "--no-follow", "--profile", "meridian")
    for profile in ("robin", "meridian"):
        shown = persons.done("statement", "robin", "--profile", profile)
        lines = [words(line) for line in shown.splitlines()]
        assert ["0 BTC", "0 BTC", "2.5 BTC", "0.5 BTC"] in lines
        assert [line[1:3] for line in lines if line[-1:] == ["robin"] and len(line) > 3] == [
            ["-0.5 BTC", "0.5 BTC"]
        ]
        assert "Held now:" in shown
    entries = persons.done("statement", "robin", "--csv", "--profile", "robin").splitlines()
    assert entries[0] == "at,available,held,what,reference"
    assert [line.split(",")[1:3] for line in entries[1:]] == [
        ["2 BTC", "0 BTC"],
        ["1 BTC", "0 BTC"],
        # No formula, though it begins like one.
        ["-0.5 BTC", "0.5 BTC"],
    ]
    first = persons.run("statement", "robin", "--limit", "1", "--csv", "--profile", "robin")
    assert (len(first.stdout.splitlines()), "first 1 entries" in first.stderr) == (2, True)
    whole = persons.json("statement", "--account", account, "--profile", "robin")
    assert whole["statement"]["balances"]["ofcbtc"]["closing"] == {"available": "700000000", "held": "0"}
    assert sum(int(each["available"]) for each in whole["entries"]) == 700_000_000
    since = whole["entries"][-1]["createdAt"]
    later = persons.json(
        "statement", "--account", account, "--since", since, "--currency", "btc", "--profile", "robin"
    )
    assert len(later["entries"]) < len(whole["entries"])
    never = ("--until", "2020-01-01T00:00:00Z")
    assert "nothing to show" in persons.run("statement", "robin", *never, "--profile", "robin").stderr.lower()
    for wrong, told in (
        ((), "Say a connection or --account"),
        (("robin", "--since", "today"), "is no moment"),
        (("nobody",), "There are 0 connections"),
        (("robin", "--currency", "xyz"), "is no currency"),
    ):
        assert told in persons.fails(2, "statement", *wrong, "--profile", "robin")
