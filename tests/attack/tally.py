"""What was tried, what it got, and what succeeded. Values only, but for the counting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import httpx2

from tests.attack.stage import Stage


@dataclass(slots=True)
class Tally:
    """The attempts of one class.

    Attributes:
        known_open: attempts, by how their names begin, that nothing prevents yet, each with its reason.
        answers: how often each status came; ``none`` is an attempt that is no request of its own.
        succeeded: what went through, in words.
        open: how many attempts went through for each entry of ``known_open``.
        controls: rightful requests that were accepted: they show that the attempts beside them meant something.
    """

    known_open: Mapping[str, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    succeeded: list[str] = field(default_factory=list)
    open: Counter[str] = field(default_factory=Counter)
    controls: int = 0

    @property
    def attempts(self) -> int:
        return self.answers.total()

    @property
    def closed_by_now(self) -> list[str]:
        """The entries of ``known_open`` that no attempt got through any more."""
        return [begins for begins in self.known_open if not self.open[begins]]

    def judge(self, name: str, response: httpx2.Response, refusals: Collection[int]) -> None:
        """Counts a request that must be refused with one of these statuses."""
        self.answers[str(response.status_code)] += 1
        if response.status_code not in refusals:
            self._went_through(name, f"{response.status_code} {response.text[:300]}")

    def require(self, name: str, *, held: bool, seen: object) -> None:
        """Counts an attempt that is judged by what was left afterwards."""
        self.answers["none"] += 1
        if not held:
            self._went_through(name, str(seen)[:300])

    def control(self, name: str, response: httpx2.Response) -> None:
        """Requires that a rightful request is accepted."""
        if response.status_code >= 300:
            raise AssertionError(f"control {name}: {response.status_code} {response.text[:500]}")
        self.controls += 1

    def _went_through(self, name: str, seen: str) -> None:
        known = next((begins for begins in self.known_open if name.startswith(begins)), None)
        if known is None:
            self.succeeded.append(f"{name}: {seen}")
        else:
            self.open[known] += 1


Run: TypeAlias = Callable[[Stage, Tally], None]


@dataclass(frozen=True, slots=True)
class AttackClass:
    """Attacks of one kind: their name, what is tried, and how."""

    name: str
    what: str
    run: Run
