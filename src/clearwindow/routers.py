"""All routes of the application, in one list."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from clearwindow.network import operator_routes as network_operator_routes
from clearwindow.network import routes as network_routes

ROUTERS: Final[tuple[APIRouter, ...]] = (network_operator_routes.router, network_routes.router)
