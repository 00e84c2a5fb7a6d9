"""Operators' acts are commands, made from the SDK."""

from __future__ import annotations

import inspect

from clearwindow.client import Operator
from tests.cli.people.persons import Persons


def test_every_act_of_the_sdk_is_a_command_with_a_help_text() -> None:
    from typer.main import get_command  # noqa: PLC0415

    from clearwindow.cli.people.operating import operator_app, words  # noqa: PLC0415

    root: object = get_command(operator_app)
    commands = root.commands  # type: ignore[attr-defined]
    for name, member in vars(Operator).items():
        if name.startswith("_") or name == "close":
            continue
        found = commands[words(name)]
        assert found.help, name
        if isinstance(member, property):
            noun = inspect.signature(member.fget, eval_str=True).return_annotation  # type: ignore[arg-type]
            acts = {
                words(verb) for verb, method in vars(noun).items() if verb[0] != "_" and inspect.isfunction(method)
            }
            assert set(found.commands) == acts, name
            assert all(each.help for each in found.commands.values()), name


def test_operator_makes_an_enterprise_a_deposit_and_a_pause(persons: Persons) -> None:
    operator = ("operator", "--profile", "ada")

    def act(*words: str) -> tuple[str, ...]:
        return (operator[0], *words, *operator[1:])

    made = persons.json(*act("enterprises", "create", "--name", "Birch", "--enterprise-id", "birch", "--licensed"))
    assert (made["id"], made["licensed"]) == ("birch", True)
    assert "Birch" in persons.done(*act("enterprises", "list", "--ids", "birch"))
    public = persons.json("keys", "generate", "--out", "birch.key")["xpub"]
    account = persons.json(*act("go-accounts", "create", "birch", "--keys", public))["id"]
    deposit = act("go-accounts", "deposit", account, "--quantity", "1.5 BTC", "--reference", "wire")
    assert persons.json(*deposit)["balance"]["available"] == "150000000"
    assert "1.5 BTC" in persons.done(*deposit)
    assert "the amount is in BTC" in persons.fails(2, *deposit, "--currency", "ofceth")
    assert "has no unit" in persons.fails(
        2, *act("go-accounts", "deposit", account, "--quantity", "5", "--reference", "x")
    )
    assert "1.5 BTC" in persons.done(*act("go-accounts", "balances", account))
    listed = persons.json(*act("partners", "list"))["partners"]
    (partner,) = [each["id"] for each in listed if each["name"] == "meridian"]
    changed = act("update-partner", partner, "--top-up-window-minutes", "20")
    assert persons.json(*changed)["topUpWindowMinutes"] in (20, "20")
    taken = persons.json(*act("update-partner", partner, "--top-up-window-minutes", "none"))
    assert taken.get("topUpWindowMinutes") is None
    persons.done(*act("update-partner", partner, "--top-up-window-minutes", "15"))
    pause = persons.json(*act("pauses", "pause", "currency", "ofcdoge", "--reason", "a trial"))
    assert "a trial" in persons.done(*act("pauses", "list", "--standing"))
    persons.done(*act("pauses", "resume", pause["id"]))
    assert "404" in persons.fails(1, *act("enterprises", "get", "nobody"))


def test_codes_of_a_second_factor_are_never_arguments(persons: Persons) -> None:
    confirm = ("operator", "second-factor", "confirm", "--profile", "ada")
    assert "There is no code" in persons.fails(2, *confirm)
    assert "unexpected extra argument" in persons.fails(2, *confirm, "123456").lower()
    # Both reach the network, which knows no second factor of Ada to confirm.
    for answer in (
        persons.fails(1, *confirm, given="123456\n"),
        persons.fails(1, *confirm, CLEARWINDOW_CODE="123456"),
    ):
        assert "second factor" in answer
        assert "123456" not in answer


def test_the_address_of_a_chat_may_stand_in_a_file(persons: Persons) -> None:
    change = ("operator", "notifications", "change", "--profile", "ada", "--event-types", "settlement.failed")
    assert "Cannot read nowhere.txt" in persons.fails(2, *change, "--chat", "url=@nowhere.txt")
    (persons.folder / "chat.txt").write_text("https://chat.example/hooks/not-to-be-seen\n", encoding="utf-8")
    changed = persons.done(*change, "--chat", "form=slack", "--chat", "url=@chat.txt", "--json")
    assert '"chat.example"' in changed
    assert "not-to-be-seen" not in changed
    persons.done("operator", "notifications", "stop", "--profile", "ada")
