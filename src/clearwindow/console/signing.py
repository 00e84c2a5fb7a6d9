"""Acts that are signed: the text to sign and its page. Private keys never come here. Protocol §3, §11."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from fastapi import Response

from clearwindow.console.routing import Visit
from clearwindow.console.signed_words import Fact, facts_of
from clearwindow.core.errors import InvalidRequestError, RequestError
from clearwindow.core.money import AmountUnit
from clearwindow.core.strict_json import JsonError, JsonValue, parse_json
from clearwindow.custody.wallets.routes import get_wallet
from clearwindow.signing.intent import DEFAULT_VALIDITY, path_ids_of, with_intent
from clearwindow.signing.models import Operation
from clearwindow.signing.payload import INTENT_MEMBERS, payload_text

PAYLOAD: Final = "payload"
SIGN_WITH_CUSTODIAN: Final = "v2OfcWalletTxSignPostRoute"
_SIGNATURE_NEEDED: Final = "signature_required"
_SHOWN_IN_COMMAND: Final = 8_000
"""A longer body is in a file for the command: a terminal takes no line of any length."""

Finish = Callable[[Visit, Mapping[str, str], Any], Response]
"""What the browser gets after the act: of the visit, the ids of the path, and the operation's answer."""


@dataclass(frozen=True, slots=True)
class Act:
    """An act of a page that is signed.

    Attributes:
        endpoint: the API's function, and ``operation_id`` its name in the table of roles.
        method: of the API's route, and ``path`` behind the enterprise, with the names of its ids.
        parameters: the names of the function's parameters by the names of these ids.
        title: what the page calls it.
        finish: what comes after it.
        version: of the API's route.
        sent_to: which of the console's addresses takes the signature: it has the threads for this kind of work.
        as_exchange: whether the account that it has as an exchange signs it, not that which it has as a client.
    """

    operation: Operation
    endpoint: Callable[..., Any]
    operation_id: str
    method: str
    path: str
    title: str
    finish: Finish
    parameters: Mapping[str, str] = field(default_factory=dict)
    version: int = 1
    sent_to: str = "/signed"
    as_exchange: bool = False


@dataclass(frozen=True, slots=True)
class SignedText:
    """A text to sign, read again: what it is for, and the fields of the request that it belongs to."""

    text: str
    operation: Operation
    ids: Mapping[str, str]
    fields: Mapping[str, JsonValue]


def do_or_sign(visit: Visit, act: Act, ids: Mapping[str, str], fields: Mapping[str, object]) -> Response:
    """Carries out a change that is signed only if the enterprise's account requires it; then shows the text.

    Raises:
        RequestError: the operation refuses for another reason.
    """
    try:
        answer = visit.desk.act(act.endpoint, fields, act.operation_id, **_values(act, ids))
    except RequestError as error:
        if error.name != _SIGNATURE_NEEDED:
            raise
        return to_sign(visit, act, ids, fields)
    return act.finish(visit, ids, answer)


def to_sign(
    visit: Visit,
    act: Act,
    ids: Mapping[str, str],
    fields: Mapping[str, object],
    *,
    amount_unit: AmountUnit | None = None,
) -> Response:
    """Returns the page with the text to sign for these fields, after a check of their shape.

    ``amount_unit`` is that of the request's amounts, if they are in the exchange's own unit.

    Raises:
        RequestError: the role may not, or the operation would not take the fields.
    """
    named = {"nonce": uuid4().hex, **fields}
    visit.desk.require(act.operation_id)
    visit.desk.check(act.endpoint, {**named, "payload": "{}", "signature": "-"})
    known = {"enterpriseId": str(visit.visitor.actor.enterprise_id), **ids}
    said = with_intent(named, act.operation, known, visit.now() + DEFAULT_VALIDITY, amount_unit)
    return show(visit, act, payload_text(said))


def show(visit: Visit, act: Act, text: str) -> Response:
    """Returns the page with this text, what it means in words, and how to sign it."""
    signed = read(text)
    return visit.show(
        "signing/sign.html",
        act=act,
        text=text,
        size=len(text.encode()),
        facts=_facts(visit, signed),
        command=command_of(act, signed),
        custodian=_custodian(visit, act),
        expires_at=_text(parse_json(text, what="payload"), "expiresAt"),
        sent_to=act.sent_to,
        unsigned_fields=json.dumps(_plain(signed.fields), ensure_ascii=False, separators=(",", ":")),
    )


def read(text: str) -> SignedText:
    """Returns what a text says that it is for, and the fields of its request.

    Raises:
        InvalidRequestError: it is no text of this console.
    """
    try:
        document = parse_json(text, what="payload")
    except JsonError as error:
        raise InvalidRequestError("payload_not_json", error.message) from None
    named = _text(document, "operation")
    if not isinstance(document, dict) or named not in list(Operation):
        raise InvalidRequestError("payload_not_object", "payload: names no operation of this network")
    operation = Operation(named)
    ids = path_ids_of(operation)
    found = {name: _text(document, name) for name in ids}
    fields = {name: value for name, value in document.items() if name not in {*INTENT_MEMBERS, *ids}}
    try:
        payload_text(fields)
    except JsonError as error:
        raise InvalidRequestError("payload_not_json", error.message) from None
    return SignedText(text, operation, found, fields)


def send(visit: Visit, act: Act, signed: SignedText, signature: str) -> Response:
    """Sends the request of this text with its signature, as the API takes it.

    Raises:
        RequestError: the operation refuses.
    """
    body = {**_plain(signed.fields), "payload": signed.text, "signature": signature}
    answer = visit.desk.act(act.endpoint, body, act.operation_id, **_values(act, signed.ids))
    return act.finish(visit, signed.ids, answer)


def command_of(act: Act, signed: SignedText) -> str:
    """Returns the command that signs the same request on its signer's machine and sends it.

    It has the same nonce: the request is carried out once, whichever of both ways comes first.
    """
    ids = {name: quote(value, safe="") for name, value in signed.ids.items()}
    path = f"/api/network/v{act.version}/enterprises/{{me}}{act.path.format(**ids)}"
    data = json.dumps(_plain(signed.fields), ensure_ascii=False, separators=(",", ":"))
    unit = _text(parse_json(signed.text, what="payload"), "amountUnit")
    words = ["clearwindow", "call", act.method, path, "--sign", *(["--amount-unit", unit] if unit else [])]
    given = ["--data", data] if len(data) <= _SHOWN_IN_COMMAND else ["--data-file", "request.json"]
    return shlex.join([*words, *given])


def account_of(visit: Visit, act: Act) -> str | None:
    """Returns the id of the Go Account whose keys sign this act of the enterprise."""
    own = visit.sides()
    party = own.partner if act.as_exchange else own.client or own.partner
    return party.go_account_id.hex if party else None


def _custodian(visit: Visit, act: Act) -> bool:
    """Returns whether the visitor may have the custodian's key sign."""
    actor, account_id = visit.visitor.actor, account_of(visit, act)
    if account_id is None or not getattr(actor, "may_use_custodian_key", False):
        return False
    if not visit.desk.may(SIGN_WITH_CUSTODIAN):
        return False
    return not visit.desk.read(get_wallet, "v2OfcWalletGetRoute", wallet_id=account_id).user_key_signing_required


def _facts(visit: Visit, signed: SignedText) -> list[Fact]:
    return facts_of(signed.operation, {**signed.ids, **_plain(signed.fields)}, visit.amounts())


def _values(act: Act, ids: Mapping[str, str]) -> dict[str, object]:
    return {parameter: ids[name] for name, parameter in act.parameters.items()}


def _plain(fields: Mapping[str, JsonValue]) -> dict[str, Any]:
    # No text of the console has a number outside of a text: the protocol's amounts are texts.
    return json.loads(payload_text(fields))  # type: ignore[no-any-return]


def _text(document: JsonValue, name: str) -> str:
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""
