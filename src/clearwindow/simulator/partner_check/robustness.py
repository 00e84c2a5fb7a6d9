"""Checks of unusual and invalid amounts and bodies, of answer times and of content types."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from clearwindow.allocations.models import Clear, Release
from clearwindow.core.money import AmountUnit
from clearwindow.partner_calls.models import Operation, Refused
from clearwindow.simulator.partner_check import steps
from clearwindow.simulator.partner_check.allocations import BALANCE_CHECKS
from clearwindow.simulator.partner_check.connections import CONNECTED
from clearwindow.simulator.partner_check.models import CheckFailedError, Group, Level, NotApplicableError
from clearwindow.simulator.partner_check.network import Network
from clearwindow.simulator.partner_check.steps import ALLOCATION, DEALLOCATION

robustness: Final = Group("robustness", "Robustness", "§1, §8")
form: Final = Group("form", "Time and form", "§8")
_EXACTLY: Final = (
    "Parse amounts from strings into decimals or integers, never into floating point, and keep all digits. Refuse "
    "amounts with more digits than you can store."
)
_LARGE: Final = Decimal("12345678901234567890.12345678")
_FINE: Final = Decimal("1.000000000000000001")


@robustness.check(
    "unknown-fields",
    "Unknown fields are ignored",
    "Read the fields that you know and ignore the others: later versions add fields.",
    needs=(*CONNECTED, "allocations.accepted"),
)
def unknown_fields(network: Network) -> None:
    request = steps.send(network, ALLOCATION, changed={"addedLater": {"nested": [1, "two", None]}})
    steps.require_acceptance(request)
    steps.cancel(network, request)


@robustness.check(
    "large",
    "A large amount is stored exactly, or refused",
    _EXACTLY,
    needs=BALANCE_CHECKS,
    moves_funds=True,
    own_connection=True,
)
def large(network: Network) -> None:
    in_base_units = network.terms.unit is AmountUnit.BASE
    amount = _LARGE.to_integral_value() if in_base_units else _LARGE
    _require_exact(network, amount, Decimal(1) if in_base_units else Decimal("0.00000001"))


@robustness.check(
    "fine",
    "An amount with 18 decimals is stored exactly, or refused",
    _EXACTLY,
    needs=BALANCE_CHECKS,
    moves_funds=True,
    own_connection=True,
)
def fine(network: Network) -> None:
    if network.terms.unit is AmountUnit.BASE:
        raise NotApplicableError("amounts in base units have no decimals")
    _require_exact(network, _FINE, Decimal("0.000000000000000001"))


@robustness.check(
    "negative",
    "An amount below zero is refused",
    "Refuse amounts that are not above zero. A negative allocation would be a deallocation without its checks.",
    needs=(*CONNECTED, "allocations.accepted"),
    needs_decision=True,
    level=Level.SHOULD,
)
def negative(network: Network) -> None:
    request = steps.send(network, ALLOCATION, -network.terms.quantity)
    if isinstance(request.verdict, Clear):
        steps.cancel(network, request)
    if not isinstance(request.verdict, Release):
        raise CheckFailedError(request.answer_text, steps.REFUSAL, request.call)


@robustness.check(
    "malformed",
    "A body that is not JSON is refused",
    "Answer 400. A 5xx status would mean that your server failed.",
    needs=(*CONNECTED, "allocations.accepted"),
    level=Level.SHOULD,
)
def malformed(network: Network) -> None:
    for raw in (b'{"allocationId":', b"[]", b"null"):
        call, answer = network.call(Operation.ALLOCATION, network.new_id(), raw)
        if not isinstance(answer, Refused):
            raise CheckFailedError(steps.answer_text(answer), "4xx", call)


@form.check(
    "content-type",
    "Answers have the content type of JSON",
    "Send Content-Type: application/json with JSON bodies.",
    needs=CONNECTED[:1],
    level=Level.SHOULD,
)
def content_type(network: Network) -> None:
    call = network.connection.call
    content_type_text = call.content_type.partition(";")[0].strip().lower()
    if content_type_text != "application/json":
        raise CheckFailedError(f"Content-Type is {content_type_text[:80] or 'missing'}", "application/json", call)


@form.check(
    "in-time",
    "Every call of this run was answered in time",
    "Answer within ten seconds, from the DNS lookup to the last byte, with at most 64 KiB. A client waits for it.",
)
def in_time(network: Network) -> None:
    silent = [call for call in network.calls if call.status is None]
    if silent:
        raise CheckFailedError(
            f"{len(silent)} of {len(network.calls)} calls got no answer; the first one: {silent[0].silence}",
            f"an HTTP answer within {network.terms.timeout_seconds:g} seconds",
            silent[0],
        )


@form.check(
    "promptly",
    "Every call of this run was answered within two seconds",
    "Answer within two seconds. A client waits for allocations, and slower answers may exceed the limit of ten "
    "seconds under load.",
    level=Level.SHOULD,
)
def promptly(network: Network) -> None:
    slowest = max(
        (call for call in network.calls if call.status is not None), key=lambda c: c.seconds, default=None
    )
    if slowest is not None and slowest.seconds > network.terms.prompt_seconds:
        raise CheckFailedError(
            f"the slowest answer took {slowest.seconds:.1f} s",
            f"at most {network.terms.prompt_seconds:g} s",
            slowest,
        )


def _require_exact(network: Network, quantity: Decimal, tick: Decimal) -> None:
    """Requires that the amount is stored to the last digit, or refused."""
    request = steps.send(network, ALLOCATION, quantity)
    if isinstance(request.verdict, Release):
        return
    try:
        steps.require_acceptance(request)
    except CheckFailedError:
        steps.cancel(network, request)
        raise
    steps.clear(network, request)
    more = steps.plus(quantity, tick)
    steps.require_refusal(
        network, DEALLOCATION, more, why=f"a deallocation of {steps.amount_text(tick)} more than was allocated: "
    )
    steps.request_and_clear(network, DEALLOCATION, quantity, why="a deallocation of exactly what was allocated: ")
