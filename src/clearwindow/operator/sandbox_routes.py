"""Routes about the network's clock, and about beginning anew."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ActingOperator, acting_operator
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body
from clearwindow.http.wire import json_response
from clearwindow.operator import clock, resetting
from clearwindow.operator.clock_wire import ClockAnswer, ClockRequest
from clearwindow.operator.routes import PREFIX
from clearwindow.runtime import Runtime
from clearwindow.work.moving import Mover


def sandbox_router(mover_of: Callable[[Runtime], Mover]) -> APIRouter:
    """The routes; ``mover_of`` knows all kinds of work that may fall due on the way."""
    router = APIRouter(prefix=PREFIX, dependencies=[Depends(acting_operator)], tags=["operator: sandbox"])

    @router.get("/clock", summary="The network's time", response_model=ClockAnswer, responses=may_answer(401))
    async def get_clock(request: Request) -> Response:
        return json_response(await run_in_threadpool(clock.read, request.app.state.runtime))

    @router.post(
        "/clock",
        summary="Move a sandbox's clock forwards, with all that falls due on the way",
        response_model=ClockAnswer,
        responses=may_answer(400, 401, 403, 409),
        openapi_extra=takes_body(ClockRequest),
    )
    async def move_clock(request: Request, operator: ActingOperator) -> Response:
        """Answers when the clock is there. What falls due on the way is done before the clock goes on.

        Windows end and settlements execute, partners are called and webhooks delivered, each at its time. What
        takes longer than five minutes is answered with 409, and goes on when the same moment is asked for again.
        """
        body = await read_body(request, ClockRequest)
        runtime = request.app.state.runtime
        return json_response(await run_in_threadpool(clock.move, runtime, operator, body.model, mover_of(runtime)))

    @router.post(
        "/sandbox/reset",
        summary="Empty a sandbox and put its clock back",
        response_model=ClockAnswer,
        responses=may_answer(401, 403, 409),
    )
    async def reset_sandbox(request: Request, operator: ActingOperator) -> Response:
        """Operators, their tokens and the currencies stay; all else is removed, the audit trail included."""
        return json_response(await run_in_threadpool(resetting.reset, request.app.state.runtime, operator))

    return router
