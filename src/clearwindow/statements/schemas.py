"""Statements of accounts on the wire: filters and answers. All amounts are base units in our names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from clearwindow.api.filters import CreatedPage, Moment, Texts, require_range
from clearwindow.api.schema import RequestModel, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import parse_go_account_id, parse_uuid
from clearwindow.core.text import present
from clearwindow.ledger.models import AccountKind, Balance, EntryKind
from clearwindow.settlements.transfers.schemas import our_currencies
from clearwindow.statements import rules
from clearwindow.statements.models import (
    Cause,
    EntryPage,
    EntrySearch,
    HeldAmount,
    Period,
    StatedAccount,
    StatedBalances,
    Statement,
    StatementEntry,
)


def _kinds(names: list[str] | None) -> list[str] | None:
    known = [str(kind) for kind in EntryKind]
    if set(names or ()) - set(known):
        raise ValueError(f"must be among {', '.join(known)}")
    return names


def account_id_of(text: str) -> UUID | None:
    """Returns the id of a Go Account or network account, or None if the text is neither."""
    return parse_go_account_id(text) or parse_uuid(text)


class StatementPeriod(RequestModel):
    """The period of a statement: from the account's beginning up to now, if it has no ends."""

    created_on_or_after: Moment = None
    created_before: Moment = None

    @model_validator(mode="after")
    def _require_a_range(self) -> StatementPeriod:
        names = ("createdOnOrAfter", "createdBefore")
        require_range(self.created_on_or_after, self.created_before, names=names)
        return self

    def to_model(self) -> Period:
        return Period(self.created_on_or_after, self.created_before)


class StatementEntryFilters(CreatedPage):
    currencies: Texts = None
    kinds: Annotated[Texts, AfterValidator(_kinds)] = None

    def to_model(self) -> EntrySearch:
        return EntrySearch(
            Period(self.created_on_or_after, self.created_before),
            currencies=our_currencies(self.currencies),
            kinds=None if self.kinds is None else [EntryKind(name) for name in self.kinds],
            part=self.slice,
        )


class BalanceView(WireModel):
    available: str
    held: str


class StatedBalancesView(WireModel):
    """The balances of a currency before the first entry of the period and after the last, and what changed."""

    opening: BalanceView
    change: BalanceView
    closing: BalanceView


class StatedAccountView(WireModel):
    id: str
    kind: str
    label: str | None = None
    connection_id: str | None = None
    enterprise_id: Annotated[str | None, Field(description="Whose it is. Only operators read it.")] = None


class HeldView(WireModel):
    """An amount that is held, and what for."""

    cause: str
    cause_id: str
    description: str
    settlement_id: str | None = None
    dispute_id: str | None = None
    external_id: str | None = None
    partner_name: str | None = None
    currency: str
    quantity: str


class StatementView(WireModel):
    account: StatedAccountView
    created_on_or_after: str | None = None
    created_before: str | None = None
    read_at: str
    balances: dict[str, StatedBalancesView]
    held: Annotated[
        list[HeldView] | None,
        Field(description="What is held now and why. Missing if the period ended before it was read."),
    ] = None
    held_total: Annotated[int | None, Field(description="How many there are; ``held`` has 1 000 at most.")] = None


class StatementAnswer(WireModel):
    statement: StatementView


class StatementEntryView(WireModel):
    """What one entry of the journal changed of one currency. The description says it in words."""

    id: str
    created_at: str
    kind: str
    description: str
    cause_id: str
    settlement_id: str | None = None
    dispute_id: str | None = None
    external_id: str | None = None
    partner_name: str | None = None
    reference: str | None = None
    currency: str
    available: Annotated[str, Field(description="The change of what is available, signed.")]
    held: Annotated[str, Field(description="The change of what is held, signed.")]


class StatementEntriesAnswer(WireModel):
    entries: list[StatementEntryView]


def statement_answer(found: Statement, *, for_operators: bool) -> StatementAnswer:
    period, held = found.period, found.held
    fields = present(
        account=_account(found.account, for_operators=for_operators),
        created_on_or_after=wire_time(period.on_or_after) if period.on_or_after else None,
        created_before=wire_time(period.before) if period.before else None,
        read_at=wire_time(found.read_at),
        balances={currency: _balances(each) for currency, each in sorted(found.balances.items())},
        held=None if held is None else [_held(one, found.causes) for one in held],
        held_total=None if held is None else found.held_total,
    )
    return StatementAnswer(statement=StatementView.model_validate(fields))


def entries_answer(found: EntryPage) -> StatementEntriesAnswer:
    return StatementEntriesAnswer(entries=[_entry(entry, found.causes) for entry in found.page.items])


def _account(account: StatedAccount, *, for_operators: bool) -> StatedAccountView:
    fields = present(
        id=account.id.hex if account.kind is AccountKind.GO else str(account.id),
        kind=str(account.kind),
        label=account.label,
        connection_id=str(account.connection_id) if account.connection_id else None,
        enterprise_id=account.enterprise_id if for_operators else None,
    )
    return StatedAccountView.model_validate(fields)


def _balances(stated: StatedBalances) -> StatedBalancesView:
    return StatedBalancesView(
        opening=_balance(stated.opening), change=_balance(stated.change), closing=_balance(stated.closing)
    )


def _balance(balance: Balance) -> BalanceView:
    return BalanceView(available=str(balance.available), held=str(balance.held))


def _held(one: HeldAmount, causes: Mapping[UUID, Cause]) -> HeldView:
    cause = causes.get(one.cause_id)
    fields = {
        "cause": str(one.cause),
        "cause_id": str(one.cause_id),
        "description": rules.hold_text(one.cause, cause),
        **_cause_fields(cause),
        "currency": one.currency,
        "quantity": str(one.quantity),
    }
    return HeldView.model_validate(fields)


def _entry(entry: StatementEntry, causes: Mapping[UUID, Cause]) -> StatementEntryView:
    cause = causes.get(entry.cause_id)
    fields = present(
        id=str(entry.id),
        created_at=wire_time(entry.created_at),
        kind=str(entry.kind),
        description=rules.entry_text(entry.kind, cause, entry.reference),
        cause_id=str(entry.cause_id),
        **_cause_fields(cause),
        reference=entry.reference,
        currency=entry.currency,
        available=str(entry.available),
        held=str(entry.held),
    )
    return StatementEntryView.model_validate(fields)


def _cause_fields(cause: Cause | None) -> dict[str, object]:
    if cause is None:
        return {}
    return present(
        settlement_id=str(cause.settlement_id) if cause.settlement_id else None,
        dispute_id=str(cause.dispute_id) if cause.dispute_id else None,
        external_id=cause.external_id,
        partner_name=cause.partner_name,
    )
