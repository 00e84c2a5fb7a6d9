"""The rules refuse to change an allocation that waits for its approval."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from clearwindow.allocations import rules
from clearwindow.allocations.models import Allocation, AllocationStatus, AllocationType, PolicyResult, Refusal
from clearwindow.core.errors import ConflictError

NOW = datetime(2026, 1, 5, tzinfo=UTC)
ID = UUID(int=1)


def reserved() -> Allocation:
    return Allocation(
        id=ID,
        partner_id=ID,
        client_id=ID,
        connection_id=ID,
        type=AllocationType.ALLOCATION,
        status=AllocationStatus.RESERVED,
        currency="ofcbtc",
        quantity=1,
        client_external_id="x",
        partner_external_id=None,
        request_sha256=b"",
        initiated_by="anna",
        notes=None,
        refusal=None,
        reason=None,
        retriable=False,
        created_at=NOW,
        updated_at=NOW,
        evaluation_id=None,
        pending_approval_id=None,
        policy_result=None,
    )


def test_waiting_allocation_cannot_be_cleared_released_or_sent_to_the_partner() -> None:
    waits = rules.held_for_approval(reserved(), ID, ID)
    assert waits.waits_for_approval
    with pytest.raises(AssertionError, match="stays reserved"):
        rules.cleared(waits, NOW)
    with pytest.raises(AssertionError, match="stays reserved"):
        rules.released(waits, Refusal.PARTNER_REFUSED, NOW)
    with pytest.raises(AssertionError, match="cannot wait for the partner"):
        rules.waiting(waits, "the partner", NOW, retriable=True)
    with pytest.raises(ConflictError):
        rules.require_approved(waits)


def test_decided_allocation_can_end() -> None:
    waits = rules.held_for_approval(reserved(), ID, ID)
    assert rules.cleared(rules.approved(waits), NOW).policy_result is PolicyResult.APPROVED
    ended = rules.released(rules.rejected(waits), Refusal.APPROVAL_REJECTED, NOW)
    assert (ended.status, ended.policy_result) == (AllocationStatus.RELEASED, PolicyResult.REJECTED)
    assert not rules.passed(reserved(), ID).waits_for_approval
