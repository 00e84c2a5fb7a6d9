"""A trade on the wire: what one connection received and what it paid."""

from __future__ import annotations

from pydantic import model_validator

from clearwindow.api.schema import LongText, Omittable, RequestModel, ShortText, WireMoment
from clearwindow.core.ids import WireUuid
from clearwindow.core.money import SignedDecimal
from clearwindow.settlements.trades.models import Trade, TradedAmount
from clearwindow.signing.schemas import ToSign


class InboundAmount(RequestModel):
    """An amount in the partner's own currency name and unit: + the party receives it, - the party pays it."""

    currency: ShortText
    quantity: SignedDecimal

    @property
    def sign(self) -> int:
        """-1, 0 or 1."""
        if not self.quantity.strip("-0."):
            return 0
        return -1 if self.quantity.startswith("-") else 1


class InboundTrade(RequestModel):
    """One trade of a connected account. One of the two amounts is positive, the other negative."""

    external_id: ShortText
    external_order_id: ShortText
    party_connection_id: WireUuid
    counterparty_connection_id: Omittable[WireUuid] = None
    traded_at: WireMoment
    base: InboundAmount
    quote: InboundAmount

    def to_model(self) -> Trade:
        return Trade(
            self.party_connection_id,
            self.counterparty_connection_id,
            TradedAmount(self.base.currency, self.base.quantity),
            TradedAmount(self.quote.currency, self.quote.quantity),
        )

    @model_validator(mode="after")
    def _opposite(self) -> InboundTrade:
        if self.base.sign * self.quote.sign != -1:
            raise ValueError("base and quote must be one positive and one negative amount")
        return self


class TradeCorrection(RequestModel):
    """Who corrects an earlier trade, and why. ``externalId`` names that trade if it has another external id."""

    external_id: Omittable[ShortText] = None
    correcting_user: ShortText
    reason: LongText


class TradeToSign(ToSign):
    trade: InboundTrade
    trade_correction: Omittable[TradeCorrection] = None
