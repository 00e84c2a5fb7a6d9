"""Watching one settlement take its course, as its operator sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from clearwindow.sandbox.demo.calls import OPERATOR_API, Caller, DemoError, Json
from clearwindow.sandbox.screen import Screen, Waiting

_POLL_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 30
ENDS: Final = frozenset({"completed", "failed", "rejected"})
Reaction = Callable[[], None]

_SAID: Final = {
    "top_up_window": "the dispute window ended: what nobody disputes is final",
    "completed": "executed: every final transfer, in one transaction",
    "failed": "not executed, not one transfer: the exchange cannot pay",
}


@dataclass(frozen=True, slots=True)
class Staged:
    """A settlement as it was answered, by its id and the name its exchange gave it."""

    id: str
    name: str


def follow(
    operator: Caller, screen: Screen, staged: Staged, reactions: Mapping[str, Reaction] | None = None
) -> str:
    """Shows each step until the settlement ends or fails; ``reactions`` are called as their stage begins."""
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    stage = "dispute_window"
    with screen.waiting() as waiting:
        while stage not in ENDS:
            found = read(operator, staged)
            if found["stage"] != stage:
                stage = str(found["stage"])
                screen.event(_seconds(found, "updatedAt"), _SAID.get(stage, stage), good=stage != "failed")
                if reactions and stage in reactions:
                    reactions[stage]()
            _show_deadline(waiting, found)
            if time.monotonic() > give_up_at:
                raise DemoError(f"settlement {staged.name} is still in its {stage}:\n{found}")
            time.sleep(_POLL_SECONDS)
    return stage


def read(operator: Caller, staged: Staged) -> Json:
    settlement: Json = operator.get(f"{OPERATOR_API}/settlements/{staged.id}")["settlement"]
    return settlement


def await_stage(operator: Caller, staged: Staged, stage: str) -> Json:
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while (found := read(operator, staged))["stage"] != stage:
        if time.monotonic() > give_up_at:
            raise DemoError(f"settlement {staged.name} should be {stage} by now:\n{found}")
        time.sleep(_POLL_SECONDS)
    return found


def _show_deadline(waiting: Waiting, found: Json) -> None:
    now = datetime.now().astimezone()
    begins, ends = "createdAt", "disputeDeadlineAt"
    if found["stage"] == "top_up_window":
        begins, ends = "disputeDeadlineAt", "topUpDeadlineAt"
    begun, ended = _moment(found[begins]), _moment(found[ends])
    label = found["stage"].replace("_", "-").replace("-window", " window")
    waiting.show(label, (now - begun).total_seconds(), (ended - begun).total_seconds())


def _seconds(found: Json, name: str) -> float:
    return (_moment(found[name]) - _moment(found["createdAt"])).total_seconds()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
