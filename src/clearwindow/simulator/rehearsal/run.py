"""Runs a rehearsal from an empty folder to its result, and removes the folder."""

from __future__ import annotations

import time

from clearwindow.client import ClearwindowError
from clearwindow.simulator.programs import ProgramEndedError
from clearwindow.simulator.rehearsal.sandbox import Terms, open_sandbox
from clearwindow.simulator.rehearsal.scenario import Rehearsal
from clearwindow.simulator.screen import Screen
from clearwindow.simulator.server import ServerNotStartedError, temporary_folder


def run_rehearsal(terms: Terms) -> bool:
    """Runs the rehearsal and prints its progress and outcome. Returns whether it succeeded."""
    screen, started = Screen(), time.monotonic()
    screen.title("Clearwindow: a rehearsal with real processes and injected faults")
    with temporary_folder("rehearsal") as folder:
        try:
            with (
                open_sandbox(folder, terms) as sandbox,
                sandbox.operator("ada") as ada,
                sandbox.operator("ben") as ben,
            ):
                outcome = Rehearsal(sandbox, screen, ada, ben, started=started).run()
        except (ClearwindowError, ProgramEndedError, ServerNotStartedError) as error:
            screen.conclusion("The rehearsal stopped because of an error", good=False)
            screen.say(str(error))
            return False
    screen.section("Outcome")
    outcome.show(screen)
    for problem in outcome.problems:
        screen.say(problem)
    good = not outcome.problems
    result = "All faults were handled and all balances are correct" if good else "There are problems"
    screen.conclusion(f"{result}: {outcome.seconds:.0f} s, seed {terms.seed}", good=good)
    return good
