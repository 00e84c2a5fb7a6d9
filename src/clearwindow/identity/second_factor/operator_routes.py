"""Routes of operators' second factors."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, JsonBody, NoContent, ServerRuntime
from clearwindow.core.ids import parse_uuid
from clearwindow.identity.act_schemas import PROPOSED, ProposedAnswer, proposed_answer
from clearwindow.identity.acts import Asked, Proposal, perform
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.identity.second_factor import schemas, service
from clearwindow.identity.second_factor.acts import REMOVE_SECOND_FACTOR
from clearwindow.identity.second_factor.guard import CODE_ERRORS, CodeHeader

router: Final = operator_router("access")


@router.get("/operators/me/second-factor", summary="Read whether you have a second factor")
def get_second_factor(runtime: ServerRuntime, actor: ActingOperator) -> schemas.StateAnswer:
    return schemas.state_answer(service.state(runtime, actor))


@router.post(
    "/operators/me/second-factor",
    summary="Enrol an authenticator as your second factor",
    responses=may_raise("second_factor_confirmed", "token_of_a_program"),
)
def enrol_second_factor(runtime: ServerRuntime, actor: ActingOperator) -> schemas.SecretAnswer:
    """The secret is shown only in this answer. It is in force once you have confirmed a code of it.

    Enrolling again before that replaces the secret.
    """
    return schemas.secret_answer(service.enrol(runtime, actor))


@router.post(
    "/operators/me/second-factor/confirm",
    summary="Put your second factor in force with a code of it",
    responses=may_raise(
        "second_factor_missing",
        "second_factor_confirmed",
        "token_of_a_program",
        "code_used",
        "code_wrong",
        "codes_locked",
    ),
)
def confirm_second_factor(
    runtime: ServerRuntime, actor: ActingOperator, body: JsonBody[schemas.ConfirmRequest]
) -> schemas.RecoveryAnswer:
    """Answers ten recovery codes, which are shown only here. Each serves once, if the authenticator is lost."""
    return schemas.recovery_answer(service.confirm(runtime, actor, body.model.code))


@router.delete(
    "/operators/me/second-factor",
    summary="Remove your second factor",
    responses=may_raise(*CODE_ERRORS),
)
def remove_second_factor(runtime: ServerRuntime, actor: ActingOperator, code: CodeHeader = None) -> NoContent:
    """Needs a code of it, or a recovery code. One that is not confirmed needs none."""
    service.remove_own(runtime, actor, code)
    return NoContent()


@router.delete(
    "/operators/{operator_id}/second-factor",
    summary="Remove the second factor of an operator who has lost it",
    status_code=204,
    responses=may_raise("operator_unknown", "proposal_differs", *CODE_ERRORS) | PROPOSED,
)
def remove_second_factor_of(
    runtime: ServerRuntime, actor: ActingOperator, operator_id: str, code: CodeHeader = None
) -> Answer[ProposedAnswer] | NoContent:
    """Only an administrator does this, with a code of its own if it has a second factor.

    It can need another operator's approval.
    """
    if parse_uuid(operator_id) == actor.operator_id:
        service.remove_own(runtime, actor, code)
        return NoContent()
    service.require_code(runtime, actor, code)
    done = perform(runtime, actor, REMOVE_SECOND_FACTOR, Asked(operator_id, None))
    return Answer(proposed_answer(done), 202) if isinstance(done, Proposal) else NoContent()
