"""How a rehearsal ended: the table to show, and everything that is not as it must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clearwindow.sandbox.rehearsal.programs import Line
from clearwindow.sandbox.rehearsal.truth import Mending
from clearwindow.sandbox.screen import Screen


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What there was in the end.

    Attributes:
        seconds: from the first start to the end, in the world's time.
        settlements: how many, by status.
        entries: how many times a connection was in a settlement.
        wrong: how many of these were not as traded, by the rehearsal's own reckoning.
        mending: what became of them.
        exchange_lines: all that exchanges wrote, by name.
        trader_lines: all that the traders wrote.
        worker_starts: how often the worker was started.
        accounts: how many accounts the exchanges keep.
        accounts_that_differ: those that are not what the network has, in words.
        check_clean: whether ``clearwindow check`` found nothing.
        check_said: what it printed.
    """

    seconds: float
    settlements: Mapping[str, int]
    entries: int
    wrong: int
    mending: Mending
    exchange_lines: Mapping[str, Sequence[Line]]
    trader_lines: Sequence[Line]
    worker_starts: int
    accounts: int
    accounts_that_differ: Sequence[str]
    check_clean: bool
    check_said: str

    @property
    def problems(self) -> list[str]:
        """What must not be, one line each; none after a rehearsal that went well."""
        found = [f"a wrong settlement was not disputed: {entry}" for entry in sorted(self.mending.undisputed)]
        if self.mending.unsettled:
            found.append(f"{self.mending.unsettled} disputes were not put right")
        if self.mending.astray:
            found.append(
                f"{self.mending.astray} disputes of right settlements ended otherwise than they were traded"
            )
        if set(self.settlements) != {"completed"}:
            found.append(f"not every settlement is completed: {dict(self.settlements)}")
        if not self.accounts:
            found.append("no exchange has said what it keeps")
        found += self.accounts_that_differ
        if not self.check_clean:
            found.append(f"clearwindow check: {self.check_said}")
        return found

    def tally(self, name: str) -> int:
        """A number of all traders' tallies together."""
        return sum(line[name] for line in self.trader_lines if line["happened"] == "tally")

    def show(self, screen: Screen) -> None:
        """The tables, and what ``clearwindow check`` said."""
        screen.table(("", ""), [(what, f"{number:,}") for what, number in self._numbers()])
        screen.table(("faults injected", "by exchanges", "by traders"), self._fault_rows())
        screen.gap()
        held = sum(line.strip().startswith("ok") for line in self.check_said.splitlines())
        verdict = f"the ledger is in order: {held} of {held} hold" if self.check_clean else self.check_said
        screen.call("Clearwindow", "clearwindow check", verdict, good=self.check_clean)

    def _numbers(self) -> list[tuple[str, int]]:
        deliveries = _sum(line["deliveries"] for line in self.trader_lines if line["happened"] == "tally")
        mending = self.mending
        return [
            *((f"settlements {status}", number) for status, number in sorted(self.settlements.items())),
            ("entries settled (a connection in a settlement)", self.entries),
            ("wrong entries made", self.wrong),
            ("  of these disputed by the trader", self.wrong - len(mending.undisputed)),
            ("  put right by two operators and a later settlement", mending.put_right),
            ("right entries disputed by mistake", mending.withdrawn + mending.given_up + mending.astray),
            ("  taken back inside the window", mending.withdrawn),
            ("  given up after it", mending.given_up),
            ("webhooks heard", deliveries["new"]),
            ("  heard again, and left alone", deliveries["duplicate"]),
            ("accounts that exchange and network agree on", self.accounts - len(self.accounts_that_differ)),
            ("starts of the worker", self.worker_starts),
        ]

    def _fault_rows(self) -> list[tuple[str, str, str]]:
        exchanges = Counter(
            str(line["fault"])
            for lines in self.exchange_lines.values()
            for line in lines
            if line["event"] == "fault"
        )
        traders = _sum(line["faults"] for line in self.trader_lines if line["happened"] == "tally")
        traders["mistake"] = self.tally("mistaken")
        kinds = sorted(exchanges.keys() | traders.keys())
        return [(kind, str(exchanges[kind] or ""), str(traders[kind] or "")) for kind in kinds]


def _sum(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total
