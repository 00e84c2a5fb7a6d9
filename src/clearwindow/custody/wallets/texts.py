"""Which operation of the network a text is for, and which amounts it moves. Pure. Protocol §3, §11.

A custodian's key signs nothing else. A text that names its ``operation`` is taken at its word, and must have that
operation's form; every other text is recognised by its form alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from clearwindow.core.errors import PermissionDeniedError, UnprocessableError
from clearwindow.core.money import POSITIVE_BASE_UNITS, SIGNED_DECIMAL
from clearwindow.core.strict_json import JsonValue, quote
from clearwindow.custody.wallets.models import KnownText, Names, TextAmount
from clearwindow.signing.models import Operation

Document = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class _Form:
    """The fields that a text must have, and those that it may have beside them.

    ``named``: whether the form says too little by itself, so that the text must name its operation.
    """

    needed: frozenset[str]
    optional: frozenset[str] = frozenset()
    named: bool = False


def _form(*needed: str, optional: tuple[str, ...] = (), named: bool = False) -> _Form:
    return _Form(frozenset(needed), frozenset(optional), named)


_INTENT: Final = frozenset({"operation", "enterpriseId", "amountUnit", "expiresAt"})
"""What any text may have. Protocol §11."""

_DECISION: Final = (
    "amount",
    "clientId",
    "connectionId",
    "partnersClientId",
    "partnersConnectionId",
    "status",
    "nonce",
)
_DECISION_OPTIONS: Final = ("evaluationId", "pendingApprovalId", "policyResult", "rejectReason")
_ALLOCATION: Final = _form("amount", "clientExternalId", "nonce", optional=("notes", "connectionId"))
_THRESHOLDS: Final = _form("thresholds", "nonce", named=True)
_SETTLEMENT: Final = _form("externalId", "settlementAmounts", "nonce", optional=("notes", "cutoffAt"))

FORMS: Final[Mapping[str, _Form]] = {
    Operation.SETTLEMENT_STAGE: _form("externalId", "settlementAmounts", "cutoffAt", "nonce", optional=("notes",)),
    Operation.SETTLEMENT_IMMEDIATE: _SETTLEMENT,
    Operation.SETTLEMENT_ONCHAIN: _form("externalId", "settlementAmounts", "nonce", optional=("notes",)),
    Operation.SETTLEMENT_DEPOSITS: _form("externalSettlementId", "deposits", optional=("settlementId",)),
    Operation.SETTLEMENT_WITHDRAW: _form("reason", "nonce", optional=("settlementId",), named=True),
    Operation.ALLOCATION: _ALLOCATION,
    Operation.DEALLOCATION: _ALLOCATION,
    Operation.ALLOCATION_DECIDE: _form(
        *_DECISION, "allocationId", "partnersAllocationId", optional=_DECISION_OPTIONS
    ),
    Operation.DEALLOCATION_DECIDE: _form(
        *_DECISION, "deallocationId", "partnersDeallocationId", optional=_DECISION_OPTIONS
    ),
    Operation.CONNECTION_CREATE: _form("partnerId", "name", "connectionKey", "nonce"),
    Operation.DISPUTE_RAISE: _form(
        "connectionId", "expectedTransfers", "nonce", optional=("reason", "settlementId")
    ),
    Operation.DISPUTE_UPDATE: _form(
        "connectionId",
        "retracted",
        "nonce",
        optional=("reason", "expectedTransfers", "disputeId", "settlementId"),
    ),
    Operation.DISPUTE_CLOSE: _form("notes", "nonce", optional=("disputeId", "settlementId")),
    Operation.ACCOUNT_REQUIRE_INTENT: _form("nonce", optional=("goAccountId", "requireIntent"), named=True),
    Operation.CONNECTION_UPDATE: _form("nonce", optional=("connectionId", "active", "name"), named=True),
    Operation.LOSS_LIMITS_CHANGE: _form("lossLimits", "nonce", optional=("connectionId",), named=True),
    Operation.APPROVAL_THRESHOLDS_CHANGE: _THRESHOLDS,
    Operation.DAILY_APPROVAL_THRESHOLDS_CHANGE: _THRESHOLDS,
    Operation.CUSTODIAN_LIMITS_CHANGE: _THRESHOLDS,
    Operation.STANDING_TOP_UP_CREATE: _form(
        "currency", "perSettlement", "nonce", optional=("goAccountId",), named=True
    ),
    Operation.WEBHOOK_ENDPOINT_CREATE: _form("url", "nonce", optional=("eventTypes", "description"), named=True),
    Operation.WEBHOOK_ENDPOINT_UPDATE: _form(
        "nonce", optional=("endpointId", "url", "eventTypes", "description", "enabled"), named=True
    ),
    Operation.WEBHOOK_ENDPOINT_DELETE: _form("nonce", optional=("endpointId",), named=True),
    Operation.WEBHOOK_ENDPOINT_ROTATE_SECRET: _form("nonce", optional=("endpointId",), named=True),
}
"""The form of every operation's text, by the operation's name."""

_MOVES_OURS: Final = frozenset({Operation.ALLOCATION, Operation.DEALLOCATION})
_SETTLES: Final = frozenset(
    {Operation.SETTLEMENT_STAGE, Operation.SETTLEMENT_IMMEDIATE, Operation.SETTLEMENT_ONCHAIN}
)


def recognise(document: Document, enterprise_id: str) -> KnownText:
    """Returns the operations that a text may be for, and the amounts that it moves.

    Args:
        document: the text, parsed.
        enterprise_id: whose key would sign it.

    Raises:
        UnprocessableError: it is the text of no operation of the network.
        PermissionDeniedError: it names another enterprise.
    """
    operations = _named(document) if "operation" in document else _by_form(document)
    if document.get("enterpriseId", enterprise_id) != enterprise_id:
        raise PermissionDeniedError(
            "payload_of_another_enterprise", "payload: enterpriseId is not the enterprise that owns the wallet"
        )
    return KnownText(operations, tuple(_amounts(document, operations)))


def _named(document: Document) -> tuple[str, ...]:
    named = document["operation"]
    form = FORMS.get(named) if isinstance(named, str) else None
    if form is None or not isinstance(named, str):
        raise _unknown("its operation is none of the network's")
    fields = _fields(document)
    if missing := sorted(form.needed - fields):
        raise _unknown(f"a text for {named} needs {missing[0]}")
    if more := sorted(fields - form.needed - form.optional):
        raise _unknown(f"a text for {named} has no {quote(more[0])}")
    return (str(named),)


def _by_form(document: Document) -> tuple[str, ...]:
    fields = _fields(document)
    fitting = tuple(
        str(name)
        for name, form in FORMS.items()
        if not form.named and form.needed <= fields <= form.needed | form.optional
    )
    if not fitting:
        raise _unknown("its fields are those of no operation")
    return fitting


def _fields(document: Document) -> frozenset[str]:
    return frozenset(document) - _INTENT


def _amounts(document: Document, operations: tuple[str, ...]) -> Iterator[TextAmount]:
    if _MOVES_OURS & set(operations):
        amount = document["amount"]
        given = amount if isinstance(amount, dict) and amount.keys() == {"currency", "quantity"} else {}
        currency, quantity = given.get("currency"), given.get("quantity")
        if not isinstance(currency, str) or not _is(quantity, POSITIVE_BASE_UNITS):
            raise _unknown("amount must have a currency, and a quantity in base units")
        yield TextAmount(Names.OURS, currency, str(quantity))
    if Operation.STANDING_TOP_UP_CREATE in operations:
        currency, quantity = document["currency"], document["perSettlement"]
        if not isinstance(currency, str) or not _is(quantity, POSITIVE_BASE_UNITS):
            raise _unknown("it must have a currency, and perSettlement in base units")
        yield TextAmount(Names.OURS, currency, str(quantity))
    if _SETTLES & set(operations):
        # Without a name, a text of base units could be staged as one of decimals: the larger reading counts.
        onchain = operations == (Operation.SETTLEMENT_ONCHAIN,)
        names = Names.PARTNERS_IN_BASE_UNITS if onchain else Names.PARTNERS
        for currency, quantity in _settled(document["settlementAmounts"], levels=3):
            yield TextAmount(names, currency, quantity.lstrip("-"))


def _settled(given: JsonValue, levels: int) -> Iterator[tuple[str, str]]:
    """Yields the amounts of a settlement, flat or between two connections."""
    if not isinstance(given, dict) or not levels:
        raise _unknown("settlementAmounts must be {connectionId: {currency: amount}}")
    for name, value in given.items():
        if isinstance(value, dict):
            yield from _settled(value, levels - 1)
        elif _is(value, SIGNED_DECIMAL):
            yield name, str(value)
        else:
            raise _unknown("settlementAmounts must have amounts as decimal texts")


def _is(value: JsonValue, pattern: str) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _unknown(why: str) -> UnprocessableError:
    return UnprocessableError(
        "payload_of_no_operation",
        f"payload: {why}. A custodian's key signs only the texts of the network's operations: have the operation's"
        " signing helper write the text",
    )
