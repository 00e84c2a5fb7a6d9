"""All checks in the order in which they run, and their reference page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from clearwindow.simulator.partner_check.allocations import allocations
from clearwindow.simulator.partner_check.authentication import authentication
from clearwindow.simulator.partner_check.connections import connections, transport
from clearwindow.simulator.partner_check.deallocations import deallocations
from clearwindow.simulator.partner_check.models import Check, Group, InvalidOptionError, needing_decision
from clearwindow.simulator.partner_check.order import finalize, order
from clearwindow.simulator.partner_check.robustness import form, robustness

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
    """Returns every check, each after those that it needs."""
    waiting = [check for group in GROUPS for check in group.checks]
    ordered: list[Check] = []
    known: set[str] = set()
    while waiting:
        following = next(check for check in waiting if known.issuperset(check.needs))
        waiting.remove(following)
        ordered.append(following)
        known.add(following.id)
    # The checks of the whole run come last.
    return sorted(ordered, key=lambda check: check.group == form.name)


def chosen(only: Iterable[str], skip: Iterable[str]) -> list[Check]:
    """Returns the checks of ``only`` with those that they need, without the checks of ``skip``; ids or groups.

    Raises:
        InvalidOptionError: there is no such check.
    """
    checks = all_checks()
    wanted = _ids(checks, only) or {check.id for check in checks}
    for check in reversed(checks):
        if check.id in wanted:
            wanted.update(check.needs)
    unwanted = _ids(checks, skip)
    return [check for check in checks if check.id in wanted - unwanted]


def as_markdown() -> str:
    """Returns the checks as tables."""
    return "\n".join(_table(group) for group in GROUPS)


def _ids(checks: Sequence[Check], names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        these = {check.id for check in checks if name in (check.id, check.group)}
        if not these:
            groups = ", ".join(group.name for group in GROUPS)
            raise InvalidOptionError(
                f"There is no check {name[:80]}: use the id of a check, or one of the groups {groups}."
            )
        found |= these
    return found


def _table(group: Group) -> str:
    undecided = needing_decision(all_checks())
    rows = [
        f"| `{check.id}` | {check.level} | {later} | {check.title} | {check.advice} |"
        for check in group.checks
        for later in ("no" if check.id in undecided else "yes",)
    ]
    head = ["| check | level | later | requirement | what to do if it fails |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([f"### {group.title}\n", f"Protocol {group.section}.\n", *head, *rows, ""])
