"""Checks of amounts and bodies that are unusual and right, of those that are wrong, of time and of form."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from clearwindow.allocations.values import Clear, Release
from clearwindow.conformance import steps
from clearwindow.conformance.allocating import LEVEL
from clearwindow.conformance.connecting import CONNECTED
from clearwindow.conformance.network import Network
from clearwindow.conformance.steps import ALLOCATION, DEALLOCATION
from clearwindow.conformance.values import CheckFailedError, Group, Level, NotApplicableError
from clearwindow.money import AmountUnit
from clearwindow.partnercalls.values import Operation, Refused

robustness: Final = Group("robustness", "Robustness", "§1, §8")
form: Final = Group("form", "Time and form", "§8")
_EXACTLY: Final = (
    "Read amounts as texts into decimals or integers, never into floating point, and keep all digits; refuse "
    "what is finer or "
    "larger than you can keep."
)
_LARGE: Final = Decimal("12345678901234567890.12345678")
_FINE: Final = Decimal("1.000000000000000001")


@robustness.check(
    "unknown-fields",
    "Fields that you do not know are ignored",
    "Take what you know and leave the rest: later versions add fields.",
    needs=(*CONNECTED, "allocations.accepted"),
)
def unknown_fields(network: Network) -> None:
    asked = steps.ask(network, ALLOCATION, changed={"addedLater": {"nested": [1, "two", None]}})
    steps.require_yes(asked)
    steps.call_off(network, asked)


@robustness.check(
    "large", "A large amount is kept exactly, or refused", _EXACTLY, needs=LEVEL, moves_funds=True, aside=True
)
def large(network: Network) -> None:
    in_base_units = network.terms.unit is AmountUnit.BASE
    amount = _LARGE.to_integral_value() if in_base_units else _LARGE
    _require_exact(network, amount, Decimal(1) if in_base_units else Decimal("0.00000001"))


@robustness.check(
    "fine",
    "An amount with 18 decimals is kept exactly, or refused",
    _EXACTLY,
    needs=LEVEL,
    moves_funds=True,
    aside=True,
)
def fine(network: Network) -> None:
    if network.terms.unit is AmountUnit.BASE:
        raise NotApplicableError("amounts in base units have no decimals")
    _require_exact(network, _FINE, Decimal("0.000000000000000001"))


@robustness.check(
    "negative",
    "An amount below zero is refused",
    "Refuse amounts that are not above zero; an allocation of less than nothing is a deallocation that nobody "
    "checked.",
    needs=(*CONNECTED, "allocations.accepted"),
    at_once=True,
    level=Level.SHOULD,
)
def negative(network: Network) -> None:
    asked = steps.ask(network, ALLOCATION, -network.terms.quantity)
    if isinstance(asked.verdict, Clear):
        steps.call_off(network, asked)
    if not isinstance(asked.verdict, Release):
        raise CheckFailedError(asked.said, steps.A_NO, asked.call)


@robustness.check(
    "malformed",
    "A body that is not JSON is refused",
    "Answer 400; an error of your server says that something broke on your side.",
    needs=(*CONNECTED, "allocations.accepted"),
    level=Level.SHOULD,
)
def malformed(network: Network) -> None:
    for raw in (b'{"allocationId":', b"[]", b"null"):
        call, answer = network.call(Operation.ALLOCATION, network.new_id(), raw)
        if not isinstance(answer, Refused):
            raise CheckFailedError(steps.took(answer), "4xx", call)


@form.check(
    "content-type",
    "Answers say that they are JSON",
    "Send Content-Type: application/json with what is JSON.",
    needs=CONNECTED[:1],
    level=Level.SHOULD,
)
def content_type(network: Network) -> None:
    call = network.connection.call
    said = call.content_type.partition(";")[0].strip().lower()
    if said != "application/json":
        raise CheckFailedError(f"Content-Type is {said[:80] or 'missing'}", "application/json", call)


@form.check(
    "in-time",
    "Every call of this run was answered in time",
    "Answer within ten seconds, from the name's lookup to the last byte, and with 64 KiB at most; a client waits "
    "meanwhile.",
)
def in_time(network: Network) -> None:
    silent = [call for call in network.calls if call.status is None]
    if silent:
        raise CheckFailedError(
            f"{len(silent)} of {len(network.calls)} calls got no answer; the first: {silent[0].silence}",
            f"an HTTP answer within {network.terms.timeout_seconds:g} seconds",
            silent[0],
        )


@form.check(
    "promptly",
    "Every call of this run was answered promptly",
    "Answer within two seconds: a client waits for allocations, and what takes longer is at the mercy of a slow "
    "moment.",
    level=Level.SHOULD,
)
def promptly(network: Network) -> None:
    slowest = max(
        (call for call in network.calls if call.status is not None), key=lambda c: c.seconds, default=None
    )
    if slowest is not None and slowest.seconds > network.terms.prompt_seconds:
        raise CheckFailedError(
            f"the slowest took {slowest.seconds:.1f} s", f"{network.terms.prompt_seconds:g} s at most", slowest
        )


def _require_exact(network: Network, quantity: Decimal, tick: Decimal) -> None:
    """Granted and kept to the last digit, or refused: anything between is money that nobody can account for."""
    asked = steps.ask(network, ALLOCATION, quantity)
    if isinstance(asked.verdict, Release):
        return
    try:
        steps.require_yes(asked)
    except CheckFailedError:
        steps.call_off(network, asked)
        raise
    steps.clear(network, asked)
    more = steps.plus(quantity, tick)
    steps.refuse(
        network, DEALLOCATION, more, why=f"a deallocation of {steps.in_words(tick)} more than was allocated: "
    )
    steps.move(network, DEALLOCATION, quantity, why="a deallocation of exactly what was allocated: ")
