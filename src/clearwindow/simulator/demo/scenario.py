"""The steps of the demo. Every step is an HTTP request, as real participants would send it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Final

from clearwindow.signing.models import Operation
from clearwindow.simulator.demo import balances
from clearwindow.simulator.demo.amounts import ticker
from clearwindow.simulator.demo.calls import (
    OPERATOR_API,
    Answer,
    Caller,
    DemoError,
    Json,
    Request,
    request,
    signed_request,
)
from clearwindow.simulator.demo.participants import (
    BTC,
    USDC,
    Participants,
    Trader,
    connect,
    known_amounts,
    new_operator,
    open_exchange,
    open_trader,
)
from clearwindow.simulator.demo.settlements import Staged, await_stage, follow
from clearwindow.simulator.network.plan import Windows
from clearwindow.simulator.screen import Screen

ADA: Final = "Operator Ada"
BEN: Final = "Operator Ben"
ASTER: Final = "Aster Capital"
BOREALIS: Final = "Borealis Fund"
COBALT: Final = "Cobalt Trading"
EXCHANGE: Final = "Meridian X"

WINDOWS: Final = Windows(dispute_minutes=0.1, top_up_minutes=0.06)
SHORTER_WINDOWS: Final = {"clientDisputeWindowMinutes": 0.03, "topUpWindowMinutes": 0.03}
_MINUTE_SECONDS: Final = 60

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
BOREALIS_EXPECTED: Final = {BTC: "1.2", USDC: "-77400"}

PARTNER_NAMES: Final = ("BTC", "USDC")
Amounts = Mapping[str, Mapping[str, str]]


def set_up(screen: Screen, starter: Caller, base_url: str) -> Participants:
    screen.section("Participants join an empty network")
    screen.say(
        "Two operators run the network. An exchange and three trading firms join. Each keeps its money in custody "
        "in a Go Account. Each creates its own key; the server gets only the public half."
    )
    ada, ben = (new_operator(starter, base_url, name) for name in ("Ada", "Ben"))
    screen.call("First operator", "POST /operators, …/tokens", "operators Ada and Ben, each with a token")
    traders = {name: open_trader(ada, name) for name in (ASTER, BOREALIS, COBALT)}
    exchange, partner_id = open_exchange(ada, EXCHANGE, WINDOWS)
    screen.call(ADA, "POST /enterprises, …/users, …/tokens, …/go-accounts", "4 enterprises, licensed")
    participants = Participants(ada, ben, exchange, partner_id, traders, known_amounts(ada))
    screen.call(
        EXCHANGE,
        "POST …/partners",
        f"dispute window {_seconds(WINDOWS.dispute_minutes)}, top-up window "
        f"{_seconds(WINDOWS.top_up_minutes)} (usually hours)",
    )
    for name, text, currency in DEPOSITS:
        member = exchange if name == EXCHANGE else traders[name]
        participants.deposit(member, text, currency, f"opening {currency}")
    screen.call(ADA, f"POST …/deposits, {len(DEPOSITS)} times", "the ledger has the money that came into custody")
    return participants


def allocate_funds(screen: Screen, participants: Participants) -> None:
    screen.section("Traders allocate: the exchange can rely on the money but never holds it")
    screen.say("Each trader connects to the exchange and allocates funds. Its own key signs these requests.")
    for trader in participants.traders.values():
        connect(trader, participants.partner_id)
    screen.call("Three traders", "POST …/clients/connections", "connected; the signatures are valid")
    for name, text, currency in ALLOCATIONS:
        _allocate(screen, participants, participants.traders[name], text, currency)


def _allocate(screen: Screen, participants: Participants, trader: Trader, text: str, currency: str) -> None:
    quantity = participants.amounts.base_units(text, currency)
    answer = trader.move("allocations", quantity, currency, f"allocation of {text} {currency}")
    status = answer.body["allocation"]["status"]
    screen.call(trader.name, f"allocates {participants.amounts.shown(quantity, currency)}", status)


def reject_uncovered_settlement(screen: Screen, participants: Participants) -> tuple[Staged, Request, Answer]:
    screen.section("A settlement that is not covered is rejected as a whole")
    screen.say(
        "The trading day is over. The exchange sends one signed settlement with each trader's gains and losses. "
        "Borealis owes 78,000 USDC but has allocated only 60,000. Nothing is written, and the answer says why."
    )
    _show_amounts(screen, FIRST_DAY)
    staging_request = settlement_request(participants, "day-1", FIRST_DAY)
    refused = participants.exchange.caller.send(staging_request, expect=HTTPStatus.UNPROCESSABLE_ENTITY)
    screen.call(EXCHANGE, "POST /api/network/v2/…/settlements", f"422 {refused.body['name']}", good=False)
    for short in refused.body["details"]["shortfalls"]:
        name = _name_of(participants, short["connectionId"])
        owes, has, lacks = (
            participants.amounts.number(short[field], short["currency"])
            for field in ("liability", "available", "shortfall")
        )
        unit = ticker(short["currency"])
        screen.quote(f"{name}: liability {owes}, available {has}, shortfall {lacks} {unit}")
    screen.say("Borealis allocates more. The same request, with the same bytes and the same nonce, now succeeds:")
    _allocate(screen, participants, participants.traders[BOREALIS], "20000", USDC)
    answer = participants.exchange.caller.send(staging_request)
    settlement = answer.body["settlement"]
    screen.call(EXCHANGE, "POST /api/network/v2/…/settlements", f"200 {settlement['status']}, staged")
    return Staged(settlement["id"], "day-1"), staging_request, answer


def repeat_request_and_show_holds(
    screen: Screen, participants: Participants, staging_request: Request, first: Answer
) -> None:
    screen.section("A repeated request stages nothing twice, and possible losses are held")
    screen.say("Answers can get lost. The exchange may repeat a request at any time, with the same bytes:")
    again = participants.exchange.caller.send(staging_request)
    if again.raw != first.raw or again.headers.get("Idempotent-Replayed") != "true":
        raise DemoError(f"the repeated request got a different answer:\n{again.raw!r}")
    screen.call(EXCHANGE, "the same request again", "200, the same answer, Idempotent-Replayed: true")
    screen.say("Each trader's possible loss is held until the settlement ends:")
    balances.show_holds(participants, screen)
    screen.say("Aster tries to deallocate 1 BTC, which is more than it has available:")
    one = participants.amounts.base_units("1", BTC)
    aster = participants.traders[ASTER]
    path = aster.path(f"/clients/connections/{aster.connection_id}/deallocations")
    fields = {"amount": {"currency": BTC, "quantity": str(one)}, "clientExternalId": "too early"}
    purpose = aster.purpose(Operation.DEALLOCATION, connectionId=aster.connection_id)
    refused = aster.caller.send(
        signed_request(aster.key, "POST", path, fields, purpose), expect=HTTPStatus.UNPROCESSABLE_ENTITY
    )
    screen.call(ASTER, "deallocates 1 BTC", f"422 {refused.body['name']}", good=False)


def dispute(screen: Screen, participants: Participants, staged: Staged) -> str:
    screen.section("A trader disputes its amounts")
    screen.say(
        "Borealis expects to pay 77,400 USDC, not 78,000. It may dispute, with a signed request, while the "
        "dispute window is open:"
    )
    borealis = participants.traders[BOREALIS]
    fields = {
        "connectionId": borealis.connection_id,
        "reason": "a fee of 600 USDC was charged twice",
        "expectedTransfers": _base_units(participants, BOREALIS_EXPECTED),
    }
    path = borealis.path(f"/clients/settlements/{staged.id}/disputes")
    purpose = borealis.purpose(Operation.DISPUTE_RAISE, settlementId=staged.id)
    made: Json = borealis.signed("POST", path, fields, purpose).body["dispute"]
    screen.call(BOREALIS, "POST …/disputes", "200, only its own amounts are disputed")
    return str(made["id"])


def settle_undisputed_part(screen: Screen, participants: Participants, staged: Staged) -> None:
    screen.section("The windows end, and the undisputed part settles")
    screen.say(
        "Without Borealis's 78,000 USDC the exchange must pay Aster from its own account, which has too little. "
        "It has until the end of the top-up window to add the difference."
    )

    def top_up() -> None:
        for gap in _shortfalls(participants, staged):
            lacking = participants.amounts.shown(gap["shortfall"], gap["currency"])
            screen.call(
                "Clearwindow", "settlement.top_up_required", f"the exchange is short of {lacking}", good=False
            )
        participants.deposit(participants.exchange, "30000", USDC, "top-up for day-1")
        screen.call(ADA, "POST …/deposits for the exchange", "30,000 USDC arrived")

    if follow(participants.ada, screen, staged, {"top_up_window": top_up}) != "completed":
        raise DemoError("the first settlement did not complete although the exchange was topped up")
    screen.say(
        "Aster and Cobalt are settled. The disputed amount of Borealis stays held until the dispute is settled:"
    )
    balances.show_holds(participants, screen)


def close_dispute(screen: Screen, participants: Participants, dispute_id: str) -> None:
    screen.section("Two operators close the dispute")
    screen.say(
        "Ada finds that Borealis is right. She closes the dispute with adjusted transfers. Ben must review it."
    )
    fields = {
        "adjustedTransfers": _base_units(participants, BOREALIS_EXPECTED),
        "notes": "the fee was charged twice",
    }
    answer = participants.ada.post(f"{OPERATOR_API}/disputes/{dispute_id}/close", fields)
    closure = answer.body["disputeClosure"]
    amounts = ", ".join(
        participants.amounts.shown(quantity, currency, signed=True)
        for currency, quantity in closure["adjustedTransfers"].items()
    )
    screen.call(ADA, "POST …/close", f"200 {closure['status']}: {amounts}")
    path = f"{OPERATOR_API}/dispute-closures/{closure['id']}/review"
    refused = participants.ada.post(path, {"decision": "approved"}, expect=HTTPStatus.FORBIDDEN)
    screen.call(ADA, "POST …/review of her own work", f"403 {refused.body['name']}", good=False)
    screen.quote(refused.body["error"])
    reviewed = participants.ben.post(path, {"decision": "approved", "notes": "checked against the fee table"})
    screen.call(BEN, "POST …/review", f"200 {reviewed.body['disputeClosure']['status']}")


def settle_dispute(screen: Screen, participants: Participants, dispute_id: str) -> None:
    screen.section("The next settlement includes the adjusted transfers")
    screen.say(
        "Day two. Borealis did not trade, but its adjusted transfers are part of this settlement: they are "
        "executed with it or not at all. (The windows are shortened first to save time. Staged settlements keep "
        "their deadlines.)"
    )
    path = f"{OPERATOR_API}/partners/{participants.partner_id}"
    participants.ada.send(request("PATCH", path, SHORTER_WINDOWS))
    _show_amounts(screen, SECOND_DAY)
    answer = participants.exchange.caller.send(settlement_request(participants, "day-2", SECOND_DAY))
    settlement = answer.body["settlement"]
    taken = [each for each in settlement["settlingDisputes"] if each["id"] == dispute_id]
    if not taken or taken[0]["settledInSettlementId"] != settlement["id"]:
        raise DemoError(f"the settlement does not include the closed dispute:\n{answer.body}")
    screen.call(EXCHANGE, "POST /api/network/v2/…/settlements", f"200 {settlement['status']}, staged")
    screen.call("", "settlingDisputes", "Borealis's dispute; it is settled in this settlement")
    staged = Staged(settlement["id"], "day-2")
    if follow(participants.ada, screen, staged) != "completed":
        raise DemoError("the second settlement did not complete")


def fail_and_complete(screen: Screen, participants: Participants) -> None:
    screen.section("A settlement that the exchange cannot pay is retried")
    screen.say(
        "Day three. Cobalt gains 95,000 USDC. The exchange adds nothing. All transfers are executed or none, so "
        "here none:"
    )
    answer = participants.exchange.caller.send(settlement_request(participants, "day-3", THIRD_DAY))
    staged = Staged(answer.body["settlement"]["id"], "day-3")
    screen.call(EXCHANGE, "POST /api/network/v2/…/settlements", "200 pending, staged")
    if follow(participants.ada, screen, staged) != "failed":
        raise DemoError("the third settlement completed although the exchange could not pay it")
    for gap in _shortfalls(participants, staged):
        needs, has = (participants.amounts.shown(gap[field], gap["currency"]) for field in ("needed", "available"))
        screen.quote(f"the exchange needs {needs} and has {has}")
    screen.say("A failed settlement is not over. When money comes in, Clearwindow tries again:")
    participants.deposit(participants.exchange, "10000", USDC, "late funds for day-3")
    screen.call(ADA, "POST …/deposits for the exchange", "10,000 USDC arrived")
    await_stage(participants.ada, staged, "completed")
    screen.call("Clearwindow", "settlement.completed", "Cobalt has its 95,000 USDC")


def settlement_request(participants: Participants, name: str, amounts: Amounts) -> Request:
    fields = {
        "externalId": name,
        "cutoffAt": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "settlementAmounts": {
            participants.traders[member].connection_id: dict(by) for member, by in amounts.items()
        },
    }
    exchange = participants.exchange
    purpose = exchange.purpose(Operation.SETTLEMENT_STAGE, amount_unit="decimal")
    return signed_request(exchange.key, "POST", exchange.path("/partners/settlements", 2), fields, purpose)


def _show_amounts(screen: Screen, amounts: Amounts) -> None:
    rows = [
        (member, *(f"{Decimal(by[name]):+,}" if name in by else "" for name in PARTNER_NAMES))
        for member, by in amounts.items()
    ]
    screen.table(("amounts sent for", *PARTNER_NAMES), rows)
    screen.blank_line()


def _shortfalls(participants: Participants, staged: Staged) -> list[Json]:
    """Returns the shortfalls in the settlement's last ``settlement.top_up_required`` event.

    Raises:
        DemoError: there is no such event.
    """
    address = f"{OPERATOR_API}/events?subjectId={staged.id}&types=settlement.top_up_required&pageSize=1"
    events = participants.ada.get(address)["events"]
    found: list[Json] = events[0]["payload"]["shortfalls"] if events else []
    if not found:
        raise DemoError(f"settlement {staged.name} has no settlement.top_up_required event")
    return found


def _base_units(participants: Participants, amounts: Mapping[str, str]) -> dict[str, str]:
    return {currency: str(participants.amounts.base_units(text, currency)) for currency, text in amounts.items()}


def _name_of(participants: Participants, connection_id: str) -> str:
    return next(each.name for each in participants.traders.values() if each.connection_id == connection_id)


def _seconds(minutes: float) -> str:
    return f"{minutes * _MINUTE_SECONDS:g} s"
