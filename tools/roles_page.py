"""docs/reference/roles.md, made from the table of roles: ``python -m tools.roles_page`` writes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from clearwindow.identity.models import MemberRole, OperatorRole
from clearwindow.identity.roles import operations_of_deposit_tokens, roles_of_members, roles_of_operators
from clearwindow.web.openapi import operations
from tests.support.descriptions import own_document

PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "roles.md"
HEAD: Final = """\
# Roles

Which operators and members may carry out each operation. This page is made from
`src/clearwindow/identity/roles.toml` by `python -m tools.roles_page`. A test calls each operation with each role.

- Operators: a `viewer` reads; an `operator` also makes deposits and withdrawals, retries, rejects and closes; an
  `approver` also reviews what others made; an `administrator` does all of that, and decides about people, roles,
  accounts and the settings of the network.
- Members of an enterprise: a `viewer` reads; a `trader` also connects, allocates and disputes; a `settler` also
  does what an exchange's desk does; an `approver` also decides approvals; an `administrator` does all of that,
  decides about thresholds and webhook endpoints, and makes the enterprise a client or a partner.
- `operator` and `approver` include nothing of each other, and neither do `trader`, `settler` and `approver`.
- To have a custodian key sign, a user needs the right `mayUseCustodianKey` too.
- A token may have a role of its own, which its holder's includes. It acts in the narrower of the two: if neither
  includes the other, it only reads.
- A token with `depositsOnly` may carry out the operations in the column "deposits alone". All others are 403
  `token_for_deposits` ([proposals](proposals.md#deposits-by-a-program)).
- Who may not is answered 403 `role_forbids`, with the roles that may in `details.neededRoles`.
"""


def page() -> str:
    """Returns the page as the code has it now."""
    deposits = {"deposits alone": operations_of_deposit_tokens()}
    operators = _table("Operators", OperatorRole, roles_of_operators(), deposits)
    return HEAD + operators + _table("Members", MemberRole, roles_of_members())


def guarded_operations() -> dict[str, tuple[str, str]]:
    """Returns method and path of each operation that needs a token, by its id."""
    return {
        operation["operationId"]: (method.upper(), path)
        for method, path, operation in operations(own_document())
        if operation.get("security")
    }


def _table(
    title: str,
    roles: type[StrEnum],
    rows: Mapping[str, Collection[StrEnum]],
    tokens: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> str:
    """Returns a table with a column for each role, and one for each of ``tokens``, which may do less."""
    names = [*roles, *tokens]
    places = guarded_operations()
    lines = [
        f"\n## {title}\n",
        f"| operation | method and path | {' | '.join(names)} |",
        f"| --- | --- |{' --- |' * len(names)}",
    ]
    for operation in sorted(rows, key=lambda name: (places[name][1], places[name][0])):
        method, path = places[operation]
        may = [role in rows[operation] for role in roles] + [operation in good for good in tokens.values()]
        marks = " | ".join("yes" if each else "" for each in may)
        lines.append(f"| `{operation}` | {method} `{path}` | {marks} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
