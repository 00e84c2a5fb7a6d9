"""The steps of checks: requests, reported outcomes, and requirements on the answers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final
from uuid import UUID

from clearwindow.allocations import rules as allocation_rules
from clearwindow.allocations.models import AllocationType, Clear, Release, Unanswered, Verdict, Wait
from clearwindow.partner_calls.models import Answer, Operation, Refused, Silent
from clearwindow.simulator.partner_check.models import Call, CheckFailedError
from clearwindow.simulator.partner_check.network import Network, Sign

ALLOCATION: Final = AllocationType.ALLOCATION
DEALLOCATION: Final = AllocationType.DEALLOCATION
ASKING: Final = {ALLOCATION: Operation.ALLOCATION, DEALLOCATION: Operation.DEALLOCATION}
CLEARING: Final = {ALLOCATION: Operation.ALLOCATION_CLEAR, DEALLOCATION: Operation.DEALLOCATION_CLEAR}
RELEASING: Final = {ALLOCATION: Operation.ALLOCATION_RELEASE, DEALLOCATION: Operation.DEALLOCATION_RELEASE}
ACCEPTANCE: Final = "2xx with a JSON object that repeats the request and adds the partner's own id"
REFUSAL: Final = "a refusal: 4xx (except 408, 425 and 429), or a rejectionReason"
ACKNOWLEDGEMENT: Final = "any 2xx"
_EXACT: Final = Context(prec=200)
_MOST_LEFTOVERS: Final = 8
_RELEASED_ANYWAY: Final = (404, 409, 410)


@dataclass(frozen=True, slots=True)
class FundsRequest:
    """An allocation or deallocation that was sent, and the network's verdict on the answer."""

    kind: AllocationType
    id: UUID
    body: Mapping[str, object]
    call: Call
    verdict: Verdict

    @property
    def answer_text(self) -> str:
        """The answer in words."""
        return verdict_text(self.verdict)


def verdict_text(verdict: Verdict) -> str:
    """Returns a verdict in words."""
    if isinstance(verdict, Unanswered):
        return f"no valid answer: {verdict.why}"
    if isinstance(verdict, Release):
        return f"it was refused: {verdict.reason}"
    return "it was accepted"


def answer_text(answer: Answer) -> str:
    """Returns an answer in words."""
    if isinstance(answer, Silent):
        return f"no valid answer: {answer.why}"
    return f"it was refused: {answer.reason}" if isinstance(answer, Refused) else "it was accepted"


def amount_text(quantity: Decimal) -> str:
    """Returns the amount as the network writes it: no exponent, no trailing zeros."""
    text = f"{quantity:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plus(one: Decimal, other: Decimal) -> Decimal:
    return _EXACT.add(one, other)


def request_body(network: Network, kind: AllocationType, subject_id: UUID, quantity: Decimal) -> dict[str, object]:
    connection = network.connection
    return {
        f"{kind}Id": str(subject_id),
        "amount": {"currency": network.terms.currency, "quantity": amount_text(quantity)},
        "clientId": str(connection.client_id),
        "connectionId": str(connection.id),
        "partnersClientId": connection.partners_client_id,
        "partnersConnectionId": connection.partners_connection_id,
    }


def send(
    network: Network,
    kind: AllocationType,
    quantity: Decimal | None = None,
    *,
    changed: Mapping[str, object] | None = None,
    subject_id: UUID | None = None,
    sign: Sign | None = None,
) -> FundsRequest:
    """Sends a request; ``changed`` replaces or adds fields."""
    known_id = subject_id or network.new_id()
    amount = network.terms.quantity if quantity is None else quantity
    body = request_body(network, kind, known_id, amount) | dict(changed or {})
    call, answer = network.call(ASKING[kind], known_id, body, sign)
    return FundsRequest(kind, known_id, body, call, _verdict(network, kind, answer, body))


def repeat(network: Network, request: FundsRequest) -> FundsRequest:
    """Sends the same id and body again with a new signature, as the network does after a lost answer."""
    call, answer = network.call(ASKING[request.kind], request.id, request.body)
    return FundsRequest(
        request.kind, request.id, request.body, call, _verdict(network, request.kind, answer, request.body)
    )


def _verdict(network: Network, kind: AllocationType, answer: Answer, body: Mapping[str, object]) -> Verdict:
    return allocation_rules.verdict(kind, answer, body, decides_later=network.terms.answers_later)


def is_accepted(request: FundsRequest) -> bool:
    """Returns whether the request was accepted, or acknowledged by a partner that answers later."""
    return isinstance(request.verdict, Clear | Wait)


def require_acceptance(request: FundsRequest, why: str = "") -> str:
    """Returns the partner's own id. It is empty if a partner that answers later has not sent it yet.

    Raises:
        CheckFailedError: the request was not accepted.
    """
    if isinstance(request.verdict, Clear | Wait):
        return request.verdict.partner_external_id or ""
    raise CheckFailedError(f"{why}{request.answer_text}", ACCEPTANCE, request.call)


def reserve(network: Network, kind: AllocationType, quantity: Decimal | None = None, why: str = "") -> FundsRequest:
    request = send(network, kind, quantity)
    require_acceptance(request, why)
    return request


def require_refusal(
    network: Network, kind: AllocationType, quantity: Decimal | None = None, why: str = ""
) -> FundsRequest:
    """Sends a request that must be refused. If it is accepted, clears it, so that balances stay known."""
    request = send(network, kind, quantity)
    if isinstance(request.verdict, Release):
        return request
    if isinstance(request.verdict, Clear):
        send_outcome(network, CLEARING[kind], request)
    raise CheckFailedError(f"{why}{request.answer_text}", REFUSAL, request.call)


def send_outcome(network: Network, operation: Operation, request: FundsRequest) -> tuple[Call, Answer]:
    """Reports an outcome, with the body that the network uses."""
    own = request.verdict.partner_external_id if isinstance(request.verdict, Clear) else None
    own_field = {f"partners{request.kind.capitalize()}Id": own} if own else {}
    clears = operation in CLEARING.values()
    status = {"status": "cleared"} if clears else {"status": "released", "reason": "checked by partner-check"}
    return network.call(operation, request.id, {**request.body, **own_field, **status})


def clear(network: Network, request: FundsRequest, why: str = "") -> None:
    """Reports the clear, and requires an acknowledgement."""
    _require_acknowledged(send_outcome(network, CLEARING[request.kind], request), why)


def release(network: Network, request: FundsRequest, why: str = "") -> None:
    """Reports the release, and requires an acknowledgement or an answer that there is nothing to release."""
    call, answer = send_outcome(network, RELEASING[request.kind], request)
    if call.status not in _RELEASED_ANYWAY:
        _require_acknowledged((call, answer), why)


def cancel(network: Network, request: FundsRequest) -> None:
    """Releases a request that a check does not need any more. Partners that answer later get no outcomes."""
    if not network.terms.answers_later:
        send_outcome(network, RELEASING[request.kind], request)


def _require_acknowledged(came: tuple[Call, Answer], why: str) -> None:
    call, answer = came
    if call.status is None or call.status not in range(200, 300):
        raise CheckFailedError(f"{why}{answer_text(answer)}", ACKNOWLEDGEMENT, call)


def request_and_clear(
    network: Network, kind: AllocationType, quantity: Decimal | None = None, why: str = ""
) -> FundsRequest:
    """Sends a request that must be accepted, and clears it."""
    request = reserve(network, kind, quantity, why)
    clear(network, request, why)
    return request


def require_answer(call: Call, answer: Answer, why: str = "") -> None:
    """Requires an answer after which the network does not repeat the call."""
    if isinstance(answer, Silent) and not _is_success(call):
        raise CheckFailedError(f"{why}{answer_text(answer)}", f"2xx, or {REFUSAL}", call)


def _is_success(call: Call) -> bool:
    """Returns whether the status is 2xx, which is enough for a report, with any body."""
    return call.status is not None and call.status in range(200, 300)


def deallocate_leftovers(network: Network) -> None:
    """Deallocates what earlier checks left allocated."""
    for _ in range(_MOST_LEFTOVERS):
        request = send(network, DEALLOCATION)
        if not isinstance(request.verdict, Clear):
            return
        with suppress(CheckFailedError):
            clear(network, request)
