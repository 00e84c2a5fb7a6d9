"""``clearwindow settle``, with a real server and a real terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from clearwindow.cli.people import following, session
from clearwindow.client import HttpOptions, NoAnswerError, NotAuthenticatedError, ServerError
from clearwindow.client.sync.settlements import PartnerSettlements
from tests.cli.people.persons import TIMEOUT_SECONDS, Persons, Ran, Relay, terminal
from tests.support.processes import COMMAND

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


def test_question_may_stay_open_until_long_after_the_windows_that_it_showed(persons: Persons) -> None:
    with terminal(persons, "settle", write(persons, "late"), *SETTLE) as screen:
        screen.until("Sign and stage late?")
        persons.done("operator", "advance-clock", "46", "--profile", "ada")
        screen.types("y\n")
        # Windows begin when it is staged, and the countdown follows the network's clock.
        screen.until("pending (dispute window), 0:29:")
        # The terminal closes.
        screen.sends(signal.SIGHUP)
        assert screen.end() != 0
    assert staged(persons, "late") == ["pending"]
    persons.done("operator", "advance-clock", "46", "--profile", "ada")
    assert staged(persons, "late") == ["completed"]


def test_closed_disputes_are_shown_before_they_are_taken(persons: Persons) -> None:
    persons.done("settle", write(persons, "judged"), "--yes", "--no-follow", *SETTLE)
    settlement = persons.json("settlements", "judged", *SETTLE)["settlement"]["id"]
    raised = ("disputes", "raise", settlement, "--connection", "meridian", "--yes", "--profile", "aster")
    dispute = persons.json(*raised, "--expect", "-0.03 BTC")["id"]
    persons.done("operator", "advance-clock", "46", "--profile", "ada")
    close = ("operator", "disputes", "close", dispute, "--adjusted-transfers", "-0.03 BTC", "--notes", "so it was")
    closure = persons.json(*close, "--profile", "ada")["id"]
    persons.operator("ben")
    review = ("operator", "dispute-closures", "review", closure, "--decision", "approved", "--notes", "I see it")
    persons.done(*review, "--profile", "ben")
    with terminal(persons, "settle", write(persons, "next", "0.01"), *SETTLE) as screen:
        screen.until("Sign and stage next?")
        assert re.search(rf"{dispute} +meridian +-0\.03 BTC", screen.text)
        screen.types("n\n")
        assert screen.end() == 1
    taken = persons.run("settle", "next.csv", "--yes", "--no-follow", *SETTLE)
    assert re.search(rf"{dispute} +meridian +-0\.03 BTC", taken.stdout)
    persons.done("operator", "advance-clock", "46", "--profile", "ada")
    assert "settled" in persons.done("disputes", "show", dispute, *SETTLE)


def test_trader_gives_a_dispute_up_after_the_window(persons: Persons) -> None:
    persons.done("settle", write(persons, "given-up"), "--yes", "--no-follow", *SETTLE)
    raised = ("disputes", "raise", "given-up", "--connection", "meridian", "--expect-nothing", "--profile", "aster")
    assert "say --yes" in persons.fails(2, *raised)
    dispute = persons.json(*raised, "--yes")["id"]
    assert "nothing" in persons.done("disputes", "show", dispute, "--profile", "aster")
    close = ("disputes", "close", dispute, "--notes", "we were wrong", "--profile", "aster")
    assert "window" in persons.fails(1, *close, "--yes")
    persons.done("operator", "advance-clock", "31", "--profile", "ada")
    assert "say --yes" in persons.fails(2, *close)
    assert "An operator must review the closure" in persons.fails(4, *close, "--yes")
    assert "closed (pending review)" in persons.done("disputes", "show", dispute, "--profile", "aster")
    nobodys = "00000000-0000-4000-8000-000000000000"
    assert "There is no dispute" in persons.fails(1, "disputes", "show", nobodys, "--profile", "aster")


def test_rejected_settlement_is_1_with_its_reason(persons: Persons) -> None:
    file = write(persons, "refused")
    persons.done("settle", file, "--yes", "--no-follow", *SETTLE)
    settlement = persons.json("settlements", "refused", *SETTLE)["settlement"]["id"]
    persons.done("operator", "settlements", "reject", settlement, "--reason", "a mistake", "--profile", "ada")
    assert "The settlement is rejected: a mistake" in persons.fails(1, "settle", file, "--yes", *SETTLE)


def test_exchange_takes_a_settlement_back(persons: Persons) -> None:
    persons.done("settle", write(persons, "regretted"), "--yes", "--no-follow", *SETTLE)
    withdraw = ("settlements", "regretted", "--withdraw")
    reason = ("--reason", "the wrong file")
    assert "Say which settlement, and why" in persons.fails(2, *withdraw, "--yes", *SETTLE)
    assert "say --yes" in persons.fails(2, *withdraw, *reason, *SETTLE)
    assert "Only the exchange" in persons.fails(2, *withdraw, *reason, "--yes", "--profile", "aster")
    assert staged(persons, "regretted") == ["pending"]
    assert re.search("reason +the wrong file", persons.done(*withdraw, *reason, "--yes", *SETTLE))
    assert staged(persons, "regretted") == ["rejected"]
    assert "rejected: the wrong file" in persons.fails(1, "settle", "regretted.csv", "--yes", *SETTLE)


def test_enter_alone_answers_no(persons: Persons) -> None:
    with terminal(persons, "settle", write(persons, "entered"), *SETTLE) as screen:
        screen.until("[y/N]")
        screen.types("\n")
        screen.until("Nothing was staged")
        assert screen.end() == 1
    assert staged(persons, "entered") == []


@pytest.mark.parametrize(
    ("cut", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "Interrupted while it was sent"),
        (NoAnswerError("no answer", may_have_been_carried_out=True, attempts=3), 3, "no answer"),
        (ServerError(500, {"name": "outcome_unknown", "error": "send it again"}), 3, "send it again"),
    ],
    ids=["Ctrl-C", "no answer", "server error"],
)
def test_answer_that_is_lost_is_told_and_the_same_command_goes_on(
    persons: Persons, monkeypatch: pytest.MonkeyPatch, cut: BaseException, code: int, told: str
) -> None:
    file = write(persons, f"lost-{type(cut).__name__}")
    create = PartnerSettlements.create

    def staged_and_cut(*arguments: Any, **values: Any) -> None:  # noqa: ANN401 - those of the method
        create(*arguments, **values)
        raise cut

    with monkeypatch.context() as patched:
        patched.setattr(PartnerSettlements, "create", staged_and_cut)
        said = persons.fails(code, "settle", file, "--yes", *SETTLE)
    assert told in said
    assert "The same command follows it if it was staged" in said
    again = persons.run("settle", file, "--yes", "--no-follow", *SETTLE)
    assert (again.returncode, "is staged already" in again.stderr) == (0, True)


def test_ctrl_c_during_the_preview_stages_nothing(persons: Persons, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(PartnerSettlements, "preview", interrupted)
        assert "Interrupted." in persons.fails(130, "settle", write(persons, "early"), "--yes", *SETTLE)
    assert staged(persons, "early") == []


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_another_settlement_of_this_name_at_the_same_moment_is_told(
    persons: Persons, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = PartnerSettlements.preview

    def previewed_and_overtaken(*arguments: Any, **values: Any) -> object:  # noqa: ANN401 - those of the method
        monkeypatch.undo()
        found = preview(*arguments, **values)
        other = write(persons, "other", "0.02")
        persons.done("settle", other, "--external-id", "raced", "--yes", "--no-follow", *SETTLE)
        return found

    monkeypatch.setattr(PartnerSettlements, "preview", previewed_and_overtaken)
    assert "Meanwhile raced was staged" in persons.fails(1, "settle", write(persons, "raced"), "--yes", *SETTLE)


@pytest.fixture
def relay(persons: Persons) -> Iterator[Relay]:
    with Relay(urlsplit(persons.url).port or 0) as made:
        yield made


def test_server_that_goes_away_while_it_is_followed_is_waited_for(
    persons: Persons, monkeypatch: pytest.MonkeyPatch, relay: Relay
) -> None:
    at_relay = ("--url", f"http://127.0.0.1:{relay.port}", "--yes", *SETTLE)
    monkeypatch.setattr(session, "_options", lambda: HttpOptions(repeats=0))
    steps: list[Callable[[], object]] = []
    monkeypatch.setattr(following, "pause", lambda: steps.pop(0)() if steps else None)
    file = write(persons, "away")
    steps[:] = [relay.close]
    said = persons.fails(3, "settle", file, *at_relay)
    assert said.count("The server does not answer. Asking again.") == 4
    assert "away is staged and goes on. The same command follows it again." in said
    relay.open()
    end = partial(persons.done, "operator", "advance-clock", "46", "--profile", "ada")
    steps[:] = [relay.close, relay.open, end]
    ran = persons.run("settle", file, *at_relay)
    assert (ran.returncode, ran.stderr.count("Asking again.")) == (0, 1)
    assert re.search("state +completed", ran.stdout)


def test_token_that_is_revoked_while_it_is_followed_is_told_with_what_goes_on(
    persons: Persons, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = NotAuthenticatedError(401, {"name": "token_unknown", "error": "this token is revoked"})

    def refuse(*_: object, **__: object) -> None:
        raise refusal

    monkeypatch.setattr(PartnerSettlements, "get", refuse)
    said = persons.fails(1, "settle", write(persons, "revoked"), "--yes", *SETTLE)
    assert "this token is revoked" in said
    assert "revoked is staged and goes on" in said


def test_stream_needs_an_external_id(persons: Persons) -> None:
    os.mkfifo(persons.folder / "pipe")

    def settled(*more: str) -> Ran:
        text = "connection,currency,amount\nmeridian,BTC,0.01\n"
        writing = threading.Thread(target=(persons.folder / "pipe").write_text, args=(text,))
        writing.start()
        ran = persons.run("settle", "pipe", "--yes", "--no-follow", *SETTLE, *more)
        writing.join()
        return ran

    nameless = settled()
    assert (nameless.returncode, "Say the external id" in nameless.stderr) == (2, True)
    assert settled("--external-id", "streamed").returncode == 0
    assert staged(persons, "streamed") == ["pending"]


def test_output_that_nobody_reads_ends_before_anything_is_staged(persons: Persons) -> None:
    write(persons, "unread")
    reads, writes = os.pipe()
    os.close(reads)
    ran = subprocess.run(  # noqa: S603 - ours
        [*COMMAND, "settle", "unread.csv", "--yes", *SETTLE],
        cwd=persons.folder,
        env=persons.environment(),
        stdout=writes,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    os.close(writes)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert staged(persons, "unread") == []


def test_server_that_is_away_is_3(alone: Persons) -> None:
    Path(alone.folder / "t").write_text("token")
    alone.done("profile", "add", "desk", "--url", alone.url, "--token-file", "t", "--enterprise", "x", "--no-check")
    (alone.folder / "a.csv").write_text("connection,currency,amount\na,BTC,1\n")
    assert "no answer" in alone.fails(3, "settle", "a.csv", "--yes")
