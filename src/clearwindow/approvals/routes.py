"""Routes about thresholds and pending approvals. They are ours, beside the wire contract.

The route that decides is in ``allocations.routes``, because a decision changes the allocation.
"""

from __future__ import annotations

from typing import Final

from clearwindow.api.bodies import Body
from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, ServerRuntime, paged
from clearwindow.api.schema import replay_headers
from clearwindow.approvals import schemas, service
from clearwindow.approvals.models import ApprovalKind
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.identity.models import Member
from clearwindow.runtime import Runtime
from clearwindow.signing.models import Operation
from clearwindow.signing.schemas import CHANGE_ERRORS, signed_change

router: Final = member_router("approvals", NETWORK_V1)
_CHANGE_ERRORS: Final = (*CHANGE_ERRORS, ("nonce_used", 400), ("text_already_used", 400))
_SIGNED: Final = " Must be signed if the enterprise's Go Account requires intent."
_OPERATIONS: Final = {
    ApprovalKind.THRESHOLD: Operation.APPROVAL_THRESHOLDS_CHANGE,
    ApprovalKind.DAILY_THRESHOLD: Operation.DAILY_APPROVAL_THRESHOLDS_CHANGE,
    ApprovalKind.CUSTODIAN_LIMIT: Operation.CUSTODIAN_LIMITS_CHANGE,
}


@router.get(
    "/clients/approval-thresholds",
    operation_id="v1ClientApprovalThresholdsGetRoute",
    summary="Read the approval thresholds",
    description=(
        "By currency, in base units. An allocation above the threshold needs the approval of a second user, if the"
        " partner has allocation policies enabled."
    ),
    responses=may_raise("not_a_client"),
)
def read_thresholds(runtime: ServerRuntime, member: CallingMember) -> schemas.Thresholds:
    return schemas.thresholds_answer(service.thresholds_of(runtime, member, ApprovalKind.THRESHOLD))


@router.put(
    "/clients/approval-thresholds",
    operation_id="v1ClientApprovalThresholdsPutRoute",
    summary="Set or remove approval thresholds",
    description=(
        "A new or lower threshold takes effect at once. A higher threshold, or null to remove it, takes effect when"
        " another user of the enterprise approves it; the answer lists these pending approvals. The thresholds of"
        " other currencies stay." + _SIGNED
    ),
    responses=may_raise(
        "not_a_client", "currency_twice", "currency_unknown", "threshold_change_waiting", *_CHANGE_ERRORS
    ),
)
def change_thresholds(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.ThresholdsRequest]
) -> Answer[schemas.ChangedThresholds]:
    return _changed(runtime, member, ApprovalKind.THRESHOLD, body)


@router.get(
    "/clients/daily-approval-thresholds",
    operation_id="v1ClientDailyApprovalThresholdsGetRoute",
    summary="Read the approval thresholds of a day",
    description=(
        "By currency, in base units. If the allocations of 24 hours to one partner that nobody approved come to"
        " more than the threshold, the one that exceeds it needs the approval of a second user, if the partner has"
        " allocation policies enabled."
    ),
    responses=may_raise("not_a_client"),
)
def read_daily_thresholds(runtime: ServerRuntime, member: CallingMember) -> schemas.Thresholds:
    return schemas.thresholds_answer(service.thresholds_of(runtime, member, ApprovalKind.DAILY_THRESHOLD))


@router.put(
    "/clients/daily-approval-thresholds",
    operation_id="v1ClientDailyApprovalThresholdsPutRoute",
    summary="Set or remove approval thresholds of a day",
    description="As for the thresholds of one allocation: lower at once, higher when another user approves it."
    + _SIGNED,
    responses=may_raise(
        "not_a_client", "currency_twice", "currency_unknown", "threshold_change_waiting", *_CHANGE_ERRORS
    ),
)
def change_daily_thresholds(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.ThresholdsRequest]
) -> Answer[schemas.ChangedThresholds]:
    return _changed(runtime, member, ApprovalKind.DAILY_THRESHOLD, body)


@router.get(
    "/custodian-limits",
    operation_id="v1CustodianLimitsGetRoute",
    summary="Read what the custodian's keys may sign on a day",
    description="By currency, in base units. A currency that is missing has no limit.",
)
def read_custodian_limits(runtime: ServerRuntime, member: CallingMember) -> schemas.Thresholds:
    return schemas.thresholds_answer(service.thresholds_of(runtime, member, ApprovalKind.CUSTODIAN_LIMIT))


@router.put(
    "/custodian-limits",
    operation_id="v1CustodianLimitsPutRoute",
    summary="Set or remove limits of what the custodian's keys sign on a day",
    description=(
        "By currency, in base units. The amounts of all texts that custodian keys of the enterprise sign on one UTC"
        " day never come to more. A new or lower limit takes effect at once, a higher one, or null to remove it,"
        " when another user of the enterprise approves it." + _SIGNED
    ),
    responses=may_raise("currency_twice", "currency_unknown", "threshold_change_waiting", *_CHANGE_ERRORS),
)
def change_custodian_limits(
    runtime: ServerRuntime, member: CallingMember, body: JsonBody[schemas.ThresholdsRequest]
) -> Answer[schemas.ChangedThresholds]:
    return _changed(runtime, member, ApprovalKind.CUSTODIAN_LIMIT, body)


@router.get(
    "/clients/pending-approvals",
    operation_id="v1ClientPendingApprovalsGetRoute",
    summary="List the approvals, pending and decided, newest first",
    description="`statuses=pending` lists those that still wait for a second user.",
    responses=may_raise("not_a_client"),
)
def list_approvals(
    runtime: ServerRuntime, member: CallingMember, filters: Filters[schemas.ApprovalFilters]
) -> Answer[schemas.PendingApprovalList]:
    wanted = filters.to_model(member.enterprise_id)
    found = service.approvals_of(runtime, member, wanted, filters.slice)
    return paged(schemas.pending_approval_list(found.items), found, filters)


@router.get(
    "/clients/pending-approvals/{approval_id}",
    operation_id="v1ClientPendingApprovalGetRoute",
    summary="Get one approval",
    description="The `pendingApprovalId` of an allocation is this id.",
    responses=may_raise("not_a_client", "approval_unknown"),
)
def read_approval(runtime: ServerRuntime, member: CallingMember, approval_id: str) -> schemas.PendingApprovalAnswer:
    known = parse_uuid(approval_id) or NIL
    return schemas.pending_approval_answer(service.approval_of(runtime, member, known))


def _changed(
    runtime: Runtime, member: Member, kind: ApprovalKind, body: Body[schemas.ThresholdsRequest]
) -> Answer[schemas.ChangedThresholds]:
    request = signed_change(_OPERATIONS[kind], body, {"enterpriseId": member.enterprise_id})
    changed = service.change_thresholds(runtime, member, kind, body.model.to_model(), request)
    return Answer(schemas.changed_answer(changed), headers=replay_headers(replayed=changed.replayed))
