"""What a text to sign means, in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from markupsafe import Markup

from clearwindow.console.texts import Amounts
from clearwindow.signing.models import Operation

MEANINGS: Final[Mapping[Operation, str]] = {
    Operation.ALLOCATION: "Move money from your Go Account to a connection. The exchange may settle against it.",
    Operation.DEALLOCATION: "Take money back from a connection to your Go Account.",
    Operation.DISPUTE_RAISE: (
        "Dispute what a settlement does on one connection. Nothing of it moves there until the dispute is closed."
    ),
    Operation.DISPUTE_UPDATE: "Change a dispute of yours.",
    Operation.DISPUTE_CLOSE: "Give a dispute up: the settlement's own transfers run after all.",
    Operation.SETTLEMENT_STAGE: (
        "Stage a settlement. Its clients may dispute it until the window ends; then it moves their money."
    ),
    Operation.SETTLEMENT_WITHDRAW: "Take a settlement of yours back. None of its own transfers runs.",
    Operation.ALLOCATION_DECIDE: "Decide about money that a client wants to move to you.",
    Operation.DEALLOCATION_DECIDE: "Decide about money that a client wants to take back from you.",
    Operation.CONNECTION_UPDATE: "Change a connection of yours.",
    Operation.LOSS_LIMITS_CHANGE: "Set how much settlements may take from a connection.",
    Operation.WEBHOOK_ENDPOINT_CREATE: "Have events of your enterprise posted to an address.",
    Operation.WEBHOOK_ENDPOINT_UPDATE: "Change an address that gets events of your enterprise.",
    Operation.WEBHOOK_ENDPOINT_DELETE: "Remove an address that gets events of your enterprise.",
    Operation.WEBHOOK_ENDPOINT_ROTATE_SECRET: "Replace the secret that signs the messages to an address.",
}
"""One sentence for each operation that the console has a page for."""

_LABELS: Final[Mapping[str, str]] = {
    "active": "New settlements and allocations",
    "clientExternalId": "Your reference",
    "connectionId": "Connection",
    "disputeId": "Dispute",
    "endpointId": "Endpoint",
    "settlementId": "Settlement",
    "enterpriseId": "For",
    "url": "Address",
    "allocationId": "Allocation",
    "clientId": "Client",
    "cutoffAt": "Trades up to",
    "deallocationId": "Deallocation",
    "externalId": "Your id of it",
    "partnersAllocationId": "Your id of it",
    "partnersClientId": "Your id of the client",
    "partnersConnectionId": "Your id of the connection",
    "partnersDeallocationId": "Your id of it",
    "rejectReason": "Reason",
    "status": "It is",
}
_BASE_UNITS: Final = re.compile(r"-?[0-9]{1,78}")
"""As long as any amount can be: Python refuses to read much longer numbers."""
_SHOWN_CONNECTIONS: Final = 20
_NOT_TOLD: Final = frozenset({"nonce"})


class Fact(NamedTuple):
    label: str
    value: str | Markup


def facts_of(operation: Operation, fields: Mapping[str, Any], amounts: Amounts) -> list[Fact]:
    """Returns every field of a signed request in words. Nothing that is signed is left out but the nonce.

    Of a long settlement, it has the first connections and says how many more the text has.
    """
    return [Fact("It means", MEANINGS.get(operation, operation.value)), *_facts(fields, amounts)]


def _facts(fields: Mapping[str, Any], amounts: Amounts) -> Iterator[Fact]:
    for name, value in fields.items():
        if name == "amount" and _is_amount(value):
            yield Fact("Amount", _amount(amounts, value["quantity"], value["currency"]))
        elif name == "expectedTransfers" and isinstance(value, dict):
            yield from _expected(value, amounts)
        elif name == "settlementAmounts" and isinstance(value, dict):
            yield from _amounts(value)
        elif name == "lossLimits" and isinstance(value, dict):
            yield from _limits(value, amounts)
        elif name == "active" and isinstance(value, bool):
            yield Fact(_LABELS[name], "allowed" if value else "none until you allow them again")
        elif name == "retracted" and isinstance(value, bool):
            yield Fact("It is", "retracted: the settlement's own transfers stand" if value else "in force again")
        elif name not in _NOT_TOLD:
            yield Fact(_LABELS.get(name, _spaced(name)), _plain(value))


def _expected(value: Mapping[str, Any], amounts: Amounts) -> Iterator[Fact]:
    if not value:
        yield Fact("You expect", "that nothing moves")
    for currency, quantity in value.items():
        yield Fact("You expect", _amount(amounts, quantity, currency, signed=True))


def _amounts(value: Mapping[str, Any]) -> Iterator[Fact]:
    """Gives the amounts of a settlement as they are signed, in the exchange's names and unit."""
    for number, (connection_id, given) in enumerate(value.items()):
        if number == _SHOWN_CONNECTIONS:
            left = len(value) - _SHOWN_CONNECTIONS
            yield Fact("And", f"{left} more connections, which are in the text alone")
            return
        yield Fact(f"On {connection_id}", _plain_amounts(given))


def _plain_amounts(given: Any) -> str:  # noqa: ANN401 - any JSON value
    if not isinstance(given, dict):
        return _plain(given)
    return ", ".join(
        "; ".join(f"to {name}: {_plain(quantity)} {currency}" for currency, quantity in amount.items())
        if isinstance(amount, dict)
        else f"{_plain(amount)} {name}"
        for name, amount in given.items()
    )


def _limits(value: Mapping[str, Any], amounts: Amounts) -> Iterator[Fact]:
    for currency, limits in value.items():
        given = limits if isinstance(limits, dict) else {}
        for label, name in (("one settlement takes", "perSettlement"), ("one day takes", "perDay")):
            quantity = given.get(name)
            most = "any amount" if quantity is None else _amount(amounts, quantity, currency)
            yield Fact(f"At most {label}", Markup("{}: {}").format(currency, most))


def _is_amount(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, dict) and value.keys() == {"currency", "quantity"}


def _amount(amounts: Amounts, quantity: Any, currency: Any, *, signed: bool = False) -> str | Markup:  # noqa: ANN401 - any JSON values
    # A text may come back from the browser with anything in it, and is shown with the reason why it is refused.
    if isinstance(quantity, str) and isinstance(currency, str) and _BASE_UNITS.fullmatch(quantity):
        return amounts(quantity, currency, signed=signed)
    return f"{_plain(quantity)} {_plain(currency)}"


def _plain(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)


def _spaced(name: str) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return words[:1].upper() + words[1:]
