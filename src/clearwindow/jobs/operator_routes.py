"""Operators read a sandbox's clock, move it, and reset the sandbox."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import JsonBody, ServerRuntime, works_on
from clearwindow.core.work import Work
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.jobs import clock, reset
from clearwindow.jobs.clock_mover import Mover
from clearwindow.jobs.schemas import ClockAnswer, ClockRequest, clock_answer
from clearwindow.runtime import Runtime


def sandbox_router(mover_of: Callable[[Runtime], Mover]) -> APIRouter:
    """Returns the routes. ``mover_of`` makes a mover for every kind of work that may become due."""
    router = operator_router("sandbox")

    @router.get("/clock", summary="Read the network's time")
    def get_clock(runtime: ServerRuntime) -> ClockAnswer:
        return clock_answer(clock.read(runtime))

    @router.post(
        "/clock",
        summary="Move a sandbox's clock forward and run everything that becomes due on the way",
        responses=may_raise(
            "not_a_sandbox",
            "clock_request_unclear",
            "clock_backwards",
            "clock_too_far",
            "clock_moving",
            "clock_held_up",
        ),
    )
    @works_on(Work.WAITS_FOR_PARTNER)
    def move_clock(runtime: ServerRuntime, operator: ActingOperator, body: JsonBody[ClockRequest]) -> ClockAnswer:
        """Answers when the clock has arrived.

        On the way, all work runs at its due time, before the clock goes on: windows end, settlements execute,
        partners are called and webhooks delivered. If this takes longer than five minutes, the answer is 409; ask
        for the same moment again to continue.
        """
        return clock_answer(clock.move(runtime, operator, body.model.to_model(), mover_of(runtime)))

    @router.post(
        "/sandbox/reset",
        summary="Empty a sandbox and put its clock back to the present",
        responses=may_raise("not_a_sandbox", "clock_moving", "sandbox_in_use"),
    )
    def reset_sandbox(runtime: ServerRuntime, operator: ActingOperator) -> ClockAnswer:
        """Keeps operators, their tokens and the currencies. Removes everything else, the audit trail included."""
        return clock_answer(reset.reset(runtime, operator))

    return router
