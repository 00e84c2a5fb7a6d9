"""What a trader has seen and done since it was started."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

Entry: TypeAlias = tuple[str, str]
"""A settlement's id and a connection's: what is right or wrong, and what is disputed."""


@dataclass(slots=True)
class Tally:
    """Kept by ids, so that what comes twice counts once.

    Attributes:
        settlements: those that were looked into.
        right: entries that said what the trader's own trades say.
        wrong: entries that did not.
        unknown: settlements of no trades that the trader knows; they are left alone.
        disputed: wrong entries with a dispute.
        late: wrong entries that could not be disputed any more.
        mistaken: right entries that were disputed all the same.
        withdrawn: of these, those whose dispute was taken back, or given up.
        put_right: disputes that ended as expected, and were carried out.
        completed: settlements that were executed.
        received: what these moved, per currency, in base units: + to the trader.
        deliveries: webhooks that were taken, by what they were.
        faults: how often which fault was met.
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
        """All of it as numbers."""
        counted = ("settlements", "right", "wrong", "unknown", "disputed", "late", "mistaken", "withdrawn")
        numbers: dict[str, object] = {name: len(getattr(self, name)) for name in counted}
        numbers |= {"put_right": len(self.put_right), "completed": len(self.completed)}
        sums = {"received": self.received, "deliveries": self.deliveries, "faults": self.faults}
        return numbers | {name: dict(counter) for name, counter in sums.items()}
