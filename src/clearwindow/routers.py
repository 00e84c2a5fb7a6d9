"""All routes of the application, in one list."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from clearwindow.allocations.approval_routes import router as deciding_router
from clearwindow.allocations.routes import router as allocations_router
from clearwindow.approvals.routes import router as approvals_router
from clearwindow.disputes.routes import router as disputes_router
from clearwindow.network.operator_routes import router as network_operator_router
from clearwindow.network.routes import router as network_router
from clearwindow.operator.routes import router as operator_router
from clearwindow.partnercalls.routes import operator_router as calls_operator_router
from clearwindow.partnercalls.routes import public_router as calls_public_router
from clearwindow.settlements.routes import router as settlements_router

ROUTERS: Final[tuple[APIRouter, ...]] = (
    settlements_router,
    disputes_router,
    allocations_router,
    approvals_router,
    deciding_router,
    network_router,
    network_operator_router,
    operator_router,
    calls_operator_router,
    calls_public_router,
)
