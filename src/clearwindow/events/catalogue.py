"""The event catalogue: what each event means, who gets it and which fields it has.

The page in the documentation is made from it. Tests compare every event that they record with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from clearwindow.events.models import OPT_IN, EventType

Fields = dict[str, str]

_CONNECTION: Final[Fields] = {
    "connectionId": "the connection",
    "clientId": "the client of the connection",
    "partnerId": "the partner of the connection",
    "name": "the name of the connection",
    "active": "whether the connection accepts allocations",
    "initialized": "whether the partner has confirmed the connection",
}
_AMOUNT: Final = "`{currency, quantity}`: for the client in our names and base units, for the partner in its own"
_ALLOCATION_OPTIONS: Final[Fields] = {"reason": "why it is still reserved, or why it was released"}
_SETTLEMENT: Final[Fields] = {
    "settlementId": "the settlement",
    "partnerId": "the partner that staged it",
    "externalId": "the partner's own id of the settlement",
    "status": "the status of the settlement",
}
_SETTLEMENT_OPTIONS: Final[Fields] = {
    "cutoffAt": "the time of the newest trade in the settlement",
    "disputeDeadlineAt": "the end of the dispute window; absent for an immediate settlement",
    "topUpDeadlineAt": "the end of the top-up window; absent for an immediate settlement",
    "connectionIds": "for a client: its own connections in the settlement",
    "finalizedAt": "when the settlement ended",
    "reason": "why the settlement failed or was rejected",
    "withdrawnReason": "why the partner has taken the settlement back",
    "warnings": "when it was accepted: `cutoff_went_back` if the partner's last settlement has a later cutoff",
}
_SHORTFALLS: Final = "`[{currency, needed, available, shortfall}]` in our names and base units"
_DISPUTE: Final[Fields] = {
    "disputeId": "the dispute",
    "settlementId": "the disputed settlement",
    "connectionId": "the connection of the client that disputes",
}
_MEMBER: Final[Fields] = {
    "userId": "the user",
    "role": "`viewer`, `trader`, `settler`, `approver` or `administrator`",
    "mayUseCustodianKey": "whether the user may have a custodian key sign",
}
_STANDING_TOP_UP: Final[Fields] = {
    "standingTopUpId": "the instruction",
    "goAccountId": "the Go Account that the money comes from",
    "currency": "our name of the currency",
}
_ENDPOINT: Final[Fields] = {
    "webhookEndpointId": "the endpoint",
    "url": "the address of the endpoint, without its query",
}


@dataclass(frozen=True, slots=True)
class Description:
    """``fields`` are always in ``data``, ``options`` only if they apply."""

    meaning: str
    sent_to: str
    fields: Fields
    options: Fields = field(default_factory=dict)


_BOTH: Final = "the client and the partner"
_ALL: Final = "the partner, and each client with a connection in the settlement"


def _movement(kind: str, meaning: str) -> Description:
    fields = {
        f"{kind}Id": f"the {kind}",
        "connectionId": "the connection",
        "clientId": "the client",
        "partnerId": "the partner",
        "clientExternalId": f"the client's own id of the {kind}",
        "amount": _AMOUNT,
        "status": "`reserved`, `cleared` or `released`",
    }
    return Description(meaning, _BOTH, fields, _ALLOCATION_OPTIONS)


def _approval(meaning: str) -> Description:
    fields = {
        "pendingApprovalId": "the approval",
        "type": "what needs the approval: `allocation`, `threshold`, `daily_threshold` or `custodian_limit`",
        "status": "`pending`, `approved` or `rejected`",
        "currency": "our name of the currency",
        "threshold": "the threshold at the time of the request, in base units",
        "initiatedBy": "the user who made the request",
    }
    options = {
        "allocationId": "the allocation that waits",
        "quantity": "the quantity of the allocation, or the new threshold, in base units",
        "dayQuantity": "the sum of 24 hours, if the allocation waits because of the daily threshold, in base units",
        "decidedBy": "the user who decided",
        "notes": "the notes of that user",
    }
    return Description(meaning, "the client", fields, options)


def _pause(meaning: str, **more: str) -> Description:
    fields = {
        "pauseId": "the pause",
        "kind": "`network`, `partner`, `client`, `currency` or `account`",
        "pausedAt": "since when it is paused",
    }
    options = {
        "partnerId": "the paused partner",
        "clientId": "the paused client",
        "currency": "our name of the paused currency",
        "goAccountId": "for its owner: the paused Go Account",
    }
    sent_to = "whoever it concerns: all, the owner and those it is connected to, or those who use the currency"
    return Description(meaning, sent_to, fields | more, options)


def _proposal(meaning: str) -> Description:
    fields = {
        "proposalId": "the proposal",
        "act": "what is proposed, such as `withdrawal.make`",
        "subjectId": "what it changes",
        "summary": "the same in one line",
        "status": "`pending`, `carried_out`, `rejected`, `withdrawn` or `expired`",
        "expiresAt": "when it expires if nobody decides",
    }
    return Description(meaning, "the enterprise that it affects", fields)


def _settlement(meaning: str, sent_to: str = _ALL, **more: str) -> Description:
    return Description(meaning, sent_to, _SETTLEMENT | more, _SETTLEMENT_OPTIONS)


CATALOGUE: Final[Mapping[EventType, Description]] = {
    EventType.CONNECTION_CREATED: Description(
        "A client has created a connection to a partner.", _BOTH, _CONNECTION
    ),
    EventType.CONNECTION_UPDATED: Description(
        "The connection was renamed, deactivated, activated or confirmed by the partner.",
        _BOTH,
        _CONNECTION,
        {"changedBy": "for the client, if one of its users did it: the user"},
    ),
    EventType.ALLOCATION_RESERVED: _movement("allocation", "Funds of the Go Account are held for the allocation."),
    EventType.ALLOCATION_CLEARED: _movement("allocation", "The funds were moved to the connection."),
    EventType.ALLOCATION_RELEASED: _movement(
        "allocation", "The allocation was refused. The funds are available again."
    ),
    EventType.DEALLOCATION_RESERVED: _movement(
        "deallocation", "Funds of the connection are held for the deallocation."
    ),
    EventType.DEALLOCATION_CLEARED: _movement("deallocation", "The funds were moved back to the Go Account."),
    EventType.DEALLOCATION_RELEASED: _movement(
        "deallocation", "The deallocation was refused. The funds stay in the connection."
    ),
    EventType.APPROVAL_REQUESTED: _approval(
        "An allocation or a threshold waits for the approval of a second user of the enterprise."
    ),
    EventType.APPROVAL_APPROVED: _approval("A second user has approved the request."),
    EventType.APPROVAL_REJECTED: _approval("A user has rejected the request."),
    EventType.SETTLEMENT_INITIATED: _settlement("A settlement was staged. Funds to cover it are held."),
    EventType.SETTLEMENT_FINALIZING: _settlement("The dispute window has ended. The amounts are final."),
    EventType.SETTLEMENT_TOP_UP_REQUIRED: _settlement(
        "The partner's account does not cover what the partner must pay.", "the partner", shortfalls=_SHORTFALLS
    ),
    EventType.SETTLEMENT_COMPLETED: _settlement("All final transfers were executed."),
    EventType.SETTLEMENT_FAILED: _settlement(
        "The partner's account did not cover the settlement. No transfer was executed."
    ),
    EventType.SETTLEMENT_REJECTED: _settlement(
        "An operator has rejected the settlement, or the last closure of a withdrawn settlement was cancelled. Its"
        " held funds are available again."
    ),
    EventType.SETTLEMENT_WITHDRAWN: _settlement(
        "The partner has taken the settlement back. What was held for its own transfers is available again. Its"
        " status is `rejected`, or `pending` if transfers of closed disputes that it has taken still run."
    ),
    EventType.SETTLEMENT_SLA_ALERT: _settlement(
        "The time for one side of an on-chain settlement is nearly over.",
        "the partner",
        side="`loss` or `gain`",
        slaAt="the end of that time",
    ),
    EventType.DISPUTE_CREATED: Description("A client has disputed a settlement on a connection.", _BOTH, _DISPUTE),
    EventType.DISPUTE_RETRACTED: Description("The client has retracted its dispute.", _BOTH, _DISPUTE),
    EventType.DISPUTE_UNRETRACTED: Description(
        "The client has undone the retraction of its dispute.", _BOTH, _DISPUTE
    ),
    EventType.DISPUTE_CLOSED: Description(
        "A closure of the dispute was proposed. A second person reviews it.",
        _BOTH,
        _DISPUTE | {"closureId": "the closure", "closedBy": "`client` or `admin`"},
    ),
    EventType.DISPUTE_REVIEWED: Description(
        "The closure was approved and waits for the next settlement, or it was rejected. Or two operators cancelled"
        " it: its transfers ended in the settlement that had taken them.",
        _BOTH,
        _DISPUTE | {"closureId": "the closure", "decision": "`approved`, `rejected` or `cancelled`"},
    ),
    EventType.GO_ACCOUNT_KEY_ADDED: Description(
        "A further key was added to a Go Account. If you did not ask for it, have it revoked.",
        "the enterprise that owns the Go Account",
        {
            "goAccountId": "the Go Account",
            "keyId": "the key",
            "pub": "the public key",
            "custodian": "whether the custodian holds the private key",
            "verifiesFrom": "from when its signatures count",
        },
    ),
    EventType.GO_ACCOUNT_KEY_REVOKED: Description(
        "An operator has revoked a key of a Go Account. Its signatures count no more.",
        "the enterprise that owns the Go Account",
        {"goAccountId": "the Go Account", "keyId": "the key"},
    ),
    EventType.PROPOSAL_MADE: _proposal("An operator has proposed something that affects the enterprise."),
    EventType.PROPOSAL_ENDED: _proposal("The proposal was carried out, rejected or withdrawn, or has expired."),
    EventType.BALANCE_CHANGED: Description(
        "A balance has changed.",
        "the enterprise that owns the balance",
        {},
        {
            "cause": "`allocation`, `deallocation` or `settlement`",
            "allocationId": "the allocation",
            "deallocationId": "the deallocation",
            "settlementId": "the settlement",
            "connectionIds": "the connections whose balance has changed",
            "goAccountId": "for a deposit, withdrawal or top-up: the Go Account",
            "entryId": "for a deposit, withdrawal or top-up: its journal entry",
            "kind": (
                "`deposit` or `withdrawal`; `withdrawal_reserved` or `withdrawal_released` for a proposed one;"
                " `top_up` on the Go Account that a standing top-up came from"
            ),
            "currency": "our name of the currency",
            "quantity": "the quantity, in base units",
            "available": "the available balance afterwards, in base units",
            "held": "the held balance afterwards, in base units",
        },
    ),
    EventType.ACCOUNT_INTENT_CHANGED: Description(
        "A Go Account began to require that signed texts say what they are for, or ceased to.",
        "the enterprise that owns the Go Account",
        {"goAccountId": "the Go Account", "requireIntent": "whether it requires it now"},
    ),
    EventType.THRESHOLD_CHANGED: Description(
        "A user has set a threshold or a limit of custodian keys, or another user has approved its change.",
        "the enterprise",
        {
            "type": "`threshold`, `daily_threshold` or `custodian_limit`",
            "currency": "our name of the currency",
            "changedBy": "the user who set it or approved it",
        },
        {"quantity": "the threshold now, in base units; absent if there is none any more"},
    ),
    EventType.LOSS_LIMIT_CHANGED: Description(
        "A user has changed a limit of loss of a connection. A higher limit applies later.",
        "the client",
        {"connectionId": "the connection", "currency": "our name of the currency"},
        {
            "perSettlement": "the most that one settlement may take, in base units; absent without a limit",
            "perDay": "the most that all settlements of one UTC day may take; absent without a limit",
            "nextPerSettlement": "the same from `nextFrom` on",
            "nextPerDay": "the same from `nextFrom` on",
            "nextFrom": "when the higher limits come into force",
        },
    ),
    EventType.STANDING_TOP_UP_CREATED: Description(
        "A user has instructed that a partner's account is topped up from another Go Account.",
        "the partner",
        _STANDING_TOP_UP
        | {
            "perSettlement": "the most that comes for one settlement, in base units",
            "createdBy": "the user who sent the instruction",
        },
    ),
    EventType.STANDING_TOP_UP_REVOKED: Description(
        "A user has revoked a standing top-up.",
        "the partner",
        _STANDING_TOP_UP | {"revokedBy": "the user who revoked it", "revokedAt": "when"},
    ),
    EventType.STANDING_TOP_UP_USED: Description(
        "A settlement was short, and a standing top-up has brought what was missing.",
        "the partner",
        _STANDING_TOP_UP | {"settlementId": "the settlement", "quantity": "what came, in base units"},
    ),
    EventType.PAUSE_STARTED: _pause("An operator has paused the network or a part of it. Executions wait."),
    EventType.PAUSE_ENDED: _pause(
        "The pause has ended. What waited runs in the order of its deadlines.", resumedAt="when it ended"
    ),
    EventType.MEMBER_ADDED: Description(
        "An operator has made a further user a member of the enterprise.",
        "the enterprise",
        _MEMBER | {"userName": "the name of the user"},
    ),
    EventType.MEMBER_UPDATED: Description(
        "An operator has changed what a user may do in the enterprise.", "the enterprise", _MEMBER
    ),
    EventType.MEMBER_REMOVED: Description(
        "An operator has removed a user from the enterprise. Its tokens are revoked.",
        "the enterprise",
        {"userId": "the user"},
    ),
    EventType.TOKEN_REVOKED: Description(
        "A token of a user of the enterprise was revoked.",
        "the enterprise",
        {"tokenId": "the token", "userId": "whose token it was", "by": "`operator` or `user`"},
        {"revokedBy": "if a user did it: the user"},
    ),
    EventType.ENTERPRISE_UPDATED: Description(
        "An operator has renamed the enterprise, or given or taken its licence.",
        "the enterprise",
        {"name": "its name now", "licensed": "whether it has a licence now"},
    ),
    EventType.CLIENT_UPDATED: Description(
        "An operator has stopped or started the client.",
        "the client",
        {"clientId": "the client", "active": "whether it is active now"},
    ),
    EventType.PARTNER_UPDATED: Description(
        "An operator has changed a partner: whether it is active, its windows, or its kind.",
        "the partner, and each client with a connection to it",
        {
            "partnerId": "the partner",
            "active": "whether it is active now",
            "stablePartner": "whether it is a stable partner now",
        },
        {
            "clientDisputeWindowMinutes": "its dispute window now, as a decimal; absent without one",
            "topUpWindowMinutes": "its top-up window now, as a decimal; absent without one",
        },
    ),
    EventType.PARTNER_CONFIGURED: Description(
        "An operator has changed the configuration of the partner, such as its currencies or unit.",
        "the enterprise that is the partner",
        {"currencies": "our name of each of its currencies", "amountUnit": "`base` or `decimal`"},
        {"callbackUrl": "where its calls go, absent if there are none"},
    ),
    EventType.PARTNER_LICENCE_CHANGED: Description(
        "An operator has given or taken the enterprise's licence for a partner.",
        "the enterprise",
        {"partnerId": "the partner", "licensed": "whether it has the licence now"},
    ),
    EventType.WEBHOOK_ENDPOINT_TEST: Description(
        "A user has requested a test event.",
        "only the tested endpoint",
        {"webhookEndpointId": "the endpoint", "sentBy": "the user who requested it"},
    ),
    EventType.WEBHOOK_ENDPOINT_CHANGED: Description(
        "A user has created, changed or deleted an endpoint, or rotated its secret. Nobody signs it: if you do not"
        " know of it, revoke the user's tokens.",
        "the enterprise's other endpoints",
        _ENDPOINT
        | {
            "change": "`created`, `changed`, `deleted` or `secret_rotated`",
            "changedBy": "the user who did it",
        },
        {"changedFields": "for `changed`: the names of the fields"},
    ),
    EventType.WEBHOOK_ENDPOINT_DISABLED: Description(
        "An endpoint was disabled, because it answered 410 or accepted no message for five days.",
        "the enterprise's other endpoints",
        _ENDPOINT | {"reason": "`gone` or `failing`", "failingSince": "when its failures began"},
    ),
    EventType.WEBHOOK_ENDPOINT_RECOVERED: Description(
        "An endpoint that had failed for an hour or longer accepts messages again.",
        "all endpoints of the enterprise",
        _ENDPOINT | {"failingSince": "when its failures began"},
    ),
}


def problems(kind: EventType, payload: Mapping[str, object]) -> list[str]:
    """Returns how an event differs from its description in the catalogue."""
    described = CATALOGUE[kind]
    missing = [f"{kind}: {name} is missing" for name in described.fields if name not in payload]
    known = described.fields.keys() | described.options.keys()
    return missing + [f"{kind}: {name} is not in the catalogue" for name in payload if name not in known]


def as_markdown() -> str:
    """Returns the catalogue as a page in Markdown."""
    parts = [_section(kind, description) for kind, description in CATALOGUE.items()]
    return "\n".join(parts)


def _section(kind: EventType, description: Description) -> str:
    opt_in = " Only endpoints that name this type get it." if kind in OPT_IN else ""
    rows = [f"| `{name}` | {meaning} |" for name, meaning in description.fields.items()]
    rows += [f"| `{name}` (if it applies) | {meaning} |" for name, meaning in description.options.items()]
    table = "\n".join(["| field of `data` | meaning |", "| --- | --- |", *rows])
    return f"### {kind}\n\n{description.meaning} Sent to: {description.sent_to}.{opt_in}\n\n{table}\n"
