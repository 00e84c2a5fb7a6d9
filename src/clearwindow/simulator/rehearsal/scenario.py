"""The steps of a rehearsal: rounds with faults, the ends of windows and disputes, a last round without faults."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

from clearwindow.client import Operator
from clearwindow.client.answers.settlements import OperatorSettlement
from clearwindow.simulator.market import Market, round_of
from clearwindow.simulator.network.plan import Plan, base_units
from clearwindow.simulator.programs import Line, ProgramEndedError
from clearwindow.simulator.rehearsal.expected_settlements import (
    ExpectedSettlements,
    TradingConnection,
    connections_of,
    dispute_results,
)
from clearwindow.simulator.rehearsal.operators import Operators
from clearwindow.simulator.rehearsal.outcome import Outcome
from clearwindow.simulator.rehearsal.sandbox import START_SECONDS, Sandbox
from clearwindow.simulator.rehearsal.stall_detector import StallDetector
from clearwindow.simulator.screen import Screen

STEP_MINUTES: Final = 5
_SMALL_STEP_MINUTES: Final = 0.5
_REVIEW_SECONDS: Final = 1.5
_STALL_SECONDS: Final = 120
_POLL_SECONDS: Final = 0.05
_EVERY_SECONDS: Final = 1
_PAGE_SIZE: Final = 500
_REVIEWED: Final = frozenset({"right", "disputed", "too late"})
_WITH_FAULTS: Final = ("--faults", "all")

Accounts: TypeAlias = Mapping[str, Mapping[str, Decimal]]
"""By connection and currency, with the exchange's currency names, in whole units."""


class Rehearsal:
    """One rehearsal on a prepared sandbox."""

    def __init__(self, sandbox: Sandbox, screen: Screen, ada: Operator, ben: Operator, *, started: float) -> None:
        """Prepares the rehearsal; starts no process. ``started``: when it began, as ``time.monotonic`` counts."""
        self._sandbox = sandbox
        self._screen = screen
        self._ada = ada
        self._operators = Operators(ada, ben, self._exchange_funds())
        self._expected_settlements = ExpectedSettlements({})
        self._started = started
        self._shown = ""

    def run(self) -> Outcome:
        """Runs the rehearsal from the start of all programs to their end.

        Raises:
            ProgramEndedError: a program ended too early, or an expected event did not happen.
        """
        self._start()
        self._run_rounds()
        self._wait_for_ends()
        self._finish()
        return self._outcome()

    def _exchange_funds(self) -> dict[str, tuple[str, dict[str, int]]]:
        terms = self._sandbox.terms
        decimals = {currency.name: currency.decimals for currency in self._ada.currencies.list()}
        funds = Plan(terms.exchanges, terms.traders, terms.seed).exchange_float()
        amounts = {currency: base_units(amount, decimals[currency]) for currency, amount in funds.items()}
        return {each.partner_id: (each.go_account_id, amounts) for each in self._sandbox.network.exchanges}

    def _start(self) -> None:
        self._screen.section("All programs start, with faults on")
        terms = self._sandbox.terms
        self._sandbox.start_worker()
        every = ("--every-seconds", str(terms.every_seconds), "--rounds", str(terms.rounds))
        self._sandbox.start_exchanges({name: [*_WITH_FAULTS, *every] for name in self._sandbox.exchanges})
        self._advance_until(
            self._are_connections_initialized, "every exchange to accept its connections", minutes=1
        )
        self._sandbox.start_traders(*_WITH_FAULTS)
        connections: dict[str, TradingConnection] = {}
        for each in self._sandbox.network.exchanges:
            with self._sandbox.partner(each.name) as partner:
                connections |= connections_of(partner, each.name, Market.of(str(terms.seed), each.currencies))
        self._expected_settlements = ExpectedSettlements(connections)
        sizes = f"{terms.exchanges} exchanges, {terms.traders} traders, {len(connections)} connections"
        self._screen.call("Clearwindow", "serve --no-worker, and a separate worker", "CLEARWINDOW_SANDBOX=1")
        self._screen.call("Network", sizes, f"{terms.fault_percent} of 100 calls fail, seed {terms.seed}")

    def _are_connections_initialized(self) -> bool:
        for each in self._sandbox.network.exchanges:
            with self._sandbox.partner(each.name) as partner:
                if not all(connection.initialized for connection in partner.connections.list()):
                    return False
        return True

    def _run_rounds(self) -> None:
        """Waits for all rounds. Halfway it kills the worker and an exchange."""
        terms = self._sandbox.terms
        self._screen.section(
            f"{terms.rounds} rounds of settlements; the clock moves {STEP_MINUTES} minutes at a time"
        )
        self._advance_until(
            lambda: self._round() > terms.rounds // 2 or self._are_rounds_done(), "half of the rounds to end"
        )
        if terms.kills:
            self._kill_worker()
            self._kill_exchange()
        self._advance_until(self._are_rounds_done, "all rounds to end")

    def _kill_worker(self) -> None:
        self._sandbox.worker.kill()
        self._screen.call("Fault", "kill -9 of the worker", "a new worker repeats its unfinished work", good=False)
        self._sandbox.start_worker()

    def _kill_exchange(self) -> None:
        name = next(iter(self._sandbox.exchanges))
        program = self._sandbox.exchanges[name]
        program.kill()
        left = max(0, self._sandbox.terms.rounds - self._round(name))
        self._screen.call(
            "Fault", f"kill -9 of {name}", "it restarts and asks the network for its state", good=False
        )
        every = ("--every-seconds", str(self._sandbox.terms.every_seconds), "--rounds", str(left))
        self._sandbox.start_exchanges({name: [*_WITH_FAULTS, *every]})

    def _round(self, exchange: str | None = None) -> int:
        """Returns the last round of an exchange; without a name, of the slowest one."""
        last = dict.fromkeys(self._sandbox.exchanges, 0)
        names = {each.partner_id: each.name for each in self._sandbox.network.exchanges}
        for settlement in self._operators.settlements():
            name = names[settlement.partner_id]
            last[name] = max(last[name], round_of(settlement.external_id) or 0)
        return last[exchange] if exchange is not None else min(last.values())

    def _are_rounds_done(self) -> bool:
        return all(
            any(line["event"] == "rounds.done" for line in program.lines)
            for program in self._sandbox.exchanges.values()
        )

    def _wait_for_ends(self) -> None:
        """Waits until all settlements complete, restarts the traders without faults, and waits for all disputes."""
        self._screen.section("Windows, settlements and disputes end")
        self._advance_until(self._are_settlements_completed, "all settlements to complete")
        self._sandbox.traders.stop()
        self._sandbox.start_traders()
        self._advance_until(self._are_disputes_closed, "all disputes to be closed")

    def _are_settlements_completed(self) -> bool:
        return all(settlement.status == "completed" for settlement in self._operators.settlements())

    def _are_disputes_closed(self) -> bool:
        return all(
            dispute.retracted
            or (dispute.dispute_closure is not None and dispute.dispute_closure.status == "approved")
            for dispute in self._operators.disputes()
        )

    def _finish(self) -> None:
        """Restarts the exchanges without faults. One more round settles the remaining closed disputes."""
        self._screen.section("Faults off: one more round settles the closed disputes")
        before = {name: len(program.lines) for name, program in self._sandbox.exchanges.items()}
        for program in self._sandbox.exchanges.values():
            program.stop()
        once = ("--every-seconds", str(_EVERY_SECONDS), "--rounds", "1")
        self._sandbox.start_exchanges(dict.fromkeys(self._sandbox.exchanges, once))
        for name, program in self._sandbox.exchanges.items():
            program.await_line(lambda line: line["event"] == "rounds.done", START_SECONDS, since=before[name])
        self._advance_until(self._are_settlements_completed, "the last settlements to complete")
        for name, program in self._sandbox.exchanges.items():
            # It has noticed the end; after that it reads its accounts again.
            program.await_line(
                lambda line: line["event"] == "settlement.completed", START_SECONDS, since=before[name]
            )
        self._advance_until(
            self._are_webhooks_delivered, "all webhooks to be delivered", minutes=_SMALL_STEP_MINUTES
        )
        time.sleep(_EVERY_SECONDS)
        for program in (self._sandbox.traders, *self._sandbox.exchanges.values()):
            program.stop()

    def _are_webhooks_delivered(self) -> bool:
        for each in self._sandbox.network.traders:
            with self._sandbox.client(each.name) as client:
                for endpoint in client.webhook_endpoints.list():
                    if any(True for _ in client.webhook_endpoints.deliveries(endpoint.id, statuses=["owed"])):
                        return False
        return True

    def _advance_until(self, done: Callable[[], bool], what: str, *, minutes: float = STEP_MINUTES) -> None:
        """Moves the clock until ``done`` returns true.

        Raises:
            ProgramEndedError: it does not happen, and nothing changes any more.
        """
        stall_detector = StallDetector(_STALL_SECONDS + self._sandbox.terms.every_seconds)
        while not done():
            if stall_detector.is_stalled(self._shown):
                raise ProgramEndedError(
                    f"Waited for {what}, but nothing has changed for {stall_detector.seconds:g} seconds."
                )
            self._sandbox.require_running()
            self._step(minutes)

    def _step(self, minutes: float) -> None:
        """Moves the clock once. It moves only a little while traders have not checked all open settlements."""
        settlements = self._operators.settlements()
        self._expected_settlements.add(self._ada, settlements)
        is_unchecked = self._await_reviews(settlements)
        self._ada.advance_clock(_SMALL_STEP_MINUTES if is_unchecked else minutes)
        self._operators.work(self._expected_settlements, settlements)
        self._show(settlements)

    def _await_reviews(self, settlements: list[OperatorSettlement]) -> bool:
        """Waits a little for the traders. Returns whether they have settlements left to check.

        Such a settlement waits for a webhook delivery that is repeated later.
        """
        names = {each.id: each.external_id for each in settlements if each.stage == "dispute_window"}
        wanted = {
            (names[number], connection)
            for number, connection in self._expected_settlements.amounts
            if number in names
        }
        deadline = time.monotonic() + _REVIEW_SECONDS
        while time.monotonic() < deadline:
            checked = {
                (line["settlement"], line["connection"])
                for line in list(self._sandbox.traders.lines)
                if line["happened"] in _REVIEWED
            }
            if wanted <= checked:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _show(self, settlements: list[OperatorSettlement]) -> None:
        stages = Counter(settlement.stage.replace("_", " ") for settlement in settlements)
        shown = ", ".join(f"{count} {stage}" for stage, count in sorted(stages.items()))
        shown += f"; wrong: {len(self._expected_settlements.wrong)}, closed: {self._operators.closed}"
        if settlements and shown != self._shown:
            self._shown = shown
            self._screen.event(time.monotonic() - self._started, shown)

    def _outcome(self) -> Outcome:
        settlements = self._operators.settlements()
        self._expected_settlements.add(self._ada, settlements)
        clean, said = self._sandbox.check()
        kept = {name: _accounts_of(program.lines) for name, program in self._sandbox.exchanges.items()}
        return Outcome(
            seconds=time.monotonic() - self._started,
            settlements=Counter(settlement.status for settlement in settlements),
            entries=len(self._expected_settlements.amounts),
            wrong=len(self._expected_settlements.wrong),
            dispute_results=dispute_results(self._expected_settlements, self._operators.disputes()),
            exchange_lines={name: program.lines for name, program in self._sandbox.exchanges.items()},
            trader_lines=self._sandbox.traders.lines,
            worker_starts=self._sandbox.worker.starts,
            accounts=sum(len(accounts) for accounts in kept.values()),
            account_differences=[
                text for name, accounts in kept.items() for text in self._differing(name, accounts)
            ],
            check_ok=clean,
            check_output=said,
        )

    def _differing(self, exchange: str, accounts: Accounts) -> Iterator[str]:
        """Yields a text for each account on which exchange and network do not agree."""
        decimals = {currency.name: currency.decimals for currency in self._ada.currencies.list()}
        (ours,) = (each.currencies for each in self._sandbox.network.exchanges if each.name == exchange)
        with self._sandbox.partner(exchange) as partner:
            found = partner.balances(page_size=_PAGE_SIZE).network_balances
        for connection_id in found.keys() | accounts.keys():
            there = found[connection_id].balances if connection_id in found else {}
            has = {
                name: Decimal(balance.available + balance.held).scaleb(-decimals[ours[name]])
                for name, balance in there.items()
            }
            keeps = accounts.get(connection_id, {})
            if {name: amount for name, amount in has.items() if amount} != keeps:
                yield f"{exchange} has {keeps} for connection {connection_id}, but the network has {has}"


def _accounts_of(lines: Sequence[Line]) -> Accounts:
    """Returns the accounts that an exchange reported when it ended, without zero amounts."""
    said: Mapping[str, Mapping[str, str]] = next(
        (line["accounts"] for line in reversed(lines) if line["event"] == "accounts"), {}
    )
    return {
        connection_id: {name: Decimal(amount) for name, amount in balances.items() if Decimal(amount)}
        for connection_id, balances in said.items()
    }
