"""What staging a settlement would do, without doing it. Reads one snapshot, writes nothing and locks nothing. §5.

Everything that staging refuses is collected, in the order in which staging looks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from clearwindow.core.errors import ConflictError, RequestError, UnprocessableError
from clearwindow.identity.models import Member
from clearwindow.ledger import store as ledger
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.network.models import CurrencyMap, Partner
from clearwindow.pauses import rules as pause_rules
from clearwindow.pauses import store as pauses
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import amounts, funding, intake, rules, staging, store
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.disputes.models import AssignedClosure
from clearwindow.settlements.models import (
    Deadlines,
    Instruction,
    Preview,
    PreviewedFunds,
    Settlement,
    StagedAmounts,
)
from clearwindow.settlements.transfers import previews
from clearwindow.settlements.transfers.models import PreviewedBalance
from clearwindow.settlements.transfers.previews import Previewed


@dataclass(frozen=True, slots=True)
class _Refusals:
    """The errors that staging would answer with, the first first."""

    found: list[RequestError] = field(default_factory=list)

    @contextmanager
    def collected(self) -> Iterator[None]:
        try:
            yield
        except RequestError as error:
            self.found.append(error)


def preview_settlement(runtime: Runtime, member: Member, instruction: Instruction, page: Slice) -> Preview:
    """Returns what staging this settlement now would do, with a page of the balances that it would change.

    Raises:
        PermissionDeniedError: the caller is no active partner with a dispute window.
        InvalidRequestError: there are too many amounts, or they are between two connections and may not be.
    """
    count = amounts.require_within_limits(instruction.settlement_amounts, runtime.limits)
    with runtime.transaction() as tx:
        tx.read_one_snapshot()
        with tx.together():
            found_partner = network.ask_partner(tx, enterprise_id=member.enterprise_id)
            found_existing = store.find_of_enterprise(tx, member.enterprise_id, instruction.external_id)
            found_currencies = network.ask_mapped_currencies(tx, [member.enterprise_id])
        partner = staging.allowed_to_stage(parties.as_partner(found_partner()))
        currency_map = CurrencyMap(partner.amount_unit, found_currencies()[member.enterprise_id])
        with tx.together():
            checking = amounts.ask_check(tx, partner, currency_map, instruction.settlement_amounts)
            last_cutoff = store.last_cutoff(tx, partner.id)
            closures = disputes.ask_approved_closures(tx, partner.id)
        checked, taken, refusals, now = checking(), closures(), _Refusals(), tx.now()
        with refusals.collected():
            rules.require_cutoff(instruction.cutoff_at, now)
        refusals.found.extend(checked.problems)
        existing = found_existing()
        same = _same_settlement(tx, instruction, existing, None if checked.problems else checked.staged, refusals)
        funds = None
        if same is None and not checked.problems:
            funds = _funds(tx, partner, checked.staged, taken, refusals, page)
        return Preview(
            partner=partner,
            currency_map=currency_map,
            previewed_at=now,
            deadlines=_deadlines(partner, now),
            amounts=count,
            warnings=rules.cutoff_warnings(instruction.cutoff_at, last_cutoff()),
            refusals=refusals.found,
            repeats=same,
            settling=staging.settling_disputes(tx, taken) if funds else [],
            funds=funds,
        )


def _deadlines(partner: Partner, now: datetime) -> Deadlines:
    if partner.client_dispute_window_minutes is None:
        raise AssertionError("a partner without a dispute window stages no settlement")
    return rules.deadlines(now, partner.client_dispute_window_minutes, partner.top_up_window_minutes)


def _same_settlement(
    tx: Transaction,
    instruction: Instruction,
    existing: Settlement | None,
    staged: StagedAmounts | None,
    refusals: _Refusals,
) -> Settlement | None:
    """Returns the settlement that an earlier, same request made."""
    if existing is None or staged is None:
        return None
    try:
        intake.require_same(tx, staging.METHOD, instruction, existing, staged)
    except ConflictError as conflict:
        refusals.found.append(conflict)
        return None
    return existing


def _funds(
    tx: Transaction,
    partner: Partner,
    staged: StagedAmounts,
    taken: Sequence[AssignedClosure],
    refusals: _Refusals,
    page: Slice,
) -> PreviewedFunds:
    previewed = Previewed(
        staged.amounts,
        staged.currencies,
        staged.decimals,
        closure_ids=[closure.closure_id for closure in taken],
        dispute_ids=[closure.dispute_id for closure in taken],
    )
    day_from, day_until = rules.utc_day(tx.now())
    standing = pauses.ask_standing_for_amounts(tx, partner.id, staged.amounts.connection_ids, staged.currencies)
    beyond = previews.ask_losses_beyond_limits(tx, previewed, partner.id, day_from, day_until)
    with refusals.collected():
        pause_rules.require_open(standing(), UnprocessableError)
    with refusals.collected():
        rules.require_within_loss_limits(beyond(), UnprocessableError)
    totals = previews.totals(tx, previewed)
    if any(total.short for total in totals):
        refusals.found.append(funding.not_covered(tx, partner, previews.shortfalls(tx, previewed)))
    own = ledger.balances_of(tx, [partner.go_account_id])[partner.go_account_id]
    return PreviewedFunds(
        balances=_with_available(tx, previews.list_balances(tx, previewed, page)),
        totals=totals,
        partner_available={currency: balance.available for currency, balance in own.items()},
        closures=len(taken),
    )


def _with_available(tx: Transaction, page: Listing[PreviewedBalance]) -> Listing[PreviewedBalance]:
    """Returns the page with what is available of the balances of which nothing would be held."""
    missing = {balance.account_id for balance in page.items if balance.available is None}
    found = ledger.balances_of(tx, missing)
    return Listing([balance.with_available(found) for balance in page.items], page.total)
