"""Which fields of a request differ from those that a settlement was made with. Protocol §2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import pytest

from clearwindow.settlements import rules
from clearwindow.settlements.models import Instruction, Settlement, SettlementState, SettlementType

NOW: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
ID: Final = UUID("7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39")


def settlement_with(*, notes: str | None, cutoff_at: datetime | None) -> Settlement:
    return Settlement(
        id=ID,
        partner_id=ID,
        external_id="day-1",
        state=SettlementState.FAILED,
        settlement_type=SettlementType.OFFCHAIN,
        request_sha256=b"first",
        staged_answer="",
        notes=notes,
        initiated_by="ada",
        cutoff_at=cutoff_at,
        created_at=NOW,
        updated_at=NOW,
        dispute_deadline_at=NOW,
        top_up_deadline_at=NOW,
        execute_when_funded=False,
        immediate=False,
        due_at=None,
        attempts=0,
        last_error=None,
        finalized_at=None,
        reason=None,
    )


@pytest.mark.parametrize("same_amounts", [True, False])
@pytest.mark.parametrize("notes", [None, "", "day one", "Day one"])
@pytest.mark.parametrize(
    "cutoff_at", [None, NOW, NOW + timedelta(milliseconds=1), NOW + timedelta(microseconds=999)]
)
def test_fields_that_differ_are_named(notes: str | None, cutoff_at: datetime | None, *, same_amounts: bool) -> None:
    existing = settlement_with(notes="day one", cutoff_at=NOW)
    asked = Instruction("day-1", notes, {}, cutoff_at)
    expected = []
    if notes != "day one":
        expected.append("notes")
    if cutoff_at is None or cutoff_at >= NOW + timedelta(milliseconds=1):
        expected.append("cutoffAt")
    if not same_amounts:
        expected.append("settlementAmounts")
    assert rules.differing_fields(existing, asked, same_amounts=same_amounts) == expected
