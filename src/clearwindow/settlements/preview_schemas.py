"""A preview of a settlement on the wire."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from clearwindow.api.filters import Page
from clearwindow.api.schema import KeyText, LongText, Omittable, ShortText, WireModel, WireMoment
from clearwindow.core.clock import wire_time
from clearwindow.core.error_registry import documentation_of
from clearwindow.core.errors import RequestError
from clearwindow.core.text import present
from clearwindow.settlements.disputes.schemas import DisputeWithClosureOutput, dispute_with_closure
from clearwindow.settlements.models import Instruction, Preview, PreviewedFunds
from clearwindow.settlements.schemas import SettlementAmounts
from clearwindow.settlements.transfers.models import PreviewedBalance, PreviewedTotal
from clearwindow.signing.schemas import Intended


class PreviewSettlementRequest(Intended):
    """The body of a settlement to stage, unsigned. What only a signature needs may be in it."""

    external_id: KeyText
    notes: Omittable[LongText] = None
    settlement_amounts: SettlementAmounts
    cutoff_at: WireMoment
    nonce: Omittable[ShortText] = None

    def to_model(self) -> Instruction:
        return Instruction(self.external_id, self.notes, self.settlement_amounts, self.cutoff_at)


class PreviewOptions(Page):
    """Which page of the balances."""


class RefusalOutput(WireModel):
    """An error as staging would answer it."""

    status: int
    name: str
    error: str
    documentation: str
    details: dict[str, Any] | None = None


class PreviewedBalanceOutput(WireModel):
    """What a connection would gain and lose of one currency, in base units."""

    connection_id: str
    currency: str
    partner_currency: str | None = None
    gained: str
    lost: str
    from_closures: Annotated[str, Field(description="By closures that it takes: + the connection gains.")]
    liability: Annotated[str, Field(description="The most that it can lose, whoever disputes: what is held.")]
    available: Annotated[
        str, Field(description="What it has for that, with what the disputes of these closures hold already.")
    ]
    shortfall: str


class PartnerFundsOutput(WireModel):
    """What the partner's own account would do at the end of the top-up window, in base units."""

    change: Annotated[str, Field(description="If nobody disputes: + it gains, - it pays.")]
    needed: Annotated[str, Field(description="What it must have then, if nobody disputes.")]
    needed_at_most: Annotated[str, Field(description="What it must have if everybody disputes who loses to it.")]
    available: Annotated[str, Field(description="What it has now. Other settlements may need it, too.")]
    shortfall: Annotated[str, Field(description="What it lacks now of needed.")]


class PreviewedCurrencyOutput(WireModel):
    """The sums of one currency over all connections, in base units."""

    currency: str
    partner_currency: str | None = None
    decimals: int | None = None
    balance_count: int
    gained: str
    lost: str
    from_closures: str
    liability: str
    shortfall: str
    shortfall_count: int
    partner: PartnerFundsOutput


class PreviewOutput(WireModel):
    """What staging this settlement at ``previewedAt`` would do."""

    accepted: Annotated[bool, Field(description="Whether staging would accept it.")]
    refusals: Annotated[list[RefusalOutput], Field(description="Why not: the first is what staging would answer.")]
    repeats_settlement_id: Annotated[
        str | None, Field(description="The settlement that the same request made: staging would answer with it.")
    ] = None
    warnings: list[str]
    previewed_at: str
    dispute_deadline_at: str
    top_up_deadline_at: str
    execute_when_funded: bool
    amount_count: int
    settling_disputes: list[DisputeWithClosureOutput]
    currencies: list[PreviewedCurrencyOutput]
    balances: Annotated[
        list[PreviewedBalanceOutput],
        Field(description="A page by connection and currency, those that are short first."),
    ]


class PreviewAnswer(WireModel):
    preview: PreviewOutput


def preview_answer(preview: Preview) -> PreviewAnswer:
    funds = preview.funds
    output = present(
        accepted=not preview.refusals,
        refusals=[_refusal(error) for error in preview.refusals],
        repeats_settlement_id=str(preview.repeats.id) if preview.repeats else None,
        warnings=list(preview.warnings),
        previewed_at=wire_time(preview.previewed_at),
        dispute_deadline_at=wire_time(preview.deadlines.dispute_deadline_at),
        top_up_deadline_at=wire_time(preview.deadlines.top_up_deadline_at),
        execute_when_funded=preview.partner.execute_when_funded,
        amount_count=preview.amounts,
        settling_disputes=[dispute_with_closure(detail) for detail in preview.settling],
        currencies=[_currency(total, preview, funds) for total in funds.totals] if funds else [],
        balances=[_balance(balance, preview) for balance in funds.balances.items] if funds else [],
    )
    return PreviewAnswer(preview=PreviewOutput.model_validate(output))


def _refusal(error: RequestError) -> RefusalOutput:
    fields = present(
        status=error.status,
        name=error.name,
        error=error.message,
        documentation=documentation_of(error.name),
        details=None if error.details is None else dict(error.details),
    )
    return RefusalOutput.model_validate(fields)


def _partner_currency(preview: Preview, currency: str) -> str | None:
    # A closure may be in a currency that the configuration has dropped since.
    names = preview.currency_map.partner_names(currency)
    return names[0] if names else None


def _balance(balance: PreviewedBalance, preview: Preview) -> PreviewedBalanceOutput:
    fields = present(
        connection_id=str(balance.connection_id),
        currency=balance.currency,
        partner_currency=_partner_currency(preview, balance.currency),
        gained=str(balance.gained),
        lost=str(balance.lost),
        from_closures=str(balance.pulled_in),
        liability=str(balance.liability),
        available=str(balance.available or 0),
        shortfall=str(balance.shortfall),
    )
    return PreviewedBalanceOutput.model_validate(fields)


def _currency(total: PreviewedTotal, preview: Preview, funds: PreviewedFunds) -> PreviewedCurrencyOutput:
    available = funds.partner_available.get(total.currency, 0)
    needed = max(0, total.from_partner)
    mapped = preview.currency_map.currencies().get(total.currency)
    fields = present(
        currency=total.currency,
        partner_currency=_partner_currency(preview, total.currency),
        decimals=mapped.decimals if mapped else None,
        balance_count=total.balances,
        gained=str(total.gained),
        lost=str(total.lost),
        from_closures=str(total.pulled_in),
        liability=str(total.liability),
        shortfall=str(total.shortfall),
        shortfall_count=total.short,
        partner=PartnerFundsOutput(
            change=str(-total.from_partner),
            needed=str(needed),
            needed_at_most=str(total.from_partner_at_most),
            available=str(available),
            shortfall=str(max(0, needed - available)),
        ),
    )
    return PreviewedCurrencyOutput.model_validate(fields)
