"""All routes of the application, and what stands before them, each in one list."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from clearwindow.access.signed_calls import SignedCalls
from clearwindow.allocations.approval_routes import router as deciding_router
from clearwindow.allocations.routes import router as allocations_router
from clearwindow.approvals.routes import router as approvals_router
from clearwindow.disputes.routes import router as disputes_router
from clearwindow.network.operator_routes import router as network_operator_router
from clearwindow.network.routes import router as network_router
from clearwindow.notices.routes import router as webhooks_router
from clearwindow.onchain.operator_routes import router as chain_operator_router
from clearwindow.onchain.routes import router as onchain_router
from clearwindow.operator.routes import router as operator_router
from clearwindow.partnercalls.routes import operator_router as calls_operator_router
from clearwindow.partnercalls.routes import public_router as calls_public_router
from clearwindow.settlements.immediate_routes import router as immediate_settlements_router
from clearwindow.settlements.routes import router as settlements_router
from clearwindow.trades.routes import router as trades_router
from clearwindow.wallets.routes import router as wallets_router

ROUTERS: Final[tuple[APIRouter, ...]] = (
    wallets_router,
    onchain_router,
    settlements_router,
    immediate_settlements_router,
    trades_router,
    disputes_router,
    allocations_router,
    approvals_router,
    deciding_router,
    network_router,
    network_operator_router,
    webhooks_router,
    chain_operator_router,
    operator_router,
    calls_operator_router,
    calls_public_router,
)

MIDDLEWARES: Final = (SignedCalls,)
