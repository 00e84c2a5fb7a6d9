"""A trade on the wire: what one connection got for what it gave."""

from __future__ import annotations

from pydantic import model_validator

from clearwindow.http.wire import LongText, RequestModel, ShortText, WireMoment
from clearwindow.ids import WireUuid
from clearwindow.money import SignedDecimal
from clearwindow.signing.wire import ToSign


class TradedAmount(RequestModel):
    """In the partner's own name and unit; + the party gets it, - the party gives it."""

    currency: ShortText
    quantity: SignedDecimal

    @property
    def sign(self) -> int:
        """-1, 0 or 1."""
        if not self.quantity.strip("-0."):
            return 0
        return -1 if self.quantity.startswith("-") else 1


class InboundTrade(RequestModel):
    """One trade of a connected account; of the two amounts one is positive and the other negative."""

    external_id: ShortText
    external_order_id: ShortText
    party_connection_id: WireUuid
    counterparty_connection_id: WireUuid | None = None
    traded_at: WireMoment
    base: TradedAmount
    quote: TradedAmount

    @model_validator(mode="after")
    def _opposite(self) -> InboundTrade:
        if self.base.sign * self.quote.sign != -1:
            raise ValueError("base and quote must be one positive and one negative amount")
        return self


class TradeCorrection(RequestModel):
    """Who corrects an earlier trade, and why; ``externalId`` names it where it has another one."""

    external_id: ShortText | None = None
    correcting_user: ShortText
    reason: LongText


class TradeToSign(ToSign):
    trade: InboundTrade
    trade_correction: TradeCorrection | None = None
