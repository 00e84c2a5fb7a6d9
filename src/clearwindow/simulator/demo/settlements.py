"""Follows a settlement through its stages, as an operator reads it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from clearwindow.simulator.demo.calls import OPERATOR_API, Caller, DemoError, Json
from clearwindow.simulator.screen import Screen, Waiting

_POLL_SECONDS: Final = 0.1
_TIMEOUT_SECONDS: Final = 30
ENDS: Final = frozenset({"completed", "failed", "rejected"})
StageAction = Callable[[], None]

_STAGE_TEXTS: Final = {
    "top_up_window": "the dispute window ended: all undisputed amounts are final",
    "completed": "executed: every final transfer, in one transaction",
    "failed": "failed: the exchange cannot pay, so no transfer was executed",
}


@dataclass(frozen=True, slots=True)
class Staged:
    """A staged settlement: its id and the ``externalId`` that the exchange gave it."""

    id: str
    name: str


def follow(
    operator: Caller, screen: Screen, staged: Staged, stage_actions: Mapping[str, StageAction] | None = None
) -> str:
    """Shows each stage until the settlement ends or fails, and returns the last stage.

    Args:
        operator: reads the settlement.
        screen: shows the stages.
        staged: the settlement.
        stage_actions: by stage, what to do when it begins.

    Raises:
        DemoError: the settlement does not end in time.
    """
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    stage = "dispute_window"
    with screen.waiting() as waiting:
        while stage not in ENDS:
            found = read(operator, staged)
            if found["stage"] != stage:
                stage = str(found["stage"])
                screen.event(_seconds(found, "updatedAt"), _STAGE_TEXTS.get(stage, stage), good=stage != "failed")
                if stage_actions and stage in stage_actions:
                    stage_actions[stage]()
            _show_deadline(waiting, found)
            if time.monotonic() > deadline:
                raise DemoError(f"settlement {staged.name} is still in stage {stage}:\n{found}")
            time.sleep(_POLL_SECONDS)
    return stage


def read(operator: Caller, staged: Staged) -> Json:
    settlement: Json = operator.get(f"{OPERATOR_API}/settlements/{staged.id}")["settlement"]
    return settlement


def await_stage(operator: Caller, staged: Staged, stage: str) -> Json:
    """Waits until the settlement is in the stage, and returns it.

    Raises:
        DemoError: it does not get there in time.
    """
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while (found := read(operator, staged))["stage"] != stage:
        if time.monotonic() > deadline:
            raise DemoError(f"settlement {staged.name} is not in stage {stage}:\n{found}")
        time.sleep(_POLL_SECONDS)
    return found


def _show_deadline(waiting: Waiting, found: Json) -> None:
    now = datetime.now().astimezone()
    begins, ends = "createdAt", "disputeDeadlineAt"
    if found["stage"] == "top_up_window":
        begins, ends = "disputeDeadlineAt", "topUpDeadlineAt"
    begun, ended = _parse_time(found[begins]), _parse_time(found[ends])
    label = found["stage"].replace("_", "-").replace("-window", " window")
    waiting.show(label, (now - begun).total_seconds(), (ended - begun).total_seconds())


def _seconds(found: Json, name: str) -> float:
    return (_parse_time(found[name]) - _parse_time(found["createdAt"])).total_seconds()


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)
