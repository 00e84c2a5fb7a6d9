"""All routes of the application."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from clearwindow.allocations.operator_routes import router as allocations_operator_router
from clearwindow.allocations.routes import approval_router
from clearwindow.allocations.routes import router as allocations_router
from clearwindow.approvals.routes import router as approvals_router
from clearwindow.custody.operator_routes import router as custody_operator_router
from clearwindow.custody.routes import router as go_accounts_router
from clearwindow.custody.wallets.routes import public_router as wallets_public_router
from clearwindow.custody.wallets.routes import router as wallets_router
from clearwindow.identity.directory.operator_routes import router as directory_operator_router
from clearwindow.identity.directory.routes import router as tokens_router
from clearwindow.identity.directory.routes import whoami_router
from clearwindow.identity.operator_routes import history_router as audit_router
from clearwindow.identity.operator_routes import router as identity_operator_router
from clearwindow.identity.second_factor.operator_routes import router as second_factor_router
from clearwindow.ledger.operator_routes import router as ledger_router
from clearwindow.liquidity.calendar.routes import router as calendar_router
from clearwindow.liquidity.forecasts.routes import router as forecasts_router
from clearwindow.liquidity.movable.routes import router as movable_router
from clearwindow.liquidity.top_ups.routes import router as top_ups_router
from clearwindow.loss_limits.routes import router as loss_limits_router
from clearwindow.network.endpoint_routes import router as partner_endpoint_router
from clearwindow.network.operator_routes import router as network_operator_router
from clearwindow.network.routes import router as network_router
from clearwindow.notifications.operator_routes import router as notifications_operator_router
from clearwindow.notifications.routes import router as notifications_router
from clearwindow.partner_calls.operator_routes import public_router as calls_public_router
from clearwindow.partner_calls.operator_routes import router as calls_operator_router
from clearwindow.pauses.operator_routes import router as pauses_router
from clearwindow.proposals.operator_routes import router as proposals_router
from clearwindow.settlements.disputes.routes import router as disputes_router
from clearwindow.settlements.onchain.operator_routes import router as chain_operator_router
from clearwindow.settlements.onchain.routes import router as onchain_router
from clearwindow.settlements.operator_routes import router as settlements_operator_router
from clearwindow.settlements.routes import router as settlements_router
from clearwindow.settlements.trades.routes import router as trades_router
from clearwindow.signing.evidence.routes import operators_router as evidence_operators_router
from clearwindow.signing.evidence.routes import router as evidence_router
from clearwindow.standing_top_ups.routes import router as standing_top_ups_router
from clearwindow.statements.operator_routes import router as statements_operator_router
from clearwindow.statements.routes import router as statements_router
from clearwindow.webhooks.endpoint_routes import router as webhooks_operator_router
from clearwindow.webhooks.event_routes import router as member_events_router
from clearwindow.webhooks.operator_routes import router as events_router
from clearwindow.webhooks.routes import router as webhooks_router

ROUTERS: Final[tuple[APIRouter, ...]] = (
    wallets_router,
    wallets_public_router,
    custody_operator_router,
    go_accounts_router,
    onchain_router,
    settlements_router,
    forecasts_router,
    movable_router,
    calendar_router,
    top_ups_router,
    standing_top_ups_router,
    trades_router,
    disputes_router,
    allocations_router,
    approvals_router,
    approval_router,
    loss_limits_router,
    network_router,
    partner_endpoint_router,
    network_operator_router,
    allocations_operator_router,
    webhooks_operator_router,
    notifications_router,
    notifications_operator_router,
    webhooks_router,
    chain_operator_router,
    whoami_router,
    tokens_router,
    directory_operator_router,
    identity_operator_router,
    second_factor_router,
    proposals_router,
    audit_router,
    evidence_router,
    evidence_operators_router,
    ledger_router,
    statements_router,
    statements_operator_router,
    events_router,
    member_events_router,
    settlements_operator_router,
    pauses_router,
    calls_operator_router,
    calls_public_router,
)
