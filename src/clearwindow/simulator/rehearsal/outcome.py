"""The outcome of a rehearsal: its tables and its problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clearwindow.simulator.programs import Line
from clearwindow.simulator.rehearsal.expected_settlements import DisputeResults
from clearwindow.simulator.screen import Screen


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The numbers of a rehearsal that has ended.

    Attributes:
        seconds: the duration in real time.
        settlements: how many, by status.
        entries: how many entries the settlements had; an entry is a connection in a settlement.
        wrong: how many entries differ from the trades, as the rehearsal computes them.
        dispute_results: the results of all disputes.
        exchange_lines: the lines that each exchange wrote, by name.
        trader_lines: the lines that the traders wrote.
        worker_starts: how often the worker was started.
        accounts: how many accounts the exchanges keep.
        account_differences: one text for each account on which exchange and network do not agree.
        check_ok: whether ``clearwindow check`` found no error.
        check_output: what it printed.
    """

    seconds: float
    settlements: Mapping[str, int]
    entries: int
    wrong: int
    dispute_results: DisputeResults
    exchange_lines: Mapping[str, Sequence[Line]]
    trader_lines: Sequence[Line]
    worker_starts: int
    accounts: int
    account_differences: Sequence[str]
    check_ok: bool
    check_output: str

    @property
    def problems(self) -> list[str]:
        """Returns one line for each problem; none if the rehearsal succeeded."""
        found = [
            f"a wrong settlement was not disputed: {entry}" for entry in sorted(self.dispute_results.undisputed)
        ]
        if self.dispute_results.unsettled:
            found.append(f"{self.dispute_results.unsettled} disputes of wrong amounts were not corrected")
        if self.dispute_results.ended_wrongly:
            found.append(f"{self.dispute_results.ended_wrongly} disputes of right amounts ended with other amounts")
        if set(self.settlements) != {"completed"}:
            found.append(f"not every settlement is completed: {dict(self.settlements)}")
        if not self.accounts:
            found.append("no exchange reported its accounts")
        found += self.account_differences
        if not self.check_ok:
            found.append(f"clearwindow check: {self.check_output}")
        return found

    def tally(self, name: str) -> int:
        """Returns the sum of one number over the tallies of all traders."""
        return sum(line[name] for line in self.trader_lines if line["happened"] == "tally")

    def show(self, screen: Screen) -> None:
        """Prints the tables and the result of ``clearwindow check``."""
        screen.table(("", ""), [(what, f"{number:,}") for what, number in self._numbers()])
        screen.table(("faults injected", "by exchanges", "by traders"), self._fault_rows())
        screen.blank_line()
        held = sum(line.strip().startswith("ok") for line in self.check_output.splitlines())
        result = f"the ledger is correct: {held} of {held} invariants hold" if self.check_ok else self.check_output
        screen.call("Clearwindow", "clearwindow check", result, good=self.check_ok)

    def _numbers(self) -> list[tuple[str, int]]:
        deliveries = _sum(line["deliveries"] for line in self.trader_lines if line["happened"] == "tally")
        dispute_results = self.dispute_results
        return [
            *((f"settlements {status}", number) for status, number in sorted(self.settlements.items())),
            ("entries (a connection in a settlement)", self.entries),
            ("entries with wrong amounts", self.wrong),
            ("  disputed by the trader", self.wrong - len(dispute_results.undisputed)),
            ("  corrected by two operators and a later settlement", dispute_results.put_right),
            (
                "entries with right amounts, disputed by mistake",
                dispute_results.withdrawn + dispute_results.given_up + dispute_results.ended_wrongly,
            ),
            ("  retracted inside the dispute window", dispute_results.withdrawn),
            ("  closed by the trader after it", dispute_results.given_up),
            ("webhooks received", deliveries["new"]),
            ("  received again and ignored", deliveries["duplicate"]),
            ("accounts on which exchange and network agree", self.accounts - len(self.account_differences)),
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
