"""What each event means, who hears of it and what it carries: the one source of the catalogue in the documentation.

Every event that the tests make is held against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from clearwindow.notices.values import OPT_IN, EventType

Fields = dict[str, str]

_CONNECTION: Final[Fields] = {
    "connectionId": "the connection",
    "clientId": "the client that it is of",
    "partnerId": "the partner that it is at",
    "name": "its name",
    "active": "whether it takes allocations",
    "initialized": "whether the partner has taken it up",
}
_AMOUNT: Final = "`{currency, quantity}`: to the client in our names and base units, to the partner in its own"
_ALLOCATION_OPTIONS: Final[Fields] = {"reason": "why it waits, or why it was undone"}
_SETTLEMENT: Final[Fields] = {
    "settlementId": "the settlement",
    "partnerId": "the partner that staged it",
    "externalId": "the partner's own id of it",
    "status": "as in the settlement itself",
}
_SETTLEMENT_OPTIONS: Final[Fields] = {
    "cutoffAt": "what the partner reckoned it up to",
    "disputeDeadlineAt": "until when clients may dispute it, unless it was settled at once",
    "topUpDeadlineAt": "when it executes, if it is covered, unless it was settled at once",
    "connectionIds": "to a client: its own connections in the settlement",
    "finalizedAt": "when it ended",
    "reason": "why it failed or was rejected",
}
_SHORTFALLS: Final = "`[{currency, needed, available, shortfall}]` in our names and base units"
_DISPUTE: Final[Fields] = {
    "disputeId": "the dispute",
    "settlementId": "the settlement that is disputed",
    "connectionId": "the connection on which it is",
}
_ENDPOINT: Final[Fields] = {"webhookEndpointId": "the endpoint", "url": "its address, without a query"}


@dataclass(frozen=True, slots=True)
class Description:
    """``fields`` are always in ``data``, ``options`` where they apply."""

    says: str
    heard_by: str
    fields: Fields
    options: Fields = field(default_factory=dict)


_BOTH: Final = "the client and the partner"
_ALL: Final = "the partner, and each client with a connection in it"


def _movement(kind: str, says: str) -> Description:
    fields = {
        f"{kind}Id": f"the {kind}",
        "connectionId": "the connection",
        "clientId": "the client",
        "partnerId": "the partner",
        "clientExternalId": "the client's own id of it",
        "amount": _AMOUNT,
        "status": "`reserved`, `cleared` or `released`",
    }
    return Description(says, _BOTH, fields, _ALLOCATION_OPTIONS)


def _approval(says: str) -> Description:
    fields = {
        "pendingApprovalId": "the approval",
        "type": "what is to be approved",
        "status": "`pending`, `approved` or `rejected`",
        "currency": "our name of the currency",
        "threshold": "the threshold that it is about, in base units",
        "initiatedBy": "the user who asked",
    }
    options = {
        "allocationId": "the allocation",
        "quantity": "how much, in base units",
        "decidedBy": "the user who decided",
        "notes": "what that user said",
    }
    return Description(says, "the client", fields, options)


def _settlement(says: str, heard_by: str = _ALL, **more: str) -> Description:
    return Description(says, heard_by, _SETTLEMENT | more, _SETTLEMENT_OPTIONS)


CATALOGUE: Final[Mapping[EventType, Description]] = {
    EventType.CONNECTION_CREATED: Description("A client has connected to a partner.", _BOTH, _CONNECTION),
    EventType.CONNECTION_UPDATED: Description("It was renamed, stopped or restarted.", _BOTH, _CONNECTION),
    EventType.ALLOCATION_RESERVED: _movement("allocation", "Funds are held for the partner."),
    EventType.ALLOCATION_CLEARED: _movement("allocation", "The funds lie at the partner."),
    EventType.ALLOCATION_RELEASED: _movement("allocation", "Nothing was allocated; the funds are available again."),
    EventType.DEALLOCATION_RESERVED: _movement("deallocation", "Funds at the partner are held to be taken back."),
    EventType.DEALLOCATION_CLEARED: _movement("deallocation", "The funds are back in the Go Account."),
    EventType.DEALLOCATION_RELEASED: _movement("deallocation", "Nothing was taken back."),
    EventType.APPROVAL_REQUESTED: _approval("Something waits for a second user of the enterprise."),
    EventType.APPROVAL_APPROVED: _approval("A second user has approved it."),
    EventType.APPROVAL_REJECTED: _approval("A user has rejected it."),
    EventType.SETTLEMENT_INITIATED: _settlement("A settlement was staged: what it may take is held."),
    EventType.SETTLEMENT_FINALIZING: _settlement("The dispute window is over, and the amounts are final."),
    EventType.SETTLEMENT_TOP_UP_REQUIRED: _settlement(
        "The partner's account does not cover what it has to pay.", "the partner", shortfalls=_SHORTFALLS
    ),
    EventType.SETTLEMENT_COMPLETED: _settlement("All final transfers were executed."),
    EventType.SETTLEMENT_FAILED: _settlement("Nothing was executed: the partner's account did not cover it."),
    EventType.SETTLEMENT_REJECTED: _settlement("An operator has ended it; what it held is free again."),
    EventType.SETTLEMENT_SLA_ALERT: _settlement(
        "A side of a settlement on chain is close to the end of its time.",
        "the partner",
        side="`loss` or `gain`",
        slaAt="when the time ends",
    ),
    EventType.DISPUTE_CREATED: Description("A client disputes a settlement on a connection.", _BOTH, _DISPUTE),
    EventType.DISPUTE_RETRACTED: Description("The client has taken its dispute back.", _BOTH, _DISPUTE),
    EventType.DISPUTE_UNRETRACTED: Description("The dispute that was taken back stands again.", _BOTH, _DISPUTE),
    EventType.DISPUTE_CLOSED: Description(
        "It was said how the dispute ends; a second person reviews that.",
        _BOTH,
        _DISPUTE | {"closureId": "the closure", "closedBy": "`client` or `admin`"},
    ),
    EventType.DISPUTE_REVIEWED: Description(
        "The closure was approved, and waits for the next settlement, or it was rejected.",
        _BOTH,
        _DISPUTE | {"closureId": "the closure", "decision": "`approved` or `rejected`"},
    ),
    EventType.BALANCE_CHANGED: Description(
        "A balance has changed.",
        "whose balance it is",
        {},
        {
            "cause": "`allocation`, `deallocation` or `settlement`",
            "allocationId": "the allocation",
            "deallocationId": "the deallocation",
            "settlementId": "the settlement",
            "connectionIds": "the connections whose funds have changed",
            "goAccountId": "of a deposit or withdrawal: the Go Account",
            "entryId": "its journal entry",
            "kind": "`deposit` or `withdrawal`",
            "currency": "our name of the currency",
            "quantity": "how much, in base units",
            "available": "what is available since, in base units",
            "held": "what is held since, in base units",
        },
    ),
    EventType.WEBHOOK_ENDPOINT_TEST: Description(
        "Somebody asked for a test event.",
        "the endpoint that it was asked for",
        {"webhookEndpointId": "the endpoint", "sentBy": "the user who asked"},
    ),
    EventType.WEBHOOK_ENDPOINT_DISABLED: Description(
        "An endpoint was disabled, because it answered 410 or took nothing for days.",
        "the enterprise's other endpoints",
        _ENDPOINT | {"reason": "`gone` or `failing`", "failingSince": "since when it took nothing"},
    ),
    EventType.WEBHOOK_ENDPOINT_RECOVERED: Description(
        "An endpoint that took nothing for an hour or longer takes messages again.",
        "all endpoints of the enterprise",
        _ENDPOINT | {"failingSince": "since when it took nothing"},
    ),
}


def problems(kind: EventType, payload: Mapping[str, object]) -> list[str]:
    """Where an event is not what the catalogue says of it."""
    described = CATALOGUE[kind]
    missing = [f"{kind}: {name} is missing" for name in described.fields if name not in payload]
    known = described.fields.keys() | described.options.keys()
    return missing + [f"{kind}: {name} is not in the catalogue" for name in payload if name not in known]


def as_markdown() -> str:
    """The catalogue as a page."""
    parts = [_section(kind, description) for kind, description in CATALOGUE.items()]
    return "\n".join(parts)


def _section(kind: EventType, description: Description) -> str:
    opt_in = " Only to endpoints that name it." if kind in OPT_IN else ""
    rows = [f"| `{name}` | {says} |" for name, says in description.fields.items()]
    rows += [f"| `{name}` (where it applies) | {says} |" for name, says in description.options.items()]
    table = "\n".join(["| in `data` | what it is |", "| --- | --- |", *rows])
    return f"### {kind}\n\n{description.says} Heard by: {description.heard_by}.{opt_in}\n\n{table}\n"
