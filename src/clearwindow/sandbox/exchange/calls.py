"""What the network asks and tells, and what it is answered. No web server in here: bodies in, answers out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from typing import Any, ClassVar, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from clearwindow.sandbox.exchange.accounts import Accounts, Answer, Kind, Outcome, Question, own_id
from clearwindow.sandbox.exchange.events import Event, Say, Tone
from clearwindow.sandbox.exchange.money import Denomination, UnknownAmountError

KEY_FIELDS: Final = frozenset({"connectionToken", "apiKey"})
"""What a client proves with that the connection is its own; which of them depends on the partner's schema."""

_DONE: Final = {Outcome.CLEARED: "cleared", Outcome.RELEASED: "released"}


@dataclass(frozen=True, slots=True)
class Reply:
    status: HTTPStatus = HTTPStatus.OK
    body: Mapping[str, object] = field(default_factory=dict)


class _Body(BaseModel):
    """A body of the network's: what it says beyond what is read here is left alone."""

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
    """What is final of a settlement of ours, once clients can object no more."""

    settlement_id: str
    external_id: str
    settlement_amounts: dict[str, dict[str, str]]
    disputes: tuple[RaisedDispute, ...]
    settling_disputes: tuple[RaisedDispute, ...]
    top_up_deadline: str


B = TypeVar("B", bound=_Body)


class MisunderstoodError(Exception):
    """A body that is not what the protocol says; the message says where."""


class Calls:
    """The partner's side of the protocol."""

    def __init__(
        self,
        accounts: Accounts,
        denomination: Denomination,
        finalized: Callable[[Finalization], None],
        say: Say,
        heard: Callable[[], None] | None = None,
    ) -> None:
        """Begins.

        Args:
            accounts: what each connection has here.
            denomination: our names and unit.
            finalized: is told what is final of a settlement.
            say: is told what happens.
            heard: of an exchange that answers later: is told that something was asked.
        """
        self._accounts = accounts
        self._denomination = denomination
        self._finalized = finalized
        self._say = say
        self._heard = heard

    def connect(self, body: Mapping[str, Any], _: str) -> Reply:
        """A client connects. A real exchange looks its key up; this one takes any, as long as there is one."""
        asked = _read(NewConnection, body)
        ids = {"clientId": asked.client_id, "connectionId": asked.connection_id}
        if not any(isinstance(body.get(name), str) and body[name] for name in KEY_FIELDS):
            self._say(Event("connection.refused", f"{asked.connection_id}: without a key", ids, Tone.NOTICE))
            return Reply(body={**ids, "rejectionReason": "the connection has no key of ours"})
        account = self._accounts.open(asked.connection_id, asked.client_id)
        own = {"partnersClientId": account.own_client_id, "partnersConnectionId": account.own_connection_id}
        self._say(Event("connection.opened", f"{asked.connection_id} of client {asked.client_id}", ids, Tone.GOOD))
        return Reply(body={**ids, **own})

    def ask(self, kind: Kind, body: Mapping[str, Any]) -> Reply:
        """A client wants to bring funds, or take them back; they are held already, and wait for our word."""
        asked = _read(AskedFunds, body)
        asked_id = asked.allocation_id if kind is Kind.ALLOCATION else asked.deallocation_id
        if asked_id is None:
            raise MisunderstoodError(f"{kind}Id is missing")
        repeated = {name: body[name] for name in (f"{kind}Id", "amount", "clientId", "connectionId")}
        amount_text = f"{asked.amount.quantity} {asked.amount.currency}"
        fields = {f"{kind}Id": asked_id, "connectionId": asked.connection_id, "amount": repeated["amount"]}
        if self._heard is not None:
            self._heard()
            self._say(Event(f"{kind}.heard", f"{amount_text} on {asked.connection_id}: answered later", fields))
            return Reply(body={**repeated, f"partners{kind.capitalize()}Id": own_id(kind, asked_id)})
        answer = self._answer(kind, asked_id, asked)
        if answer.refusal is not None:
            said = f"{amount_text} refused: {answer.refusal}"
            refusal = {"rejectionReason": answer.refusal}
            self._say(Event(f"{kind}.refused", said, {**fields, **refusal}, Tone.NOTICE))
            return Reply(body={**repeated, **refusal})
        self._say(Event(f"{kind}.agreed", f"{amount_text} on {asked.connection_id}", fields))
        account = self._accounts.find(asked.connection_id)
        names = (
            {}
            if account is None
            else {
                "partnersClientId": account.own_client_id,
                "partnersConnectionId": account.own_connection_id,
            }
        )
        return Reply(body={**repeated, **names, f"partners{kind.capitalize()}Id": answer.own_id})

    def tell(self, kind: Kind, outcome: Outcome, body: Mapping[str, Any], subject_id: str) -> Reply:
        """What became of it. There is nothing to answer but that we have heard."""
        asked = _read(AskedFunds, body)
        self._accounts.tell(asked.connection_id, subject_id, outcome)
        fields = {f"{kind}Id": subject_id, "connectionId": asked.connection_id}
        said = f"{asked.amount.quantity} {asked.amount.currency} on {asked.connection_id}"
        self._say(ended(kind, outcome, said, fields))
        return Reply()

    def finalize(self, body: Mapping[str, Any], subject_id: str) -> Reply:
        """What is final of a settlement. We look whether it is what we sent, and acknowledge it either way.

        The deadline does not wait for us, and an answer that is none would only have it told again.
        """
        told = _read(Finalization, body)
        if told.settlement_id != subject_id:
            raise MisunderstoodError("settlementId is not the one in the path")
        self._finalized(told)
        return Reply(body={"settlementId": subject_id})

    def _answer(self, kind: Kind, asked_id: str, asked: AskedFunds) -> Answer:
        amount = asked.amount
        try:
            question = question_of(
                self._denomination, kind, asked_id, asked.connection_id, amount.currency, amount.quantity
            )
        except UnknownAmountError as error:
            return Answer("", str(error))
        return self._accounts.ask(question)


def question_of(
    denomination: Denomination,
    kind: Kind,
    asked_id: str,
    connection_id: str,
    currency: str,
    quantity: str | Decimal,
) -> Question:
    """What the network asks, in our own name and whole units.

    Raises:
        UnknownAmountError: it is no amount of ours.
    """
    amount = denomination.read(currency, quantity)
    if amount <= 0:
        raise UnknownAmountError("the amount is not above zero")
    return Question(kind, asked_id, connection_id, denomination.own_name(currency), amount)


def ended(kind: Kind, outcome: Outcome, said: str, fields: Mapping[str, object]) -> Event:
    """The event that says what became of a question."""
    tone = Tone.GOOD if outcome is Outcome.CLEARED else Tone.NOTICE
    return Event(f"{kind}.{_DONE[outcome]}", said, fields, tone)


def _read(model: type[B], body: Mapping[str, Any]) -> B:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise MisunderstoodError(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from None
