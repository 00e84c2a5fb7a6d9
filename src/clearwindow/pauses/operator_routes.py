"""Operators pause the network or a part of it, resume it, and read what was paused."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, OptionalJsonBody, ServerRuntime, paged
from clearwindow.api.schema import replay_headers
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.pauses import schemas, service

router: Final = operator_router("pauses")


@router.post(
    "/pauses",
    summary="Pause the network, a partner, a client, a currency or one Go Account, at once",
    responses=may_raise("pause_subject_unclear", "pause_subject_unknown"),
)
def pause(
    runtime: ServerRuntime, actor: ActingOperator, body: JsonBody[schemas.PauseRequest]
) -> Answer[schemas.PauseAnswer]:
    """Answers when all writes under way have ended: nothing that begins later gets through.

    What is paused already stays so, and a request to resume it falls.
    """
    subject = service.subject_of(body.model.kind, body.model.id)
    made, stood = service.pause(runtime, actor, subject, body.model.reason)
    return Answer(schemas.pause_answer(made), headers=replay_headers(replayed=stood))


@router.get("/pauses", summary="List the pauses, newest first")
def list_pauses(runtime: ServerRuntime, filters: Filters[schemas.PauseFilters]) -> Answer[schemas.PausesAnswer]:
    """`standing=true` lists what is paused now."""
    page = service.list_pauses(runtime, filters.to_model())
    return paged(schemas.pauses_answer(page.items), page, filters)


@router.get("/pauses/{pause_id}", summary="Get one pause", responses=may_raise("pause_unknown"))
def get_pause(runtime: ServerRuntime, pause_id: str) -> schemas.PauseAnswer:
    return schemas.pause_answer(service.get(runtime, parse_uuid(pause_id) or NIL))


@router.post(
    "/pauses/{pause_id}/resume",
    summary="Resume what is paused, by two operators",
    responses=may_raise("pause_unknown", "pause_ended") | {202: {"model": schemas.PauseAnswer}},
)
def resume(
    runtime: ServerRuntime, actor: ActingOperator, pause_id: str, body: OptionalJsonBody[schemas.ResumeRequest]
) -> Answer[schemas.PauseAnswer]:
    """The first request is answered 202 and waits for seven days. The same request by another operator resumes.

    In a sandbox one operator is enough. What waited runs at once, in the order of its deadlines.
    """
    known = parse_uuid(pause_id) or NIL
    with runtime.transaction() as tx:
        confirmations = min(1, runtime.oversight.approvals_needed)
        found = service.resume(tx, actor, known, body.model.reason, confirmations=confirmations)
    return Answer(schemas.pause_answer(found), status=202 if found.stands else 200)
