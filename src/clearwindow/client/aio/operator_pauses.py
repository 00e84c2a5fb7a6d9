"""Pauses: the emergency stop of the network, a partner, a client, a currency or one Go Account."""

from __future__ import annotations

from typing import Literal, Unpack

from clearwindow.client.aio.operator_desk import AsyncOperatorDesk
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.pauses import Pause
from clearwindow.client.calls import value_of
from clearwindow.client.filters import PauseFilters
from clearwindow.client.text import Id, fields


class AsyncOperatorPauses:
    """All pauses, standing and ended."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    async def pause(
        self,
        kind: Literal["network", "partner", "client", "currency", "account"],
        subject_id: Id | None = None,
        *,
        reason: str,
    ) -> Pause:
        """Pauses at once. What is paused already stays so, and a request to resume it falls.

        Args:
            kind: what to pause.
            subject_id: the id of the partner, client or Go Account, or the currency. None for the network.
            reason: why, for other operators.
        """
        asked = fields(kind=kind, id=None if subject_id is None else str(subject_id), reason=reason)
        read = value_of(Pause, "pause")
        return await self._desk.send("POST", self._desk.path("/pauses"), read, asked, repeatable=True)

    def list(self, **filters: Unpack[PauseFilters]) -> AsyncPages[Pause]:
        """Lists pauses, newest first; ``standing=True`` lists what is paused now."""
        return self._desk.pages("/pauses", "pauses", Pause, filters)

    async def get(self, pause_id: Id) -> Pause:
        return await self._desk.get(self._desk.path("/pauses/{}", pause_id), value_of(Pause, "pause"))

    async def resume(self, pause_id: Id, *, reason: str | None = None) -> Pause:
        """Asks to resume. The pause stands until another operator sends the same request.

        Raises:
            ConflictError: the pause has ended.
        """
        path = self._desk.path("/pauses/{}/resume", pause_id)
        return await self._desk.send(
            "POST", path, value_of(Pause, "pause"), fields(reason=reason), repeatable=False
        )
