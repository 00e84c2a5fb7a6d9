"""An operation documents exactly the errors that its code can raise."""

from __future__ import annotations

from typing import Final

import pytest
from pydantic.alias_generators import to_camel

from clearwindow import bootstrap
from clearwindow.api.docs import ERROR_NAMES
from clearwindow.api.routing import documented
from clearwindow.core.error_registry import error_codes
from clearwindow.identity.acts import CONFIRMATION_ERRORS
from clearwindow.postgres.constraints import MEANING
from clearwindow.web.openapi import operations
from tests.errors import reach
from tests.support.descriptions import own_document

_OWN_ENTERPRISE: Final = "the caller's own enterprise exists, since its token does"
NEVER_RAISED: Final[dict[tuple[str, str], str]] = {
    ("v1TokenDeleteRoute", "token_of_another_operator"): "members see no token of an operator",
    ("v1TokenDeleteRoute", "role_forbids"): "every member may revoke what it sees; the guard documents the rest",
    ("revokeToken", "role_forbids"): "an error of every operation, which the guard documents",
    ("createEnterprise", "enterprise_unknown"): "the enterprise was made, or was there, in the same transaction",
    ("V1ClientDeallocationsPostRoute", "partner_not_licensed"): "funds find back without a licence",
    ("deposit", "insufficient_funds"): "only withdrawals are checked",
    ("v1WebhookEndpointsPostRoute", "enterprise_unknown"): _OWN_ENTERPRISE,
    ("v1ClientApprovalThresholdsPutRoute", "enterprise_unknown"): _OWN_ENTERPRISE,
    ("v1ClientDailyApprovalThresholdsPutRoute", "enterprise_unknown"): _OWN_ENTERPRISE,
    ("v1CustodianLimitsPutRoute", "enterprise_unknown"): _OWN_ENTERPRISE,
    ("v1CustodianLimitsPutRoute", "not_a_client"): "only thresholds of allocations are a client's",
    ("v1CustodianLimitsGetRoute", "not_a_client"): "only thresholds of allocations are a client's",
    ("v1ClientPendingApprovalPutRoute", "enterprise_unknown"): _OWN_ENTERPRISE,
    ("v1ClientsPostRoute", "not_a_client"): "the request makes the enterprise a client",
    ("v1PartnersPostRoute", "not_a_client"): "the request makes the enterprise a client",
    ("v1PartnersPostRoute", "not_a_partner"): "the request makes the enterprise a partner",
    ("reviewClosure", "dispute_not_found"): "a closure belongs to a dispute",
    ("v1PartnerOnChainSettlementPostRoute", "settlement_state"): "only a failed settlement is tried again",
    ("v2PartnerSettlementsPostRoute", "settlement_state"): "only a failed settlement is tried again",
    ("v1PartnerSettlementsPostRoute", "settlement_state"): "only a failed settlement is tried",
    ("v1PartnerSettlementsNonReconciledPostRoute", "settlement_state"): "only a failed settlement is tried",
    **{
        ("v2PartnerSettlementsPreviewPostRoute", name): "the answer tells what staging refuses, and is no error"
        for name in (
            *(
                "cutoff_in_future",
                "connection_unknown",
                "currency_unmapped",
                "amount_unfit",
                "amounts_not_net_zero",
            ),
            *("external_id_taken", "paused", "loss_limit_exceeded", "liabilities_exceed_balance"),
        )
    },
}
"""Errors that the source seems to raise but the operation cannot, and why."""
CONFIRMING: Final = ("cancelClosure", "rejectSettlement")
RAISED_ABOVE: Final = {(operation, name) for operation in CONFIRMING for name in CONFIRMATION_ERRORS}
"""Errors of the room of proposals. Acts reach it through the runtime, which the source does not show."""

BUSY: Final = {name for name, code in error_codes().items() if code.alias_of == "unavailable"}
"""Reasons for which any operation may be `unavailable`, which every one documents."""

REACHED: Final = reach.by_operation()
ROUTES: Final = {
    route.operation_id or to_camel(route.name): {
        (name, int(status)) for status, answer in route.responses.items() for name in answer.get(ERROR_NAMES, ())
    }
    for router in bootstrap.all_routers(60)
    for route in documented(router.routes)
}


def test_every_operation_is_found_in_the_source() -> None:
    assert set(ROUTES) == {operation["operationId"] for _, _, operation in operations(own_document())}
    assert set(ROUTES) <= set(REACHED) | {"healthz", "readyz", "metrics"}


@pytest.mark.parametrize("operation", sorted(ROUTES.keys() & REACHED.keys()))
def test_every_documented_error_can_be_raised(operation: str) -> None:
    # The database raises constraints. Tests that violate one compare the answer with the documentation.
    documented = {(name, status) for name, status in ROUTES[operation] if name not in MEANING}
    own = {error for error in documented if (operation, error[0]) not in RAISED_ABOVE}
    assert {error for error in own if not REACHED[operation].includes(*error)} == set()


@pytest.mark.parametrize("operation", sorted(ROUTES.keys() & REACHED.keys()))
def test_every_raised_error_is_documented(operation: str) -> None:
    raised = {error for error in REACHED[operation].raises if (operation, error[0]) not in NEVER_RAISED}
    missing = {
        (name, status)
        for name, status in raised
        if name not in BUSY
        and not any(name == other and status in {None, with_status} for other, with_status in ROUTES[operation])
    }
    assert missing == set()


def test_every_exception_is_still_needed() -> None:
    needed = {(operation, name) for operation in REACHED for name, _ in REACHED[operation].raises}
    assert set(NEVER_RAISED) <= needed


def test_constraint_is_documented_with_its_status() -> None:
    for errors in ROUTES.values():
        assert {(name, MEANING[name][0].status) for name, _ in errors if name in MEANING} <= errors
