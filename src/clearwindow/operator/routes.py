"""The operator's API as one router, with the guard before every route of it."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends

from clearwindow.access.guards import acting_operator
from clearwindow.operator import accounts_routes, history_routes, people_routes, settlement_routes

PREFIX: Final = "/api/operator/v1"

router: Final = APIRouter(prefix=PREFIX, dependencies=[Depends(acting_operator)])
router.include_router(people_routes.router)
router.include_router(accounts_routes.router)
router.include_router(history_routes.router)
router.include_router(settlement_routes.router)
