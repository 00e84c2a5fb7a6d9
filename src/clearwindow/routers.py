"""All routes of the application, in one list."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from clearwindow.allocations.routes import router as allocations_router
from clearwindow.disputes.routes import router as disputes_router
from clearwindow.network.operator_routes import router as network_operator_router
from clearwindow.network.routes import router as network_router
from clearwindow.notices.routes import router as webhooks_router
from clearwindow.operator.routes import router as operator_router
from clearwindow.settlements.routes import router as settlements_router

ROUTERS: Final[tuple[APIRouter, ...]] = (
    settlements_router,
    disputes_router,
    allocations_router,
    network_router,
    network_operator_router,
    webhooks_router,
    operator_router,
)
