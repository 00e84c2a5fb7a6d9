"""The pages for a trader and for an exchange's desk, command by command, as two people who work side by side."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from tests.cli.people.persons import Persons

PAGES = Path(__file__).parents[3] / "docs" / "how-to"


class Reader:
    """Somebody who does what a page says, on a machine with the files that it needs."""

    def __init__(self, page: str, persons: Persons) -> None:
        text = (PAGES / page).read_text(encoding="utf-8")
        blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
        self.left = [line for block in blocks for line in block.splitlines()]
        self.shown = ""
        self.known: dict[str, str] = {"https://network.example": persons.url}
        self._settings: dict[str, str] = {}
        self._persons = persons

    def types_until(self, words: str | None) -> None:
        """Types the commands before the one that begins so, or all that are left."""
        while self.left and not (words and self.left[0].startswith(words)):
            program, *arguments = shlex.split(self.left.pop(0))
            if program == "export":
                name, _, value = arguments[0].partition("=")
                self._settings[name] = value
                continue
            assert program == "clearwindow"
            given = [self.known.get(word, word) for word in arguments]
            self.shown += self._persons.done(*given, **self._settings)
        assert words is None or self.left, f"the page has no command {words}"


def readers(persons: Persons, folder: Path) -> Iterator[Reader]:
    pages = {"trader": ("kite", "--deposit", "10 BTC"), "desk": ("kestrel", "--currency", "BTC=ofcbtc")}
    for name, made in pages.items():
        persons.done("sandbox", "member", *made, "--profile", "ada")
        for kind in ("token", "key"):
            (folder / f"{name}.{kind}").write_text((persons.folder / f"{made[0]}.{kind}").read_text())
    (folder / "exchange.token").write_text("a token of the exchange")
    (folder / "day-1.csv").write_text("connection,currency,amount\nKestrel main,BTC,-1.5\n")
    for page in ("trade", "settle"):
        yield Reader(f"{page}-from-the-command-line.md", Persons(folder, persons.url))


def test_every_command_of_both_pages_works(persons: Persons, tmp_path: Path) -> None:
    trader, desk = readers(persons, tmp_path)
    trader.types_until("clearwindow watch")
    assert re.search("Kestrel main +2 BTC", trader.shown)
    desk.types_until("clearwindow forecast")
    assert "Kestrel main" in desk.shown
    trader.types_until("clearwindow disputes retract")
    assert re.search("Kestrel main +-1.5 BTC +1.5 BTC +0 BTC", trader.shown)
    (dispute,) = persons.json("disputes", "list", "--profile", "kite")["disputes"]
    trader.known["DISPUTE"] = dispute["id"]
    trader.types_until(None)
    assert re.search(r"8 BTC +0\.5 BTC +1\.5 BTC +settlement", trader.shown)
    desk.types_until(None)
    assert dispute["id"] in desk.shown
    persons.done("operator", "advance-clock", "31", "--profile", "ada")
    assert "completed" in persons.done("settlements", "day-1", "--profile", "kestrel")
