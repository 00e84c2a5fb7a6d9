"""The differences between waiting in a coroutine and waiting in a thread. Written by hand for both."""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager

import anyio
import anyio.to_thread

from clearwindow.client.signing import AsyncSigner, KeySigner


async def sleep(seconds: float) -> None:
    await anyio.sleep(seconds)


def time_limit(seconds: float) -> AbstractContextManager[object]:
    """Raises `TimeoutError` if the block takes longer."""
    return anyio.fail_after(max(0.0, seconds))


async def signature_of(signer: AsyncSigner, payload: str) -> object:
    """Returns what the signer returned, which may be anything."""
    if isinstance(signer, KeySigner):
        return signer(payload)
    given: object
    if inspect.iscoroutinefunction(signer) or inspect.iscoroutinefunction(getattr(signer, "__call__", None)):  # noqa: B004
        given = signer(payload)
    else:
        given = await anyio.to_thread.run_sync(signer, payload)
    return await given if inspect.isawaitable(given) else given
