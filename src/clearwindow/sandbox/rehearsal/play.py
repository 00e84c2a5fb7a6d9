"""Rehearses from an empty folder to a verdict, and cleans up behind itself."""

from __future__ import annotations

import time

from clearwindow.client import ClearwindowError
from clearwindow.sandbox.rehearsal.programs import ProgramEndedError
from clearwindow.sandbox.rehearsal.rehearsing import Rehearsal
from clearwindow.sandbox.rehearsal.stage import Terms, staged
from clearwindow.sandbox.screen import Screen
from clearwindow.sandbox.server import ServerNotStartedError, temporary_folder


def rehearse(terms: Terms) -> bool:
    """Whether everything went as it must; shows the course and the outcome."""
    screen, started = Screen(), time.monotonic()
    screen.title("Clearwindow: a rehearsal with real processes, and with faults on")
    with temporary_folder("rehearsal") as folder:
        try:
            with (
                staged(folder, terms) as stage,
                stage.operator("ada") as ada,
                stage.operator("ben") as ben,
            ):
                outcome = Rehearsal(stage, screen, ada, ben, started=started).run()
        except (ClearwindowError, ProgramEndedError, ServerNotStartedError) as error:
            screen.verdict("The rehearsal stopped", good=False)
            screen.say(str(error))
            return False
    screen.act("What there was in the end")
    outcome.show(screen)
    for problem in outcome.problems:
        screen.say(problem)
    good = not outcome.problems
    verdict = "Everything that went wrong was put right" if good else "Not everything is as it must be"
    screen.verdict(f"{verdict}: {outcome.seconds:.0f} s, seed {terms.seed}", good=good)
    return good
