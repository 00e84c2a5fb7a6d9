"""``clearwindow demo``: a new network, three settlements, and the balances at the end."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from clearwindow.simulator.demo import balances, scenario
from clearwindow.simulator.demo.calls import OPERATOR_API, Caller, DemoError
from clearwindow.simulator.demo.participants import BTC, Participants
from clearwindow.simulator.screen import Screen
from clearwindow.simulator.server import ServerNotStartedError, serving, temporary_folder


def run_demo(screen: Screen | None = None) -> bool:
    """Runs the demo. Returns whether everything went as expected."""
    shown = screen or Screen()
    started = time.monotonic()
    try:
        with temporary_folder("demo") as folder:
            _run_in(folder, shown)
    except (DemoError, ServerNotStartedError) as error:
        shown.failure(str(error))
        return False
    shown.conclusion(f"Every unit is accounted for. That took {time.monotonic() - started:.0f} s.", good=True)
    return True


def _run_in(folder: Path, screen: Screen) -> None:
    operator_token = secrets.token_urlsafe()
    screen.title("Clearwindow: off-exchange settlement, from an empty folder to balanced accounts")
    screen.say(
        "Clearwindow settles trades made on an exchange, while the money stays in custody outside it. "
        "This demo starts a server with its own PostgreSQL in a temporary folder. It then sends the HTTP "
        "requests that operators, an exchange and traders would send."
    )
    started = time.monotonic()
    with serving(folder, operator_token) as base_url:
        screen.call("Server", f"listens on {base_url}", f"up in {time.monotonic() - started:.1f} s")
        starter = Caller(base_url, operator_token)
        participants = scenario.set_up(screen, starter, base_url)
        starter.close()
        try:
            _run_scenario(screen, participants)
        finally:
            participants.close()


def _run_scenario(screen: Screen, participants: Participants) -> None:
    scenario.allocate_funds(screen, participants)
    before, (deposits_before, _) = balances.holdings(participants), balances.paid_in(participants)
    staged, staging_request, answer = scenario.reject_uncovered_settlement(screen, participants)
    scenario.repeat_request_and_show_holds(screen, participants, staging_request, answer)
    dispute_id = scenario.dispute(screen, participants, staged)
    scenario.settle_undisputed_part(screen, participants, staged)
    scenario.close_dispute(screen, participants, dispute_id)
    scenario.settle_dispute(screen, participants, dispute_id)
    scenario.fail_and_complete(screen, participants)
    screen.section("The final balances")
    screen.say(
        "Each participant's money, in Go Accounts and allocated. The settled amounts sum to zero in each currency:"
    )
    balances.show_change(participants, screen, before, deposits_before)
    _withdraw(screen, participants)
    screen.say("The server recomputes every balance from its journal. The demo adds up all accounts itself:")
    balances.show_check(participants, screen)
    balances.show_sums(participants, screen)


def _withdraw(screen: Screen, participants: Participants) -> None:
    screen.say("Nothing is held any more. Aster deallocates 0.7 BTC and withdraws 1 BTC from custody:")
    aster = participants.traders[scenario.ASTER]
    quantity = participants.amounts.base_units("0.7", BTC)
    aster.move("deallocations", quantity, BTC, "to custody")
    screen.call(scenario.ASTER, "deallocates 0.7 BTC", "cleared")
    fields = {
        "currency": BTC,
        "quantity": str(participants.amounts.base_units("1", BTC)),
        "reference": "to Aster's vault",
    }
    participants.ada.post(f"{OPERATOR_API}/go-accounts/{aster.go_account_id}/withdrawals", fields)
    screen.call(scenario.ADA, "POST …/withdrawals", "1 BTC withdrawn")
