"""Questions to partners as due work, for allocations whose request ended before the partner answered."""

from __future__ import annotations

from clearwindow.allocations import partner_decision
from clearwindow.partner_calls import calls
from clearwindow.partner_calls.jobs import CallWork
from clearwindow.partner_calls.models import OwedCall
from clearwindow.runtime import Runtime


def allocation_work() -> CallWork:
    return CallWork("allocations", partner_decision.QUESTIONS, _ask)


def _ask(runtime: Runtime, call: OwedCall) -> None:
    partner_decision.carry_out(runtime, call, calls.make(runtime, call))
