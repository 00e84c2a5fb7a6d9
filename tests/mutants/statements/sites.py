"""Which small changes of a statement a test must notice: an operator, a sign, a predicate dropped, a join, a lock.

A file of statements is changed in one place at a time, as text. Comments, texts and parameters stay as they are.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Final

PACKAGES: Final = (
    "clearwindow.ledger",
    "clearwindow.settlements",
    "clearwindow.settlements.disputes",
    "clearwindow.settlements.onchain",
    "clearwindow.settlements.transfers",
)
_HEADING: Final = re.compile(r"^-- (?:name|columns): ([a-z0-9_]+)$|^-- relation: [a-z0-9_]+$", re.MULTILINE)
_KEPT: Final = re.compile(r"--[^\n]*|'[^']*'|%\(\w+\)s|\{\w+\}|=>")
_SWAPS: Final = (
    ("<>", "="),
    ("<=", "<"),
    (">=", ">"),
    ("=", "<>"),
    ("<", "<="),
    (">", ">="),
    ("-", "+"),
    ("+", "-"),
    ("OR", "AND"),
    ("LEFT JOIN", "JOIN"),
    ("JOIN", "LEFT JOIN"),
    ("UNION ALL", "UNION"),
    ("NOT EXISTS", "EXISTS"),
    ("EXISTS", "NOT EXISTS"),
    ("IS NOT NULL", "IS NULL"),
    ("IS NULL", "IS NOT NULL"),
    ("NOT", ""),
    ("greatest", "least"),
    ("least", "greatest"),
    ("max", "min"),
    ("min", "max"),
    ("bool_or", "bool_and"),
    ("bool_and", "bool_or"),
    ("false", "true"),
    ("true", "false"),
)
_WORD: Final = re.compile(r"[A-Za-z_]")
_SWAPPED: Final = re.compile(
    "|".join(
        rf"\b{old.replace(' ', chr(92) + 's+')}\b" if _WORD.match(old) else re.escape(old) for old, _ in _SWAPS
    )
)
_CASTS: Final = re.compile(r"::\w+(\[\])?")
_LOCK: Final = re.compile(r"\bFOR (?:NO KEY )?(?:UPDATE|SHARE|KEY SHARE)(?: OF \w+)?(?: SKIP LOCKED| NOWAIT)?")
_PART: Final = re.compile(r"[(),]|\b[A-Z]+\b")
_BEGINS: Final = frozenset({"AND", "WHERE", "HAVING", "ON"})
_ENDS: Final = _BEGINS | {
    "OR",
    "GROUP",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "RETURNING",
    "UNION",
    "FOR",
    "THEN",
    "ELSE",
    "END",
}
_ENDS_OF_JOINS: Final = frozenset({"JOIN", "LEFT", "CROSS"})


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a file of statements.

    Attributes:
        package: whose file it is.
        block: the statement, or the columns that statements share.
        start: where the changed text begins in the file.
        end: where it ends.
        new: what is there instead.
        before: the line with the change, as it is.
        after: the same line, changed.
        place: which of several changes of the statement it is that look the same, from 1.
    """

    package: str
    block: str
    start: int
    end: int
    new: str
    before: str
    after: str
    place: int = 1

    @property
    def of(self) -> str:
        return f"{self.package.removeprefix('clearwindow.')}.{self.block}"

    @property
    def change(self) -> str:
        which = f"\n(such place {self.place})" if self.place > 1 else ""
        return f"- {self.before}\n+ {self.after}{which}"

    def apply(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.end :]


def text_of(package: str) -> str:
    return files(package).joinpath("queries.sql").read_text(encoding="utf-8")


def mutants_of(package: str, text: str) -> list[Mutant]:
    """Returns every mutant of a file of statements, in the order of the text."""
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    found = []
    for heading, end in zip(headings, ends, strict=True):
        if heading[1]:
            changes = _changes(text[heading.end() : end])
            at = heading.end()
            found += [
                _mutant(package, heading[1], text, at + first, at + last, new) for first, last, new in changes
            ]
    return list(_numbered(sorted(found, key=lambda mutant: mutant.start)))


def _numbered(mutants: list[Mutant]) -> Iterator[Mutant]:
    seen: Counter[str] = Counter()
    for mutant in mutants:
        told = f"{mutant.of}\n{mutant.change}"
        seen[told] += 1
        yield replace(mutant, place=seen[told])


def sample(mutants: list[Mutant], most: int) -> list[Mutant]:
    """Returns so many mutants: some of each statement, and the same ones as long as their lines stay the same."""
    taken: dict[str, int] = {}
    ranked = []
    for mutant in sorted(mutants, key=_digest):
        taken[mutant.of] = taken.get(mutant.of, 0) + 1
        # The first of each statement before the second of any; then those that chance puts first.
        ranked.append((0 if taken[mutant.of] == 1 else 1, _digest(mutant), mutant))
    return [mutant for *_, mutant in sorted(ranked, key=lambda one: one[:2])[:most]]


def _digest(mutant: Mutant) -> str:
    return hashlib.sha256(f"{mutant.of}\n{mutant.change}".encode()).hexdigest()


def _mutant(package: str, block: str, text: str, start: int, end: int, new: str) -> Mutant:
    line, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    last = len(text) if last < 0 else last
    before, after = text[line:last], text[line:start] + new + text[end:last]
    return Mutant(package, block, start, end, new, " ".join(before.split()), " ".join(after.split()))


def _changes(body: str) -> Iterator[tuple[int, int, str]]:
    """Yields the places of a statement that change, and what is there instead."""
    masked = _KEPT.sub(lambda match: "." * len(match[0]), body)
    masked = _CASTS.sub(lambda match: "." * len(match[0]), masked)
    new_of = dict(_SWAPS)
    for match in _SWAPPED.finditer(masked):
        yield match.start(), match.end(), new_of[" ".join(match[0].split())]
    for match in _LOCK.finditer(masked):
        yield match.start(), match.end(), ""
    yield from _dropped_predicates(masked)


def _dropped_predicates(masked: str) -> Iterator[tuple[int, int, str]]:
    """Yields each condition that others stand beside with AND, and each that stands alone, which is true then."""
    parts = [(match[0], match.start(), match.end()) for match in _PART.finditer(masked)]
    for place, (word, _, end) in enumerate(parts):
        if word not in _BEGINS:
            continue
        condition = masked[end : _end_of(parts[place + 1 :], len(masked))]
        if condition.strip():
            yield end + len(condition) - len(condition.lstrip()), end + len(condition.rstrip()), "true"


def _end_of(parts: list[tuple[str, int, int]], length: int) -> int:
    depth = 0
    for word, start, _ in parts:
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
            if depth < 0:
                return start
        elif depth == 0 and (word in _ENDS | _ENDS_OF_JOINS or word == ","):
            return start
    return length
