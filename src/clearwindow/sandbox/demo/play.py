"""``clearwindow demo``: a network from nothing, three settlements, and the books at the end."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from clearwindow.sandbox.demo import books, story
from clearwindow.sandbox.demo.calls import OPERATOR_API, Caller, DemoError
from clearwindow.sandbox.demo.cast import BTC, Cast
from clearwindow.sandbox.screen import Screen
from clearwindow.sandbox.server import ServerNotStartedError, serving, temporary_folder


def play(screen: Screen | None = None) -> bool:
    """Plays the demo; whether everything went as it must."""
    shown = screen or Screen()
    started = time.monotonic()
    try:
        with temporary_folder("demo") as folder:
            _play_in(folder, shown)
    except (DemoError, ServerNotStartedError) as error:
        shown.failure(str(error))
        return False
    shown.verdict(f"Every unit is accounted for. That took {time.monotonic() - started:.0f} s.", good=True)
    return True


def _play_in(folder: Path, screen: Screen) -> None:
    operator_token = secrets.token_urlsafe()
    screen.title("Clearwindow: off-exchange settlement, from an empty folder to balanced books")
    screen.say(
        "Clearwindow settles what is traded on an exchange, while the money stays off the exchange. "
        "This demo starts a server with a PostgreSQL of its own in a temporary folder, and then only talks "
        "HTTP to it, as operators, an exchange and traders would."
    )
    started = time.monotonic()
    with serving(folder, operator_token) as base_url:
        screen.call("Server", f"listens on {base_url}", f"up in {time.monotonic() - started:.1f} s")
        starter = Caller(base_url, operator_token)
        cast = story.set_up(screen, starter, base_url)
        starter.close()
        try:
            _act(screen, cast)
        finally:
            cast.close()


def _act(screen: Screen, cast: Cast) -> None:
    story.allocate_funds(screen, cast)
    before, (deposits_before, _) = books.holdings(cast), books.paid_in(cast)
    staged, asked, answer = story.refuse_uncovered(screen, cast)
    story.repeat_and_hold(screen, cast, asked, answer)
    dispute_id = story.dispute(screen, cast, staged)
    story.run_first_course(screen, cast, staged)
    story.close_dispute(screen, cast, dispute_id)
    story.settle_dispute(screen, cast, dispute_id)
    story.fail_and_mend(screen, cast)
    screen.act("The books")
    screen.say("Everybody's money, in Go Accounts and allocated. What was settled sums to zero in each currency:")
    books.show_change(cast, screen, before, deposits_before)
    _take_out(screen, cast)
    screen.say("The server recomputes every balance from its journal, and we add up all accounts from outside:")
    books.show_check(cast, screen)
    books.show_sums(cast, screen)


def _take_out(screen: Screen, cast: Cast) -> None:
    screen.say("Nothing is held any more, so that Aster takes 1 BTC back and out of custody:")
    aster = cast.traders[story.ASTER]
    quantity = cast.amounts.base_units("0.7", BTC)
    aster.move("deallocations", quantity, BTC, "home")
    screen.call(story.ASTER, "deallocates 0.7 BTC", "cleared")
    fields = {
        "currency": BTC,
        "quantity": str(cast.amounts.base_units("1", BTC)),
        "reference": "to Aster's vault",
    }
    cast.ada.post(f"{OPERATOR_API}/go-accounts/{aster.go_account_id}/withdrawals", fields)
    screen.call(story.ADA, "POST …/withdrawals", "1 BTC left custody")
