"""Which paths the network's wire contract describes: they answer with its statuses only. Protocol §2."""

from __future__ import annotations

import re
from typing import Final

_PREFIX: Final = "/api/network/"
_BESIDE: Final = re.compile(
    r"/api/network/v1/enterprises/[^/]+/(webhook-endpoints|clients/(approval-thresholds|pending-approvals))(/.*)?"
)
"""Operations of our own under the contract's prefix."""


def is_of_contract(path: str) -> bool:
    """Returns whether an operation of the contract is at this path, which may be a template."""
    return path.startswith(_PREFIX) and _BESIDE.fullmatch(path) is None
