"""Takes the signature of a text that a page has shown, and sends the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import Response

from clearwindow.console import signing
from clearwindow.console.exchanges.acts import ACTS as OF_EXCHANGES
from clearwindow.console.forms import FILE_BYTES, text_of
from clearwindow.console.members.webhooks import ACTS as OF_WEBHOOKS
from clearwindow.console.routing import Pages, Visit
from clearwindow.console.rules import PREFIX
from clearwindow.console.signing import Act
from clearwindow.console.traders.acts import ACTS as OF_TRADERS
from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.work import Work
from clearwindow.custody.wallets.routes import sign_payload
from clearwindow.signing.models import Operation

pages: Final = Pages(for_operators=False)

_ACTS: Final[Mapping[Operation, Act]] = {act.operation: act for act in (*OF_TRADERS, *OF_EXCHANGES, *OF_WEBHOOKS)}


def again(visit: Visit) -> Response:
    """Shows the text again, and why it was refused."""
    text = visit.form.get(signing.PAYLOAD, "")
    return signing.show(visit, _act_of(signing.read(text)), text)


@pages.does("/signed", again, limit_bytes=FILE_BYTES)
@pages.does("/signed/settlement", again, limit_bytes=FILE_BYTES, work=Work.LARGE_BODY)
@pages.does("/signed/to-partner", again, limit_bytes=FILE_BYTES, work=Work.WAITS_FOR_PARTNER)
def send(visit: Visit) -> Response:
    signed = signing.read(visit.form.get(signing.PAYLOAD, ""))
    act = _act_of(signed)
    if visit.request.url.path != f"{PREFIX}{act.sent_to}":
        raise InvalidRequestError("request_invalid", "payload: is sent to another address of the console")
    return signing.send(visit, act, signed, _signature(visit, act, signed.text))


def _act_of(signed: signing.SignedText) -> Act:
    act = _ACTS.get(signed.operation)
    if act is None:
        raise InvalidRequestError(
            "request_invalid",
            f"payload: the console has no page for {signed.operation}: use clearwindow call with --sign",
        )
    return act


def _signature(visit: Visit, act: Act, text: str) -> str:
    if visit.form.get("key") == "custodian":
        account_id = signing.account_of(visit, act)
        if account_id is not None:
            wanted = {"payload": text}
            return _signed_by_custodian(visit, wanted, account_id)
    given = text_of(visit.files["file"], "file") if "file" in visit.files else visit.form.get("signature", "")
    first, *_ = given.strip().splitlines() or [""]
    if not first.strip():
        raise InvalidRequestError(
            "request_invalid", "signature: paste the signature of the text, or choose the file that has it"
        )
    return first.strip()


def _signed_by_custodian(visit: Visit, wanted: Mapping[str, object], account_id: str) -> str:
    answer = visit.desk.act(sign_payload, wanted, signing.SIGN_WITH_CUSTODIAN, wallet_id=account_id)
    return str(getattr(answer, "signature", ""))
