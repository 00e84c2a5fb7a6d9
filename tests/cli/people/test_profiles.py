"""Profiles: who a person is at which network."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.people.persons import TIMEOUT_SECONDS, Persons


def add(alone: Persons, name: str, *more: str) -> None:
    alone.done("profile", "add", name, "--url", alone.url, "--no-check", *more)


def test_profiles_are_added_listed_removed_and_private(alone: Persons) -> None:
    add(alone, "desk", "--token-file", "desk.token", "--key-file", "desk.key", "--enterprise", "acme")
    add(alone, "other", "--token-command", "pass show other")
    assert alone.mode(alone.profiles()) == 0o600
    listed = alone.json("profile", "list")
    assert listed["file"] == str(alone.profiles())
    assert listed["profiles"] == [
        {
            "name": "desk",
            "default": True,
            "url": alone.url,
            "enterprise": "acme",
            "tokenFile": str(alone.folder / "desk.token"),
            "keyFile": str(alone.folder / "desk.key"),
        },
        {"name": "other", "default": False, "url": alone.url, "tokenCommand": "pass show other"},
    ]
    alone.done("profile", "default", "other")
    alone.done("profile", "remove", "desk")
    assert [(each["name"], each["default"]) for each in alone.json("profile", "list")["profiles"]] == [
        ("other", True)
    ]
    assert alone.mode(alone.profiles()) == 0o600


def test_no_secret_is_kept_in_the_file(alone: Persons) -> None:
    (alone.folder / "desk.token").write_text("a-secret-token")
    add(alone, "desk", "--token-file", "desk.token")
    assert "a-secret-token" not in alone.profiles().read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("profile", "default", "nobody"), "There is no profile 'nobody'"),
        (("profile", "add", "../x", "--url", "http://a"), "is no name of a profile"),
        (("profile", "add", "x", "--url", "http://a", "--token-file", "f", "--token-command", "c"), "not both"),
        (
            ("profile", "add", "x", "--url", "no address", "--token-command", "echo t"),
            "base_url must be an address",
        ),
        (("balances",), "Say which network"),
        (("balances", "--json", "--csv"), "not both"),
        (("balances", "--url", "http://127.0.0.1:9"), "There is no token"),
        (("balances", "--url", "http://127.0.0.1:9", "--token-file", "missing"), "cannot be read"),
    ],
)
def test_wrong_use_is_told_with_2(alone: Persons, arguments: tuple[str, ...], told: str) -> None:
    assert told in alone.fails(2, *arguments)


def test_broken_file_of_profiles_is_told(alone: Persons) -> None:
    alone.profiles().parent.mkdir(parents=True)
    for written in ("", "[]", '{"profiles": {"a": {}}}', '{"profiles": {"a": {"url": "x", "token": "y"}}}'):
        alone.profiles().write_text(written)
        assert "is not a file of profiles" in alone.fails(2, "balances")


def test_server_that_is_away_is_3(alone: Persons) -> None:
    add(alone, "desk", "--token-command", "echo token", "--enterprise", "acme")
    assert "no answer" in alone.fails(3, "balances")
    (alone.folder / "t").write_text("token")
    assert "no answer" in alone.fails(3, "profile", "add", "x", "--url", alone.url, "--token-file", "t")
    assert [each["name"] for each in alone.json("profile", "list")["profiles"]] == ["desk"]


def test_token_of_another_source_never_goes_to_a_profile(persons: Persons) -> None:
    # A token in the environment belongs to the address in the environment.
    shown = json.loads(
        persons.done(
            "call",
            "GET",
            "/api/network/v1/whoami",
            "--profile",
            "aster",
            CLEARWINDOW_TOKEN="another one",
        )
    )
    assert shown["enterprise"]["id"] == "aster"
    token = (persons.folder / "meridian.token").read_text().strip()
    by_environment = {"CLEARWINDOW_URL": persons.url, "CLEARWINDOW_TOKEN": token}
    shown = json.loads(persons.done("call", "GET", "/api/network/v1/whoami", **by_environment))
    assert shown["enterprise"]["id"] == "meridian"


def test_profile_finds_its_enterprise_and_refuses_a_wrong_token(persons: Persons) -> None:
    added = ("profile", "add", "again", "--url", persons.url, "--token-file", "aster.token")
    assert "The desk of Aster" in persons.done(*added)
    (found,) = [each for each in persons.json("profile", "list")["profiles"] if each["name"] == "again"]
    assert found["enterprise"] == "aster"
    assert "of the enterprise aster" in persons.fails(2, *added, "--enterprise", "meridian")
    (persons.folder / "wrong.token").write_text("wrong")
    assert "401" in persons.fails(1, "profile", "add", "x", "--url", persons.url, "--token-file", "wrong.token")


def completed(alone: Persons, *lines: tuple[str, ...]) -> list[list[str]]:
    """Returns what bash offers for the last word of each line, as if its person pressed the Tab key."""
    program = 'eval "$(_CLEARWINDOW_COMPLETE=source_bash clearwindow)"\n'
    for line in lines:
        program += f"COMP_WORDS=({shlex.join(('clearwindow', *line))}); COMP_CWORD={len(line)}\n"
        program += 'COMPREPLY=(); _clearwindow_completion clearwindow; echo "${COMPREPLY[*]}"\n'
    commands = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(  # noqa: S603 - ours
        ["/bin/bash", "--norc", "-eu", "-c", program],
        env=alone.environment(PATH=commands),
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_SECONDS,
    )
    return [line.split() for line in ran.stdout.splitlines()]


def test_bash_completes_commands_options_profiles_and_events(alone: Persons) -> None:
    add(alone, "desk", "--token-file", "desk.token")
    found = completed(
        alone,
        ("settl",),
        ("settle", "--ext"),
        ("operator", "go-acc"),
        ("balances", "--profile", "d"),
        ("watch", "--type", "settlement.c"),
    )
    assert found == [
        ["settle", "settlements"],
        ["--external-id"],
        ["go-accounts"],
        ["desk"],
        ["settlement.completed"],
    ]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_commands_too(alone: Persons, shell: str) -> None:
    asked = {"_TYPER_COMPLETE_ARGS": "clearwindow settl", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert "settlements" in alone.run(_CLEARWINDOW_COMPLETE=f"complete_{shell}", **asked).stdout
    assert "clearwindow" in alone.run(_CLEARWINDOW_COMPLETE=f"source_{shell}").stdout
