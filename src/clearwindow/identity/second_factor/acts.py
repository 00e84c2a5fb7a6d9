"""What operators may have to propose about second factors: to remove another operator's. Protocol §12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from clearwindow.core.text import shown
from clearwindow.identity import operators
from clearwindow.identity.acts import Act, Asked, Scene, Stake, Told
from clearwindow.identity.second_factor import service


class _RemoveSecondFactor(Act[None, str]):
    """It guards the operator's approvals. Whoever removes it alone could approve with a token that was stolen."""

    name = "second_factor.remove"
    operation = "removeSecondFactorOf"

    def stake(self, scene: Scene, asked: Asked[None]) -> Stake | None:
        found = operators.require_operator(scene.tx, asked.subject_id)
        confirmed_at = service.confirmed_at(scene.tx, found.id)
        if confirmed_at is None:
            return None
        return Stake(
            summary=f"remove the second factor of the operator {shown(found.name)}",
            target={"name": found.name, "confirmedAt": confirmed_at},
        )

    def carry_out(self, scene: Scene, asked: Asked[None]) -> str:
        service.remove_unchecked(scene.tx, scene.operator, asked.subject_id)
        return asked.subject_id

    def told(self, done: str) -> Told:
        return Told({"operatorId": done})

    def stored(self, request: None) -> dict[str, object]:  # noqa: ARG002 - it has nothing
        return {}

    def restored(self, stored: Mapping[str, object]) -> None:
        """Returns the request, which has nothing but its operator."""


REMOVE_SECOND_FACTOR: Final = _RemoveSecondFactor()
ACTS: Final = (REMOVE_SECOND_FACTOR,)
