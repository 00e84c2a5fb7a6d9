"""``clearwindow settle``, with a real server and a real terminal."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

from tests.cli.people.persons import Persons, terminal

SETTLE = ("--profile", "meridian")


def write(persons: Persons, name: str, amount: str = "-0.1") -> str:
    (persons.folder / f"{name}.csv").write_text(f"connection,currency,amount\nmeridian,BTC,{amount}\n")
    return f"{name}.csv"


def staged(persons: Persons, name: str) -> list[str]:
    path = f"/api/network/v1/enterprises/{{me}}/partners/settlements?externalIds={name}"
    found = json.loads(persons.done("call", "GET", path, *SETTLE))
    return [each["status"] for each in found["settlements"]]


def test_settlement_is_previewed_staged_and_followed_to_its_end(persons: Persons) -> None:
    file = write(persons, "day-1")
    assert "say --yes" in persons.fails(2, "settle", file, *SETTLE)
    assert staged(persons, "day-1") == []
    ran = persons.run("settle", file, "--yes", "--no-follow", *SETTLE)
    assert ran.returncode == 0, ran.stderr
    assert "0.1 BTC" in ran.stdout
    assert "Staged: day-1" in ran.stderr
    again = persons.run("settle", file, "--yes", "--no-follow", *SETTLE)
    assert again.returncode == 0
    assert "day-1 is staged already" in again.stderr
    write(persons, "day-1", "-0.2")
    assert "other values" in persons.fails(1, "settle", file, "--yes", *SETTLE)
    write(persons, "day-1")
    assert staged(persons, "day-1") == ["pending"]
    assert "pending (dispute window)" in persons.done("settlements", *SETTLE)
    persons.done("operator", "advance-clock", "46", "--profile", "ada")
    ended = json.loads(persons.done("settle", file, "--yes", "--json", *SETTLE))
    assert ended["settlement"]["status"] == "completed"
    assert ended["preview"]["repeatsSettlementId"] == ended["settlement"]["id"]
    assert "0.1 BTC" in persons.done("settlements", "day-1", *SETTLE).replace("-0.1", "0.1")


def test_shortfall_is_shown_and_nothing_is_staged(persons: Persons) -> None:
    ran = persons.run("settle", write(persons, "too-much", "-500"), "--yes", *SETTLE)
    assert ran.returncode == 1
    assert re.search(r"lacks 49[0-9.]+ BTC: it can lose 500 BTC", ran.stdout)
    assert "Nothing was staged" in ran.stderr
    assert staged(persons, "too-much") == []


def test_wrong_files_and_people_are_told(persons: Persons) -> None:
    (persons.folder / "x.csv").write_text("connection,currency,amount\nnobody,BTC,1\n")
    assert "0 connections are named 'nobody'" in persons.fails(2, "settle", "x.csv", "--yes", *SETTLE)
    file = write(persons, "y")
    assert "is no exchange" in persons.fails(2, "settle", file, "--yes", "--profile", "aster")
    assert "must be signed" in persons.fails(
        2, "settle", file, "--yes", "--url", persons.url, "--token-file", "meridian.token"
    )
    assert staged(persons, "y") == []


def test_person_answers_no_or_leaves_and_nothing_is_staged(persons: Persons) -> None:
    file = write(persons, "unsure")
    with terminal(persons, "settle", file, *SETTLE) as screen:
        screen.until("Sign and stage unsure?")
        screen.types("n\n")
        screen.until("Nothing was staged")
        assert screen.end() == 1
    with terminal(persons, "settle", file, *SETTLE) as screen:
        screen.until("Sign and stage unsure?")
        screen.types("\x04")
        assert screen.end() == 130
    with terminal(persons, "settle", file, *SETTLE) as screen:
        screen.until("Sign and stage unsure?")
        screen.sends(signal.SIGHUP)
        assert screen.end() != 0
    assert staged(persons, "unsure") == []


def test_ctrl_c_says_what_is_staged_and_the_same_command_goes_on(persons: Persons) -> None:
    file = write(persons, "stopped")
    with terminal(persons, "settle", file, *SETTLE) as screen:
        screen.until("Sign and stage stopped?")
        screen.sends(signal.SIGINT)
        screen.until("Nothing was staged")
        assert screen.end() == 130
    with terminal(persons, "settle", file, *SETTLE) as screen:
        screen.until("Sign and stage stopped?")
        screen.types("y\n")
        # The countdown of a window of half an hour.
        screen.until("pending (dispute window), 0:2")
        screen.sends(signal.SIGINT)
        screen.until("stopped is staged and goes on")
        assert screen.end() == 4
    assert staged(persons, "stopped") == ["pending"]
    persons.done("operator", "advance-clock", "46", "--profile", "ada")
    assert "completed" in persons.done("settle", file, "--yes", *SETTLE)


def test_trader_disputes_and_retracts(persons: Persons) -> None:
    persons.done("settle", write(persons, "disputed"), "--yes", "--no-follow", *SETTLE)
    (found,) = [
        each
        for each in persons.json("settlements", "--profile", "aster")["settlements"]
        if each["externalId"] == "disputed"
    ]
    raised = ("disputes", "raise", found["id"], "--connection", "meridian", "--yes", "--profile", "aster")
    assert "Say what you expect" in persons.fails(2, *raised)
    dispute = persons.json(*raised, "--expect", "-0.05 BTC", "--reason", "half of it")
    assert dispute["expectedTransfers"] == {"ofcbtc": "-5000000"}
    assert "-0.05 BTC" in persons.done("disputes", "list", "--open", *SETTLE)
    assert "half of it" in persons.done("disputes", "show", dispute["id"], "--profile", "aster")
    assert "retracted" in persons.done("disputes", "retract", dispute["id"], "--profile", "aster")
    persons.done("operator", "advance-clock", "46", "--profile", "ada")
    assert staged(persons, "disputed") == ["completed"]


def test_server_that_goes_away_is_3(alone: Persons) -> None:
    Path(alone.folder / "t").write_text("token")
    alone.done("profile", "add", "desk", "--url", alone.url, "--token-file", "t", "--enterprise", "x", "--no-check")
    (alone.folder / "a.csv").write_text("connection,currency,amount\na,BTC,1\n")
    assert "no answer" in alone.fails(3, "settle", "a.csv", "--yes")
