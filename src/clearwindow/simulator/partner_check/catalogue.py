"""All checks, in the order in which they run, and the page about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from clearwindow.conformance.allocating import allocations
from clearwindow.conformance.authenticating import authentication
from clearwindow.conformance.connecting import connections, transport
from clearwindow.conformance.deallocating import deallocations
from clearwindow.conformance.ordering import finalize, order
from clearwindow.conformance.robustness import form, robustness
from clearwindow.conformance.values import Check, Group, WronglyAskedError, of_decisions

GROUPS: Final[Sequence[Group]] = (
    transport,
    connections,
    allocations,
    deallocations,
    order,
    finalize,
    authentication,
    robustness,
    form,
)


def all_checks() -> list[Check]:
    """Every check, each behind those that it needs."""
    waiting = [check for group in GROUPS for check in group.checks]
    ordered: list[Check] = []
    known: set[str] = set()
    while waiting:
        following = next(check for check in waiting if known.issuperset(check.needs))
        waiting.remove(following)
        ordered.append(following)
        known.add(following.id)
    # What judges the run as a whole has the whole run before it.
    return sorted(ordered, key=lambda check: check.group == form.name)


def chosen(only: Iterable[str], skip: Iterable[str]) -> list[Check]:
    """The checks by their ids or groups: those of ``only`` with what they need, without those of ``skip``.

    Raises:
        WronglyAskedError: there is no such check.
    """
    checks = all_checks()
    wanted = _ids(checks, only) or {check.id for check in checks}
    for check in reversed(checks):
        if check.id in wanted:
            wanted.update(check.needs)
    unwanted = _ids(checks, skip)
    return [check for check in checks if check.id in wanted - unwanted]


def as_markdown() -> str:
    """The checks as tables."""
    return "\n".join(_table(group) for group in GROUPS)


def _ids(checks: Sequence[Check], names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        these = {check.id for check in checks if name in (check.id, check.group)}
        if not these:
            groups = ", ".join(group.name for group in GROUPS)
            raise WronglyAskedError(
                f"There is no check {name[:80]}: name one by its id, or one of the groups {groups}."
            )
        found |= these
    return found


def _table(group: Group) -> str:
    undecided = of_decisions(all_checks())
    rows = [
        f"| `{check.id}` | {check.level} | {later} | {check.title} | {check.advice} |"
        for check in group.checks
        for later in ("no" if check.id in undecided else "yes",)
    ]
    head = ["| check | level | later | what must be | where it is not |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([f"### {group.title}\n", f"Protocol {group.section}.\n", *head, *rows, ""])
