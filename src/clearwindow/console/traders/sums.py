"""What one settlement moves on each of a client's connections, summed from its transfers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Final

from clearwindow.console.routing import Visit
from clearwindow.core.errors import InvalidRequestError
from clearwindow.settlements.routes import list_transfers_for_client

Sums = Mapping[str, Mapping[str, int]]
"""By network account, then by currency, in base units. + the client receives."""

_MOST_PER_PAGE: Final = 500
_MOST_PAGES: Final = 100


def of_settlement(visit: Visit, settlement_id: str) -> Sums:
    """Returns the sums of a settlement's own transfers, without those that settle an earlier dispute.

    Raises:
        InvalidRequestError: it has more transfers than a page can add up.
    """
    sums: dict[str, dict[str, int]] = {}
    size = min(_MOST_PER_PAGE, visit.runtime.limits.page_size)
    for number in count():
        part = {"settlementIds": settlement_id, "pageSize": str(size), "pageNumber": str(number)}
        found = visit.desk.listed(
            list_transfers_for_client, part, "v1ClientSettlementTransfersGetRoute"
        ).body.settlement_transfers
        for each in found:
            if each.dispute_closure_id is not None:
                continue
            for sign, account_id in (
                (1, each.destination_network_account_id),
                (-1, each.source_network_account_id),
            ):
                if account_id is not None:
                    of_account = sums.setdefault(account_id, {})
                    of_account[each.currency] = of_account.get(each.currency, 0) + sign * int(each.quantity)
        if len(found) < size:
            break
        if number >= _MOST_PAGES:
            raise InvalidRequestError(
                "request_invalid",
                f"the settlement has more than {_MOST_PAGES * size} transfers of yours: compare it with the API",
            )
    return sums
