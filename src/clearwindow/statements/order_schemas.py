"""Net orders of a settlement on the wire."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from clearwindow.api.filters import CursorPage, Texts
from clearwindow.api.schema import WireModel
from clearwindow.core.text import present
from clearwindow.settlements.transfers.schemas import our_currencies
from clearwindow.statements.models import ANOTHER_CLIENT, THE_PARTNER, NetOrder, NetOrders

_CONNECTION = "connection"


class NetOrderFilters(CursorPage):
    currencies: Texts = None

    def our_currencies(self) -> list[str] | None:
        return our_currencies(self.currencies)


class NetOrderView(WireModel):
    """Who pays whom how much of one currency, in base units."""

    payer: Annotated[str, Field(description="``partner``, ``connection``, or for clients ``another_client``.")]
    payer_connection_id: str | None = None
    payer_account_id: str | None = None
    payee: str
    payee_connection_id: str | None = None
    payee_account_id: str | None = None
    currency: str
    quantity: Annotated[str, Field(description="Base units, more than 0.")]
    transfer_count: Annotated[int, Field(description="Of how many transfers it is the sum.")]


class NetOrdersAnswer(WireModel):
    net_orders: list[NetOrderView]


def net_orders_answer(found: NetOrders) -> NetOrdersAnswer:
    return NetOrdersAnswer(net_orders=[_view(order, found.partner_account_id) for order in found.page.items])


def _view(order: NetOrder, partner_account_id: UUID) -> NetOrderView:
    own = (_CONNECTION, str(order.connection_id), str(order.account_id))
    other = _other(order, partner_account_id)
    payer, payee = (other, own) if order.quantity > 0 else (own, other)
    fields = present(
        payer=payer[0],
        payer_connection_id=payer[1],
        payer_account_id=payer[2],
        payee=payee[0],
        payee_connection_id=payee[1],
        payee_account_id=payee[2],
        currency=order.currency,
        quantity=str(abs(order.quantity)),
        transfer_count=order.transfers,
    )
    return NetOrderView.model_validate(fields)


def _other(order: NetOrder, partner_account_id: UUID) -> tuple[str, str | None, str | None]:
    if order.other_id == THE_PARTNER:
        return "partner", None, partner_account_id.hex
    if order.other_id == ANOTHER_CLIENT:
        return "another_client", None, None
    return _CONNECTION, str(order.other_id), str(order.other_account_id)
