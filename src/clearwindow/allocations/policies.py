"""The client's own policy: whether an allocation waits for a second user of the enterprise."""

from __future__ import annotations

from dataclasses import dataclass

from clearwindow.access.values import Member
from clearwindow.allocations import rules
from clearwindow.allocations.parties import Parties
from clearwindow.allocations.values import Allocation
from clearwindow.approvals import rules as approval_rules
from clearwindow.approvals import service as approvals
from clearwindow.approvals.values import ApprovalKind, Wish
from clearwindow.database.pool import Transaction
from clearwindow.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Verdict:
    """The allocation as its policy leaves it, and what waits for a second user, if anything does."""

    allocation: Allocation
    wish: Wish | None


def evaluate(tx: Transaction, runtime: Runtime, new: Allocation, parties: Parties) -> Verdict:
    """Looks at an allocation that nothing else stands against, before its funds are reserved."""
    if not rules.is_evaluated(new.type, parties.partner):
        return Verdict(new, None)
    evaluation_id = runtime.ids.new()
    threshold = approvals.threshold_of(tx, parties.client.enterprise_id, new.currency)
    if threshold is None or not approval_rules.needs_approval(new.quantity, threshold):
        return Verdict(rules.passed(new, evaluation_id), None)
    wish = Wish(ApprovalKind.ALLOCATION, new.currency, new.quantity, threshold, new.partner_id, new.id)
    return Verdict(rules.held_for_approval(new, evaluation_id, runtime.ids.new()), wish)


def request_approval(tx: Transaction, member: Member, reserved: Allocation, wish: Wish) -> None:
    """Lets the allocation wait, once it is stored and its funds are held."""
    if reserved.pending_approval_id is None:
        raise AssertionError("only what waits needs an approval")
    approvals.request(tx, member, reserved.pending_approval_id, wish)
