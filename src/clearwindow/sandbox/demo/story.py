"""What happens in the demo, act by act. Everything goes over HTTP, as it would between real participants."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Final

from clearwindow.sandbox.demo import books
from clearwindow.sandbox.demo.amounts import ticker
from clearwindow.sandbox.demo.calls import (
    OPERATOR_API,
    Answer,
    Caller,
    DemoError,
    Json,
    Request,
    request,
    signed_request,
)
from clearwindow.sandbox.demo.cast import (
    BTC,
    USDC,
    Cast,
    Participant,
    Trader,
    connect,
    join,
    known_amounts,
    new_operator,
    open_exchange,
)
from clearwindow.sandbox.demo.course import Staged, await_stage, follow
from clearwindow.sandbox.screen import Screen

ADA: Final = "Operator Ada"
BEN: Final = "Operator Ben"
ASTER: Final = "Aster Capital"
BOREALIS: Final = "Borealis Fund"
COBALT: Final = "Cobalt Trading"
EXCHANGE: Final = "Meridian X"

WINDOWS: Final = {"clientDisputeWindowMinutes": 0.1, "topUpWindowMinutes": 0.06}
SHORTER: Final = {"clientDisputeWindowMinutes": 0.03, "topUpWindowMinutes": 0.03}
_MINUTE_SECONDS: Final = 60
_CUTOFF: Final = "2026-11-20T16:00:00.000Z"

DEPOSITS: Final = (
    (ASTER, "4", BTC),
    (ASTER, "20000", USDC),
    (BOREALIS, "1", BTC),
    (BOREALIS, "120000", USDC),
    (COBALT, "0.5", BTC),
    (COBALT, "60000", USDC),
    (EXCHANGE, "1", BTC),
    (EXCHANGE, "50000", USDC),
)
ALLOCATIONS: Final = ((ASTER, "2", BTC), (BOREALIS, "60000", USDC), (COBALT, "30000", USDC))
FIRST_DAY: Final = {
    ASTER: {"BTC": "-1.5", "USDC": "97500"},
    BOREALIS: {"BTC": "1.2", "USDC": "-78000"},
    COBALT: {"BTC": "0.3", "USDC": "-19500"},
}
SECOND_DAY: Final = {ASTER: {"BTC": "0.2", "USDC": "-13000"}, COBALT: {"BTC": "-0.1", "USDC": "6500"}}
THIRD_DAY: Final = {ASTER: {"USDC": "-5000"}, COBALT: {"USDC": "95000"}}
WHAT_BOREALIS_EXPECTS: Final = {BTC: "1.2", USDC: "-77400"}

PARTNER_NAMES: Final = ("BTC", "USDC")
Amounts = Mapping[str, Mapping[str, str]]


def set_up(screen: Screen, starter: Caller, base_url: str) -> Cast:
    screen.act("An empty network fills")
    screen.say(
        "Two operators run the network. An exchange and three trading firms join. Each keeps its money in a Go "
        "Account in custody here; each makes its own key, and the server gets the public half alone."
    )
    ada, ben = (new_operator(starter, base_url, name) for name in ("Ada", "Ben"))
    screen.call("The start token", "POST /operators, …/tokens", "Ada and Ben; it has done its work")
    traders = {name: Trader(**join(ada, base_url, name)) for name in (ASTER, BOREALIS, COBALT)}
    exchange = Participant(**join(ada, base_url, EXCHANGE))
    screen.call(ADA, "POST /enterprises, …/users, …/tokens, …/go-accounts", "4 enterprises, licensed")
    partner_id = open_exchange(ada, exchange, WINDOWS)
    cast = Cast(ada, ben, exchange, partner_id, traders, known_amounts(ada))
    screen.call(
        EXCHANGE,
        "POST …/partners",
        f"disputes for {_seconds('clientDisputeWindowMinutes')}, top-up for {_seconds('topUpWindowMinutes')} "
        "(in real life: hours)",
    )
    for name, text, currency in DEPOSITS:
        who = exchange if name == EXCHANGE else traders[name]
        cast.deposit(who, text, currency, f"opening {currency}")
    screen.call(ADA, f"POST …/deposits, {len(DEPOSITS)} times", "money that came into custody is in the ledger")
    return cast


def allocate_funds(screen: Screen, cast: Cast) -> None:
    screen.act("Traders allocate: the exchange may count on the money, and never holds it")
    screen.say("Each trader connects to the exchange and allocates funds, in requests signed with its own key.")
    for trader in cast.traders.values():
        connect(trader, cast.partner_id)
    screen.call("Three traders", "POST …/clients/connections", "connected; the signatures verify")
    for name, text, currency in ALLOCATIONS:
        _allocate(screen, cast, cast.traders[name], text, currency)


def _allocate(screen: Screen, cast: Cast, trader: Trader, text: str, currency: str) -> None:
    quantity = cast.amounts.base_units(text, currency)
    answer = trader.move("allocations", quantity, currency, f"allocation of {text} {currency}")
    status = answer.body["allocation"]["status"]
    screen.call(trader.name, f"allocates {cast.amounts.shown(quantity, currency)}", status)


def refuse_uncovered(screen: Screen, cast: Cast) -> tuple[Staged, Request, Answer]:
    screen.act("A settlement that is not covered is refused, whole")
    screen.say(
        "The trading day is over. The exchange sends one signed settlement: what each trader gained and lost. "
        "Borealis owes 78,000 USDC but has allocated 60,000: nothing is written, and the answer says why."
    )
    _show_amounts(screen, FIRST_DAY)
    asked = settlement_request(cast, "day-1", FIRST_DAY)
    refused = cast.exchange.caller.send(asked, expect=HTTPStatus.UNPROCESSABLE_ENTITY)
    screen.call(EXCHANGE, "POST /api/network/v2/…/settlements", f"422 {refused.body['name']}", good=False)
    for short in refused.body["details"]["shortfalls"]:
        name = _name_of(cast, short["connectionId"])
        owes, has, lacks = (
            cast.amounts.number(short[field], short["currency"])
            for field in ("liability", "available", "shortfall")
        )
        unit = ticker(short["currency"])
        screen.quote(f"{name}: liability {owes}, available {has}, shortfall {lacks} {unit}")
    screen.say("Borealis allocates more. Then the very same request, the same bytes and the same nonce, works:")
    _allocate(screen, cast, cast.traders[BOREALIS], "20000", USDC)
    answer = cast.exchange.caller.send(asked)
    settlement = answer.body["settlement"]
    screen.call(EXCHANGE, "POST /api/network/v2/…/settlements", f"200 {settlement['status']}, staged")
    return Staged(settlement["id"], "day-1"), asked, answer


def repeat_and_hold(screen: Screen, cast: Cast, asked: Request, first: Answer) -> None:
    screen.act("Staged once, however often it is sent; and what may be owed is held")
    screen.say("A network drops answers. So the exchange repeats itself, byte for byte, and may do so at any time:")
    again = cast.exchange.caller.send(asked)
    if again.raw != first.raw or again.headers.get("Idempotent-Replayed") != "true":
        raise DemoError(f"the repeated request was answered differently:\n{again.raw!r}")
    screen.call(EXCHANGE, "the same request again", "200, the same answer, Idempotent-Replayed: true")
    screen.say("Every trader's worst case is held until the settlement ends:")
    books.show_holds(cast, screen)
    screen.say("Aster tries to take back 1 BTC, which is more than is free:")
    one = cast.amounts.base_units("1", BTC)
    aster = cast.traders[ASTER]
    path = aster.path(f"/clients/connections/{aster.connection_id}/deallocations")
    fields = {"amount": {"currency": BTC, "quantity": str(one)}, "clientExternalId": "too early"}
    refused = aster.caller.send(
        signed_request(aster.key, "POST", path, fields), expect=HTTPStatus.UNPROCESSABLE_ENTITY
    )
    screen.call(ASTER, "deallocates 1 BTC", f"422 {refused.body['name']}", good=False)


def dispute(screen: Screen, cast: Cast, staged: Staged) -> str:
    screen.act("A trader objects")
    screen.say(
        "Borealis counts 77,400 USDC and not 78,000. While the dispute window is open it may say so, signed:"
    )
    borealis = cast.traders[BOREALIS]
    fields = {
        "connectionId": borealis.connection_id,
        "reason": "a fee of 600 USDC was charged twice",
        "expectedTransfers": _base_units(cast, WHAT_BOREALIS_EXPECTS),
    }
    path = borealis.path(f"/clients/settlements/{staged.id}/disputes")
    made: Json = borealis.signed("POST", path, fields).body["dispute"]
    screen.call(BOREALIS, "POST …/disputes", "200, only its own part of the settlement is disputed")
    return str(made["id"])


def run_first_course(screen: Screen, cast: Cast, staged: Staged) -> None:
    screen.act("The windows end by themselves, and the rest settles")
    screen.say(
        "Without Borealis's 78,000 USDC the exchange must pay Aster out of its own account, and is short. "
        "It has the top-up window to bring the difference."
    )

    def top_up() -> None:
        for gap in _shortfalls(cast, staged):
            lacking = cast.amounts.shown(gap["shortfall"], gap["currency"])
            screen.call(
                "Clearwindow", "settlement.top_up_required", f"the exchange is short of {lacking}", good=False
            )
        cast.deposit(cast.exchange, "30000", USDC, "top-up for day-1")
        screen.call(ADA, "POST …/deposits for the exchange", "30,000 USDC arrived")

    if follow(cast.ada, screen, staged, {"top_up_window": top_up}) != "completed":
        raise DemoError("the first settlement did not complete, although the exchange was topped up")
    screen.say("Aster and Cobalt are settled. What Borealis disputes stays held, for neither side to spend:")
    books.show_holds(cast, screen)


def close_dispute(screen: Screen, cast: Cast, dispute_id: str) -> None:
    screen.act("The dispute is closed, by two people")
    screen.say("Ada looked into it: Borealis is right. She closes the dispute with adjusted transfers.")
    fields = {
        "adjustedTransfers": _base_units(cast, WHAT_BOREALIS_EXPECTS),
        "notes": "the fee was charged twice",
    }
    answer = cast.ada.post(f"{OPERATOR_API}/disputes/{dispute_id}/close", fields)
    closure = answer.body["disputeClosure"]
    amounts = ", ".join(
        cast.amounts.shown(quantity, currency, signed=True)
        for currency, quantity in closure["adjustedTransfers"].items()
    )
    screen.call(ADA, "POST …/close", f"200 {closure['status']}: {amounts}")
    path = f"{OPERATOR_API}/dispute-closures/{closure['id']}/review"
    refused = cast.ada.post(path, {"decision": "approved"}, expect=HTTPStatus.FORBIDDEN)
    screen.call(ADA, "POST …/review of her own work", f"403 {refused.body['name']}", good=False)
    screen.quote(refused.body["error"])
    reviewed = cast.ben.post(path, {"decision": "approved", "notes": "checked against the fee table"})
    screen.call(BEN, "POST …/review", f"200 {reviewed.body['disputeClosure']['status']}")


def settle_dispute(screen: Screen, cast: Cast, dispute_id: str) -> None:
    screen.act("The next settlement carries the closed dispute out")
    screen.say(
        "Day two. Borealis did not trade, yet its adjusted transfers join this settlement: they run with it or "
        "not at all. (The windows are shortened first, so that you wait less: staged ones keep their deadlines.)"
    )
    path = f"{OPERATOR_API}/partners/{cast.partner_id}"
    cast.ada.send(request("PATCH", path, SHORTER))
    _show_amounts(screen, SECOND_DAY)
    answer = cast.exchange.caller.send(settlement_request(cast, "day-2", SECOND_DAY))
    settlement = answer.body["settlement"]
    taken = [each for each in settlement["settlingDisputes"] if each["id"] == dispute_id]
    if not taken or taken[0]["settledInSettlementId"] != settlement["id"]:
        raise DemoError(f"the settlement did not take the closed dispute:\n{answer.body}")
    screen.call(EXCHANGE, "POST /api/network/v2/…/settlements", f"200 {settlement['status']}, staged")
    screen.call("", "settlingDisputes", "Borealis's; its settledInSettlementId is this one, for good")
    staged = Staged(settlement["id"], "day-2")
    if follow(cast.ada, screen, staged) != "completed":
        raise DemoError("the second settlement did not complete")


def fail_and_mend(screen: Screen, cast: Cast) -> None:
    screen.act("A settlement that the exchange cannot pay waits for it")
    screen.say("Day three: Cobalt wins 95,000 USDC. The exchange tops nothing up. All or none, so none:")
    answer = cast.exchange.caller.send(settlement_request(cast, "day-3", THIRD_DAY))
    staged = Staged(answer.body["settlement"]["id"], "day-3")
    screen.call(EXCHANGE, "POST /api/network/v2/…/settlements", "200 pending, staged")
    if follow(cast.ada, screen, staged) != "failed":
        raise DemoError("the third settlement completed, although the exchange could not pay it")
    for gap in _shortfalls(cast, staged):
        needs, has = (cast.amounts.shown(gap[field], gap["currency"]) for field in ("needed", "available"))
        screen.quote(f"the exchange needs {needs} and has {has}")
    screen.say("Failed is not the end. Money comes in, and the settlement tries again by itself:")
    cast.deposit(cast.exchange, "10000", USDC, "late funds for day-3")
    screen.call(ADA, "POST …/deposits for the exchange", "10,000 USDC arrived")
    await_stage(cast.ada, staged, "completed")
    screen.call("Clearwindow", "settlement.completed", "Cobalt has its 95,000 USDC")


def settlement_request(cast: Cast, name: str, amounts: Amounts) -> Request:
    fields = {
        "externalId": name,
        "cutoffAt": _CUTOFF,
        "settlementAmounts": {cast.traders[who].connection_id: dict(by) for who, by in amounts.items()},
    }
    return signed_request(cast.exchange.key, "POST", cast.exchange.path("/partners/settlements", 2), fields)


def _show_amounts(screen: Screen, amounts: Amounts) -> None:
    rows = [
        (who, *(f"{Decimal(by[name]):+,}" if name in by else "" for name in PARTNER_NAMES))
        for who, by in amounts.items()
    ]
    screen.table(("the exchange says", *PARTNER_NAMES), rows)
    screen.gap()


def _shortfalls(cast: Cast, staged: Staged) -> list[Json]:
    """What the exchange was last told that it is short of."""
    address = f"{OPERATOR_API}/events?subjectId={staged.id}&types=settlement.top_up_required&pageSize=1"
    events = cast.ada.get(address)["events"]
    found: list[Json] = events[0]["payload"]["shortfalls"] if events else []
    if not found:
        raise DemoError(f"nobody was told that settlement {staged.name} lacks money")
    return found


def _base_units(cast: Cast, amounts: Mapping[str, str]) -> dict[str, str]:
    return {currency: str(cast.amounts.base_units(text, currency)) for currency, text in amounts.items()}


def _name_of(cast: Cast, connection_id: str) -> str:
    return next(each.name for each in cast.traders.values() if each.connection_id == connection_id)


def _seconds(window: str) -> str:
    return f"{WINDOWS[window] * _MINUTE_SECONDS:g} s"
