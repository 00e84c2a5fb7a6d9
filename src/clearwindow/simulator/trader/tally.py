"""The counts of a trader since its start."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

Entry: TypeAlias = tuple[str, str]
"""A settlement id and a connection id."""


@dataclass(slots=True)
class Tally:
    """The counts, by ids, so that repeats count once.

    Attributes:
        settlements: checked settlements.
        right: entries with the amounts of the trader's own trades.
        wrong: entries with other amounts.
        unknown: settlements that do not belong to a round; they are not checked.
        disputed: wrong entries with a dispute.
        late: wrong entries found after the dispute window.
        mistaken: right entries that were disputed by mistake.
        withdrawn: mistaken entries whose dispute was retracted or closed.
        put_right: disputed entries that were settled with the expected amounts.
        completed: executed settlements.
        received: the net amounts of executed settlements, by currency, in base units; positive to the trader.
        deliveries: accepted webhooks, new and duplicate.
        faults: injected faults, by kind.
    """

    settlements: set[str] = field(default_factory=set)
    right: set[Entry] = field(default_factory=set)
    wrong: set[Entry] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    disputed: set[Entry] = field(default_factory=set)
    late: set[Entry] = field(default_factory=set)
    mistaken: set[Entry] = field(default_factory=set)
    withdrawn: set[Entry] = field(default_factory=set)
    put_right: set[Entry] = field(default_factory=set)
    completed: set[str] = field(default_factory=set)
    received: Counter[str] = field(default_factory=Counter)
    deliveries: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def summary(self) -> dict[str, object]:
        """Returns all counts as numbers."""
        counted = ("settlements", "right", "wrong", "unknown", "disputed", "late", "mistaken", "withdrawn")
        numbers: dict[str, object] = {name: len(getattr(self, name)) for name in counted}
        numbers |= {"put_right": len(self.put_right), "completed": len(self.completed)}
        sums = {"received": self.received, "deliveries": self.deliveries, "faults": self.faults}
        return numbers | {name: dict(counter) for name, counter in sums.items()}
