"""What `requirements.lock` pins: each package, its version, its hashes and what needs it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOCK: Final = Path(__file__).parent.parent / "requirements.lock"
PROJECT: Final = "clearwindow"
_DEVELOPMENT: Final = f"{PROJECT} (pyproject.toml:dev)"
_RUNTIME: Final = f"{PROJECT} (pyproject.toml)"
_PIN: Final = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^ ]+)(?: ; (?P<marker>.+?))? \\")
_HASH: Final = re.compile(r" +--hash=sha256:(?P<digest>[0-9a-f]{64})")
_NEEDED_BY: Final = re.compile(r" +#(?: via)? +(?P<by>[a-z0-9-]+(?: \(pyproject\.toml(?::dev)?\))?)")


@dataclass(frozen=True, slots=True)
class Locked:
    """A package of the lock.

    Attributes:
        name: its normalised name.
        version: the pinned version.
        marker: on which systems it is installed; None means on all.
        sha256: the hash of each of its files, one of which is installed.
        needed_by: the packages that need it, in their normalised names; the project by its two names in the lock.
    """

    name: str
    version: str
    marker: str | None
    sha256: tuple[str, ...]
    needed_by: tuple[str, ...]


def locked_packages(text: str) -> list[Locked]:
    """Returns the packages of a lock. One may stand there twice, with a version for each kind of system.

    Raises:
        ValueError: a line of the lock is of no form that we know.
    """
    return list(_packages(text))


def needed_at_runtime(packages: Sequence[Locked]) -> frozenset[str]:
    """Returns the names of what is installed with the product, and not only for its development."""
    found: set[str] = set()
    waiting = [one.name for one in packages if _RUNTIME in one.needed_by]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [one.name for one in packages if name in one.needed_by]
    return frozenset(found)


def needed_directly(by: str, packages: Sequence[Locked]) -> list[Locked]:
    """Returns what a package needs itself, or the project if ``by`` is its name."""
    names = {_RUNTIME, _DEVELOPMENT} if by == PROJECT else {by}
    return [one for one in packages if names & set(one.needed_by)]


def _packages(text: str) -> Iterator[Locked]:
    pin: re.Match[str] | None = None
    hashes: list[str] = []
    needed_by: list[str] = []
    for line in text.splitlines():
        if line.startswith("#") or line.strip() == "# via":
            continue
        if begun := _PIN.fullmatch(line):
            if pin is not None:
                yield _locked(pin, hashes, needed_by)
            pin, hashes, needed_by = begun, [], []
        elif digest := _HASH.match(line):
            hashes.append(digest["digest"])
        elif by := _NEEDED_BY.fullmatch(line):
            needed_by.append(by["by"])
        else:
            raise ValueError(f"requirements.lock has a line of another form: {line!r}")
    if pin is not None:
        yield _locked(pin, hashes, needed_by)


def _locked(pin: re.Match[str], hashes: list[str], needed_by: list[str]) -> Locked:
    return Locked(pin["name"], pin["version"], pin["marker"], tuple(hashes), tuple(needed_by))
