"""Answers the network's calls: bodies in, replies out. The web server is in ``endpoints``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from typing import Any, ClassVar, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from clearwindow.core.field_errors import field_problem
from clearwindow.simulator.exchange.accounts import Accounts, Answer, FundsRequest, Kind, Outcome, own_id
from clearwindow.simulator.exchange.events import Emit, Event, Tone
from clearwindow.simulator.exchange.money import Denomination, UnknownAmountError

KEY_FIELDS: Final = frozenset({"connectionToken", "apiKey"})
"""The fields that may hold a client's connection key, by the partner's schema."""

_DONE: Final = {Outcome.CLEARED: "cleared", Outcome.RELEASED: "released"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status and a JSON body."""

    status: HTTPStatus = HTTPStatus.OK
    body: Mapping[str, object] = field(default_factory=dict)


class _Body(BaseModel):
    """A body that the network sends. Unknown fields are ignored."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel, extra="ignore", frozen=True, hide_input_in_errors=True
    )


class NewConnection(_Body):
    client_id: str
    connection_id: str


class AskedAmount(_Body):
    currency: str
    quantity: str


class AskedFunds(_Body):
    allocation_id: str | None = None
    deallocation_id: str | None = None
    amount: AskedAmount
    client_id: str
    connection_id: str


class RaisedDispute(_Body):
    id: str
    connection_id: str


class Finalization(_Body):
    """The final amounts of a settlement, after its dispute window has ended."""

    settlement_id: str
    external_id: str
    settlement_amounts: dict[str, dict[str, str]]
    disputes: tuple[RaisedDispute, ...]
    settling_disputes: tuple[RaisedDispute, ...]
    top_up_deadline: str


B = TypeVar("B", bound=_Body)


class InvalidBodyError(Exception):
    """A body that does not match the protocol; the message names the field."""


class Calls:
    """The partner's side of the protocol."""

    def __init__(
        self,
        accounts: Accounts,
        denomination: Denomination,
        check_finalization: Callable[[Finalization], None],
        emit: Emit,
        notify: Callable[[], None] | None = None,
    ) -> None:
        """Creates the calls of an exchange.

        Args:
            accounts: the accounts of the connections.
            denomination: the exchange's currency names and unit.
            check_finalization: called with the final amounts of each settlement.
            emit: called with each event.
            notify: for an exchange that answers later: called when there is something to decide.
        """
        self._accounts = accounts
        self._denomination = denomination
        self._check_finalization = check_finalization
        self._emit = emit
        self._notify = notify

    def connect(self, body: Mapping[str, Any], _: str) -> Reply:
        """Answers a new connection. A real exchange checks the connection key; this one accepts any key."""
        parsed = _read(NewConnection, body)
        ids = {"clientId": parsed.client_id, "connectionId": parsed.connection_id}
        if not any(isinstance(body.get(name), str) and body[name] for name in KEY_FIELDS):
            self._emit(Event("connection.refused", f"{parsed.connection_id}: no connection key", ids, Tone.NOTICE))
            return Reply(body={**ids, "rejectionReason": "the connection key is missing"})
        account = self._accounts.open(parsed.connection_id, parsed.client_id)
        own = {"partnersClientId": account.own_client_id, "partnersConnectionId": account.own_connection_id}
        self._emit(
            Event("connection.opened", f"{parsed.connection_id} of client {parsed.client_id}", ids, Tone.GOOD)
        )
        return Reply(body={**ids, **own})

    def request_funds(self, kind: Kind, body: Mapping[str, Any]) -> Reply:
        """Answers an allocation or deallocation, for which the network already holds the funds."""
        parsed = _read(AskedFunds, body)
        request_id = parsed.allocation_id if kind is Kind.ALLOCATION else parsed.deallocation_id
        if request_id is None:
            raise InvalidBodyError(f"{kind}Id is missing")
        repeated = {name: body[name] for name in (f"{kind}Id", "amount", "clientId", "connectionId")}
        amount_text = f"{parsed.amount.quantity} {parsed.amount.currency}"
        fields = {f"{kind}Id": request_id, "connectionId": parsed.connection_id, "amount": repeated["amount"]}
        if self._notify is not None:
            self._notify()
            self._emit(
                Event(f"{kind}.heard", f"{amount_text} on {parsed.connection_id}: to be decided later", fields)
            )
            return Reply(body={**repeated, f"partners{kind.capitalize()}Id": own_id(kind, request_id)})
        answer = self._answer(kind, request_id, parsed)
        if answer.refusal is not None:
            sentence = f"{amount_text} refused: {answer.refusal}"
            refusal = {"rejectionReason": answer.refusal}
            self._emit(Event(f"{kind}.refused", sentence, {**fields, **refusal}, Tone.NOTICE))
            return Reply(body={**repeated, **refusal})
        self._emit(Event(f"{kind}.agreed", f"{amount_text} on {parsed.connection_id}", fields))
        account = self._accounts.find(parsed.connection_id)
        names = (
            {}
            if account is None
            else {
                "partnersClientId": account.own_client_id,
                "partnersConnectionId": account.own_connection_id,
            }
        )
        return Reply(body={**repeated, **names, f"partners{kind.capitalize()}Id": answer.own_id})

    def apply_outcome(self, kind: Kind, outcome: Outcome, body: Mapping[str, Any], subject_id: str) -> Reply:
        """Applies a reported outcome. The reply only acknowledges it."""
        parsed = _read(AskedFunds, body)
        self._accounts.apply_outcome(parsed.connection_id, subject_id, outcome)
        fields = {f"{kind}Id": subject_id, "connectionId": parsed.connection_id}
        sentence = f"{parsed.amount.quantity} {parsed.amount.currency} on {parsed.connection_id}"
        self._emit(ended(kind, outcome, sentence, fields))
        return Reply()

    def finalize(self, body: Mapping[str, Any], subject_id: str) -> Reply:
        """Checks the final amounts of a settlement, and acknowledges them even if they are wrong.

        The deadline does not wait for the exchange, and without an acknowledgement the call is only repeated.
        """
        parsed = _read(Finalization, body)
        if parsed.settlement_id != subject_id:
            raise InvalidBodyError("settlementId differs from the id in the path")
        self._check_finalization(parsed)
        return Reply(body={"settlementId": subject_id})

    def _answer(self, kind: Kind, request_id: str, parsed: AskedFunds) -> Answer:
        amount = parsed.amount
        try:
            request = read_funds_request(
                self._denomination, kind, request_id, parsed.connection_id, amount.currency, amount.quantity
            )
        except UnknownAmountError as error:
            return Answer("", str(error))
        return self._accounts.decide(request)


def read_funds_request(
    denomination: Denomination,
    kind: Kind,
    request_id: str,
    connection_id: str,
    currency: str,
    quantity: str | Decimal,
) -> FundsRequest:
    """Returns the request with the exchange's currency name and in whole units.

    Raises:
        UnknownAmountError: the currency or the amount is not valid here.
    """
    amount = denomination.read(currency, quantity)
    if amount <= 0:
        raise UnknownAmountError("the amount is not above zero")
    return FundsRequest(kind, request_id, connection_id, denomination.own_name(currency), amount)


def ended(kind: Kind, outcome: Outcome, sentence: str, fields: Mapping[str, object]) -> Event:
    """Returns the event of a request's outcome."""
    tone = Tone.GOOD if outcome is Outcome.CLEARED else Tone.NOTICE
    return Event(f"{kind}.{_DONE[outcome]}", sentence, fields, tone)


def _read(model: type[B], body: Mapping[str, Any]) -> B:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        problem = field_problem(wrong, unknown_field="is not a field of this call")
        raise InvalidBodyError(f"{'.'.join(map(str, wrong['loc']))}: {problem}") from None
