"""The course of a rehearsal: rounds with faults on, windows that end, disputes put right, and a clean end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

from clearwindow.client import Operator
from clearwindow.client.answers.settlements import OperatorSettlement
from clearwindow.sandbox.market import Market, round_of
from clearwindow.sandbox.network.plan import Plan, base_units
from clearwindow.sandbox.rehearsal.operators import Operators
from clearwindow.sandbox.rehearsal.outcome import Outcome
from clearwindow.sandbox.rehearsal.patience import Patience
from clearwindow.sandbox.rehearsal.programs import Line, ProgramEndedError
from clearwindow.sandbox.rehearsal.stage import START_SECONDS, Stage
from clearwindow.sandbox.rehearsal.truth import Party, Truth, mending, parties_of
from clearwindow.sandbox.screen import Screen

STEP_MINUTES: Final = 5
_SMALL_STEP_MINUTES: Final = 0.5
_REVIEW_SECONDS: Final = 1.5
_PATIENCE_SECONDS: Final = 120
_LOOK_SECONDS: Final = 0.05
_EVERY_SECONDS: Final = 1
_PAGE_SIZE: Final = 500
_REVIEWED: Final = frozenset({"right", "disputed", "too late"})
_WITH_FAULTS: Final = ("--faults", "all")

Accounts: TypeAlias = Mapping[str, Mapping[str, Decimal]]
"""Per connection and currency, in the exchange's own names and whole units."""


class Rehearsal:
    """One rehearsal on a stage that is set."""

    def __init__(self, stage: Stage, screen: Screen, ada: Operator, ben: Operator, *, started: float) -> None:
        """Nothing is started yet; ``started`` is when the rehearsal began, of ``time.monotonic``."""
        self._stage = stage
        self._screen = screen
        self._ada = ada
        self._operators = Operators(ada, ben, self._floats())
        self._truth = Truth({})
        self._started = started
        self._shown = ""

    def run(self) -> Outcome:
        """From the first start of all programs to their end.

        Raises:
            ProgramEndedError: something ended, or did not happen.
        """
        self._open()
        self._play_rounds()
        self._settle()
        self._finish()
        return self._outcome()

    def _floats(self) -> dict[str, tuple[str, dict[str, int]]]:
        terms = self._stage.terms
        decimals = {currency.name: currency.decimals for currency in self._ada.currencies.list()}
        funds = Plan(terms.exchanges, terms.traders, terms.seed).exchange_float()
        amounts = {currency: base_units(amount, decimals[currency]) for currency, amount in funds.items()}
        return {each.partner_id: (each.go_account_id, amounts) for each in self._stage.network.exchanges}

    def _open(self) -> None:
        self._screen.act("Everybody comes, and everything may go wrong")
        terms = self._stage.terms
        self._stage.start_worker()
        every = ("--every-seconds", str(terms.every_seconds), "--rounds", str(terms.rounds))
        self._stage.start_exchanges({name: [*_WITH_FAULTS, *every] for name in self._stage.exchanges})
        self._until(self._is_introduced, "every connection is known to its exchange", minutes=1)
        self._stage.start_traders(*_WITH_FAULTS)
        parties: dict[str, Party] = {}
        for each in self._stage.network.exchanges:
            with self._stage.partner(each.name) as partner:
                parties |= parties_of(partner, each.name, Market.of(str(terms.seed), each.currencies))
        self._truth = Truth(parties)
        sizes = f"{terms.exchanges} exchanges, {terms.traders} traders, {len(parties)} connections"
        self._screen.call("Clearwindow", "serve --no-worker, and a worker beside it", "CLEARWINDOW_SANDBOX=1")
        self._screen.call("Everybody", sizes, f"{terms.fault_percent} of 100 calls go wrong, seed {terms.seed}")

    def _is_introduced(self) -> bool:
        for each in self._stage.network.exchanges:
            with self._stage.partner(each.name) as partner:
                if not all(connection.initialized for connection in partner.connections.list()):
                    return False
        return True

    def _play_rounds(self) -> None:
        """The rounds; half-way the worker is killed, and a round later an exchange."""
        terms = self._stage.terms
        self._screen.act(
            f"{terms.rounds} rounds of settlements, and a clock that moves {STEP_MINUTES} minutes at a time"
        )
        self._until(lambda: self._round() > terms.rounds // 2 or self._are_rounds_done(), "half of the rounds")
        if terms.kills:
            self._kill_worker()
            self._kill_exchange()
        self._until(self._are_rounds_done, "all rounds")

    def _kill_worker(self) -> None:
        self._stage.worker.kill()
        self._screen.call("Somebody", "kill -9 of the worker", "what it had in hand is done again", good=False)
        self._stage.start_worker()

    def _kill_exchange(self) -> None:
        name = next(iter(self._stage.exchanges))
        program = self._stage.exchanges[name]
        program.kill()
        left = max(0, self._stage.terms.rounds - self._round(name))
        self._screen.call("Somebody", f"kill -9 of {name}", "it asks the network what it must know", good=False)
        every = ("--every-seconds", str(self._stage.terms.every_seconds), "--rounds", str(left))
        self._stage.start_exchanges({name: [*_WITH_FAULTS, *every]})

    def _round(self, exchange: str | None = None) -> int:
        """The last round of an exchange, or of the slowest."""
        last = dict.fromkeys(self._stage.exchanges, 0)
        names = {each.partner_id: each.name for each in self._stage.network.exchanges}
        for settlement in self._operators.settlements():
            name = names[settlement.partner_id]
            last[name] = max(last[name], round_of(settlement.external_id) or 0)
        return last[exchange] if exchange is not None else min(last.values())

    def _are_rounds_done(self) -> bool:
        return all(
            any(line["event"] == "rounds.done" for line in program.lines)
            for program in self._stage.exchanges.values()
        )

    def _settle(self) -> None:
        """Faults off for traders, who look at everything anew; then everything ends, and every dispute."""
        self._screen.act("Everything ends: windows, settlements, disputes")
        self._until(self._is_all_reviewed_and_ended, "all settlements")
        self._stage.traders.stop()
        self._stage.start_traders()
        self._until(self._is_nothing_disputed, "all disputes")

    def _is_all_reviewed_and_ended(self) -> bool:
        return all(settlement.status == "completed" for settlement in self._operators.settlements())

    def _is_nothing_disputed(self) -> bool:
        return all(
            dispute.retracted
            or (dispute.dispute_closure is not None and dispute.dispute_closure.status == "approved")
            for dispute in self._operators.disputes()
        )

    def _finish(self) -> None:
        """Faults off for exchanges too; one more round each carries out what is left to be put right."""
        self._screen.act("Faults off: one more round carries out what was put right")
        before = {name: len(program.lines) for name, program in self._stage.exchanges.items()}
        for program in self._stage.exchanges.values():
            program.stop()
        once = ("--every-seconds", str(_EVERY_SECONDS), "--rounds", "1")
        self._stage.start_exchanges(dict.fromkeys(self._stage.exchanges, once))
        for name, program in self._stage.exchanges.items():
            program.await_line(lambda line: line["event"] == "rounds.done", START_SECONDS, since=before[name])
        self._until(self._is_all_reviewed_and_ended, "the last settlements")
        for name, program in self._stage.exchanges.items():
            # It has seen the end, and reads its accounts anew after that.
            program.await_line(
                lambda line: line["event"] == "settlement.completed", START_SECONDS, since=before[name]
            )
        self._until(self._is_everything_delivered, "all webhooks", minutes=_SMALL_STEP_MINUTES)
        time.sleep(_EVERY_SECONDS)
        for program in (self._stage.traders, *self._stage.exchanges.values()):
            program.stop()

    def _is_everything_delivered(self) -> bool:
        for each in self._stage.network.traders:
            with self._stage.client(each.name) as client:
                for endpoint in client.webhook_endpoints.list():
                    if any(True for _ in client.webhook_endpoints.deliveries(endpoint.id, statuses=["owed"])):
                        return False
        return True

    def _until(self, done: Callable[[], bool], what: str, *, minutes: float = STEP_MINUTES) -> None:
        """Lets time pass until it is done.

        Raises:
            ProgramEndedError: it does not come about.
        """
        patience = Patience(_PATIENCE_SECONDS + self._stage.terms.every_seconds)
        while not done():
            if patience.is_at_its_end(self._shown):
                raise ProgramEndedError(
                    f"This has not come about, and nothing has changed for {patience.seconds:g} seconds: {what}."
                )
            self._stage.require_running()
            self._pass(minutes)

    def _pass(self, minutes: float) -> None:
        """A step: everything that was staged is looked at by its traders before the clock goes far."""
        settlements = self._operators.settlements()
        self._truth.look(self._ada, settlements)
        unseen = self._await_reviews(settlements)
        self._ada.advance_clock(_SMALL_STEP_MINUTES if unseen else minutes)
        self._operators.work(self._truth, settlements)
        self._show(settlements)

    def _await_reviews(self, settlements: list[OperatorSettlement]) -> bool:
        """Waits a little for the traders; whether something is still not looked at: a delivery must come again."""
        names = {each.id: each.external_id for each in settlements if each.stage == "dispute_window"}
        wanted = {(names[number], connection) for number, connection in self._truth.expected if number in names}
        give_up_at = time.monotonic() + _REVIEW_SECONDS
        while time.monotonic() < give_up_at:
            seen = {
                (line["settlement"], line["connection"])
                for line in list(self._stage.traders.lines)
                if line["happened"] in _REVIEWED
            }
            if wanted <= seen:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def _show(self, settlements: list[OperatorSettlement]) -> None:
        stages = Counter(settlement.stage.replace("_", " ") for settlement in settlements)
        shown = ", ".join(f"{count} {stage}" for stage, count in sorted(stages.items()))
        shown += f"; wrong: {len(self._truth.wrong)}, closed: {self._operators.closed}"
        if settlements and shown != self._shown:
            self._shown = shown
            self._screen.event(time.monotonic() - self._started, shown)

    def _outcome(self) -> Outcome:
        settlements = self._operators.settlements()
        self._truth.look(self._ada, settlements)
        clean, said = self._stage.check()
        kept = {name: _accounts_of(program.lines) for name, program in self._stage.exchanges.items()}
        return Outcome(
            seconds=time.monotonic() - self._started,
            settlements=Counter(settlement.status for settlement in settlements),
            entries=len(self._truth.expected),
            wrong=len(self._truth.wrong),
            mending=mending(self._truth, self._operators.disputes()),
            exchange_lines={name: program.lines for name, program in self._stage.exchanges.items()},
            trader_lines=self._stage.traders.lines,
            worker_starts=self._stage.worker.starts,
            accounts=sum(len(accounts) for accounts in kept.values()),
            accounts_that_differ=[
                text for name, accounts in kept.items() for text in self._differing(name, accounts)
            ],
            check_clean=clean,
            check_said=said,
        )

    def _differing(self, exchange: str, accounts: Accounts) -> Iterator[str]:
        """The exchange's accounts that are not what the network has."""
        with self._stage.partner(exchange) as partner:
            found = partner.balances(page_size=_PAGE_SIZE).network_balances
        for connection_id in found.keys() | accounts.keys():
            there = found[connection_id].balances if connection_id in found else {}
            has = {name: balance.available + balance.held for name, balance in there.items()}
            keeps = accounts.get(connection_id, {})
            if {name: amount for name, amount in has.items() if amount} != keeps:
                yield f"{exchange} keeps {keeps} for connection {connection_id}, and the network has {has}"


def _accounts_of(lines: Sequence[Line]) -> Accounts:
    """What an exchange said at its end that it keeps, without what is nothing."""
    said: Mapping[str, Mapping[str, str]] = next(
        (line["accounts"] for line in reversed(lines) if line["event"] == "accounts"), {}
    )
    return {
        connection_id: {name: Decimal(amount) for name, amount in balances.items() if Decimal(amount)}
        for connection_id, balances in said.items()
    }
