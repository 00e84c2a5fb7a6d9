"""The client's own policy: whether an allocation waits for a second user of the enterprise."""

from __future__ import annotations

from dataclasses import dataclass

from clearwindow.access.values import Member
from clearwindow.allocations import rules
from clearwindow.allocations.values import Allocation
from clearwindow.approvals import rules as approval_rules
from clearwindow.approvals import service as approvals
from clearwindow.approvals.values import ApprovalKind, Wish
from clearwindow.database.pool import Transaction
from clearwindow.network.values import Client, Partner
from clearwindow.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Verdict:
    """The allocation as its policy leaves it, and what waits for a second user, if anything does."""

    allocation: Allocation
    wish: Wish | None


def evaluate(tx: Transaction, runtime: Runtime, new: Allocation, client: Client, partner: Partner) -> Verdict:
    """Looks at an allocation that nothing else stands against, before its funds are reserved."""
    if not rules.is_evaluated(new.type, partner):
        return Verdict(new, None)
    evaluation_id = runtime.ids.new()
    threshold = approvals.threshold_of(tx, client.enterprise_id, new.currency)
    if threshold is None or not approval_rules.needs_approval(new.quantity, threshold):
        return Verdict(rules.passed(new, evaluation_id), None)
    wish = Wish(ApprovalKind.ALLOCATION, new.currency, new.quantity, threshold, new.partner_id, new.id)
    return Verdict(rules.waiting(new, evaluation_id, runtime.ids.new()), wish)


def request_approval(tx: Transaction, member: Member, verdict: Verdict) -> None:
    """Lets the allocation wait, once it is stored and its funds are held."""
    approval_id = verdict.allocation.pending_approval_id
    if approval_id is None or verdict.wish is None:
        raise AssertionError("only what waits needs an approval")
    approvals.request(tx, member, approval_id, verdict.wish)
