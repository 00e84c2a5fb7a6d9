"""When a standing top-up is used, and for how much. Pure. Protocol §5."""

from __future__ import annotations

from collections.abc import Mapping

from clearwindow.standing_top_ups.models import Source, TopUp


def cover(shortfalls: Mapping[str, int], sources: Mapping[str, Source]) -> list[TopUp]:
    """Returns what tops an account up for a settlement, or nothing if it does not suffice.

    Exactly what is short comes, of every currency or of none: a settlement executes whole, so that a part would
    move money for nothing.

    Args:
        shortfalls: what the account lacks, by currency, in base units.
        sources: what may be used now, by currency.
    """
    found = []
    for currency, shortfall in sorted(shortfalls.items()):
        source = sources.get(currency)
        if source is None or shortfall > min(source.available, source.standing.per_settlement):
            return []
        found.append(TopUp(source.standing, shortfall))
    return found
