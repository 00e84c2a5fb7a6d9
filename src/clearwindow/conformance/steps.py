"""What checks are made of: asking for an allocation, telling its outcome, holding the answer to what it must be."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final
from uuid import UUID

from clearwindow.allocations import rules as allocation_rules
from clearwindow.allocations.values import AllocationType, Clear, Release, Unanswered, Verdict, Wait
from clearwindow.conformance.network import Network, Sign
from clearwindow.conformance.values import Call, CheckFailedError
from clearwindow.partnercalls.values import Answer, Operation, Refused, Silent

ALLOCATION: Final = AllocationType.ALLOCATION
DEALLOCATION: Final = AllocationType.DEALLOCATION
ASKING: Final = {ALLOCATION: Operation.ALLOCATION, DEALLOCATION: Operation.DEALLOCATION}
CLEARING: Final = {ALLOCATION: Operation.ALLOCATION_CLEAR, DEALLOCATION: Operation.DEALLOCATION_CLEAR}
RELEASING: Final = {ALLOCATION: Operation.ALLOCATION_RELEASE, DEALLOCATION: Operation.DEALLOCATION_RELEASE}
A_YES: Final = "2xx with a JSON object that repeats what was asked and adds the partner's own id"
A_NO: Final = "a no: 4xx (but 408, 425 and 429), or a rejectionReason"
HEARD: Final = "any 2xx"
_EXACT: Final = Context(prec=200)
_MOST_SWEPT: Final = 8
_RELEASED_ANYWAY: Final = (404, 409, 410)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what the network would make of its answer."""

    kind: AllocationType
    id: UUID
    body: Mapping[str, object]
    call: Call
    verdict: Verdict

    @property
    def said(self) -> str:
        return said(self.verdict)


def said(verdict: Verdict) -> str:
    if isinstance(verdict, Unanswered):
        return f"no answer that counts: {verdict.why}"
    if isinstance(verdict, Release):
        return f"the answer was no: {verdict.reason}"
    return "the answer was yes"


def took(answer: Answer) -> str:
    """An answer in words."""
    if isinstance(answer, Silent):
        return f"no answer that counts: {answer.why}"
    return f"the answer was no: {answer.reason}" if isinstance(answer, Refused) else "the answer was yes"


def in_words(quantity: Decimal) -> str:
    """The amount as the network writes it: no exponent, no zeros at the end."""
    text = f"{quantity:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plus(one: Decimal, other: Decimal) -> Decimal:
    return _EXACT.add(one, other)


def question(network: Network, kind: AllocationType, subject_id: UUID, quantity: Decimal) -> dict[str, object]:
    connection = network.connection
    return {
        f"{kind}Id": str(subject_id),
        "amount": {"currency": network.terms.currency, "quantity": in_words(quantity)},
        "clientId": str(connection.client_id),
        "connectionId": str(connection.id),
        "partnersClientId": connection.partners_client_id,
        "partnersConnectionId": connection.partners_connection_id,
    }


def ask(
    network: Network,
    kind: AllocationType,
    quantity: Decimal | None = None,
    *,
    changed: Mapping[str, object] | None = None,
    subject_id: UUID | None = None,
    sign: Sign | None = None,
) -> Asked:
    """Asks; ``changed`` are fields that are otherwise than in an honest question."""
    known_id = subject_id or network.new_id()
    amount = network.terms.quantity if quantity is None else quantity
    body = question(network, kind, known_id, amount) | dict(changed or {})
    call, answer = network.call(ASKING[kind], known_id, body, sign)
    return Asked(kind, known_id, body, call, _verdict(network, kind, answer, body))


def repeat(network: Network, asked: Asked) -> Asked:
    """The same id and the same body again, under a new signature, as the network does after an answer was lost."""
    call, answer = network.call(ASKING[asked.kind], asked.id, asked.body)
    return Asked(asked.kind, asked.id, asked.body, call, _verdict(network, asked.kind, answer, asked.body))


def _verdict(network: Network, kind: AllocationType, answer: Answer, body: Mapping[str, object]) -> Verdict:
    return allocation_rules.verdict(kind, answer, body, decides_later=network.terms.answers_later)


def is_yes(asked: Asked) -> bool:
    """Of a partner that answers later: that it has heard."""
    return isinstance(asked.verdict, Clear | Wait)


def require_yes(asked: Asked, why: str = "") -> str:
    """The partner's own id; empty where one that answers later has not said it yet.

    Raises:
        CheckFailedError: the answer is no yes.
    """
    if isinstance(asked.verdict, Clear | Wait):
        return asked.verdict.partner_external_id or ""
    raise CheckFailedError(f"{why}{asked.said}", A_YES, asked.call)


def reserve(network: Network, kind: AllocationType, quantity: Decimal | None = None, why: str = "") -> Asked:
    asked = ask(network, kind, quantity)
    require_yes(asked, why)
    return asked


def refuse(network: Network, kind: AllocationType, quantity: Decimal | None = None, why: str = "") -> Asked:
    """Asks for what must be refused. What is given all the same is taken, so that the next check starts level."""
    asked = ask(network, kind, quantity)
    if isinstance(asked.verdict, Release):
        return asked
    if isinstance(asked.verdict, Clear):
        tell(network, CLEARING[kind], asked)
    raise CheckFailedError(f"{why}{asked.said}", A_NO, asked.call)


def tell(network: Network, operation: Operation, asked: Asked) -> tuple[Call, Answer]:
    """Tells an outcome, with the body that the network tells it with."""
    own = asked.verdict.partner_external_id if isinstance(asked.verdict, Clear) else None
    own_field = {f"partners{asked.kind.capitalize()}Id": own} if own else {}
    clears = operation in CLEARING.values()
    status = {"status": "cleared"} if clears else {"status": "released", "reason": "checked by partner-check"}
    return network.call(operation, asked.id, {**asked.body, **own_field, **status})


def clear(network: Network, asked: Asked, why: str = "") -> None:
    _require_heard(tell(network, CLEARING[asked.kind], asked), why)


def release(network: Network, asked: Asked, why: str = "") -> None:
    """A release also counts as heard where the endpoint holds nothing to release."""
    call, answer = tell(network, RELEASING[asked.kind], asked)
    if call.status not in _RELEASED_ANYWAY:
        _require_heard((call, answer), why)


def call_off(network: Network, asked: Asked) -> None:
    """Releases what a check has no more use for. Who answers later is told no outcome: it says them itself."""
    if not network.terms.answers_later:
        tell(network, RELEASING[asked.kind], asked)


def _require_heard(came: tuple[Call, Answer], why: str) -> None:
    call, answer = came
    if call.status is None or call.status not in range(200, 300):
        raise CheckFailedError(f"{why}{took(answer)}", HEARD, call)


def move(network: Network, kind: AllocationType, quantity: Decimal | None = None, why: str = "") -> Asked:
    """Asks, and clears what was granted."""
    asked = reserve(network, kind, quantity, why)
    clear(network, asked, why)
    return asked


def require_not_an_error(call: Call, answer: Answer, why: str = "") -> None:
    """A yes or a no: something that ends a call, and leaves nothing to be repeated."""
    if isinstance(answer, Silent) and not _is_mere_success(call):
        raise CheckFailedError(f"{why}{took(answer)}", f"2xx, or {A_NO}", call)


def _is_mere_success(call: Call) -> bool:
    """Of what is only told any 2xx is enough, whatever its body is."""
    return call.status is not None and call.status in range(200, 300)


def sweep(network: Network) -> None:
    """Takes back what is left allocated, so that no check finds what another one has left."""
    for _ in range(_MOST_SWEPT):
        asked = ask(network, DEALLOCATION)
        if not isinstance(asked.verdict, Clear):
            return
        with suppress(CheckFailedError):
            clear(network, asked)
