"""How large the body of a request may be: settlements may be large, everything else is small. Protocol §2.

Decided by method and path, because a signed call is read before its route is known.
"""

from __future__ import annotations

import re
from typing import Final

from clearwindow.runtime import BodyLimits, Limits

_ENTERPRISE: Final = "/api/network/v[12]/enterprises/[^/]+"
_SETTLES: Final = re.compile(
    f"{_ENTERPRISE}/partners/settlements(/preview|/nonReconciled|/onchain|/onchain/deposits)?|/api/v2/ofc/wallet/[^/]+/tx/sign"
)
"""Settlements of both versions and on chain, with previews and deposits; and the custodian's signature."""

_SHOWS_TEXT_TO_SIGN: Final = re.compile(
    f"{_ENTERPRISE}/partners/(settlements-signing|settlements/onchain/deposits/signing)"
)


def limits_of_body(method: str, path: str, limits: Limits) -> BodyLimits:
    """Returns the limits of the body of a request, whose path may be a template."""
    if _SHOWS_TEXT_TO_SIGN.fullmatch(path) or (method == "POST" and _SETTLES.fullmatch(path)):
        return limits.settlement_body
    return limits.other_body
