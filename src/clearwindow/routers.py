"""All routes of the application, in one list."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

ROUTERS: Final[tuple[APIRouter, ...]] = ()
