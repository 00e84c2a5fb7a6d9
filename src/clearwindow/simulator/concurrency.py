"""Many requests at once, and never more than the server is meant to be asked at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def together(items: Iterable[T], act: Callable[[T], Awaitable[R]], *, at_once: int) -> list[R]:
    """What ``act`` gives for each item, in their order.

    The first failure is raised as it is, when all the others have been ended.
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
