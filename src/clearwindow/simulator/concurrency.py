"""Concurrent requests with a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def map_concurrently(items: Iterable[T], act: Callable[[T], Awaitable[R]], *, at_once: int) -> list[R]:
    """Calls ``act`` for each item, at most ``at_once`` at a time, and returns the results in order.

    The first failure is raised after all other calls were cancelled.
    """
    turns = asyncio.Semaphore(at_once)

    async def in_turn(item: T) -> R:
        async with turns:
            return await act(item)

    tasks = [asyncio.create_task(in_turn(item)) for item in items]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
