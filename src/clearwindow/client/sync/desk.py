# Made from ../aio by `make sdk`: change it there.
"""What the calls of an enterprise share: paths, nonces, signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Literal, TypeAlias, TypeVar

from clearwindow.client.answers.base import Value
from clearwindow.client.calls import Answer, Call, json_body, text_of
from clearwindow.client.errors import InvalidRequestError
from clearwindow.client.signing import IntentOptions, UnsignedRequest, clock_behind, unsigned_request
from clearwindow.client.sync.caller import Caller
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Id, plain, query, segment
from clearwindow.signing.intent import with_intent
from clearwindow.signing.models import Operation

T = TypeVar("T")
V = TypeVar("V", bound=Value)

SigningMethod: TypeAlias = Literal["GET", "POST"]
"""The method for a signing helper. GET needs no write scope, but some proxies drop its body; then use POST."""

AmountUnit: TypeAlias = Literal["base", "decimal"]
"""The unit of a partner's amounts, as its configuration says."""


class Desk:
    """One enterprise at one server."""

    def __init__(
        self, caller: Caller, enterprise_id: str, new_nonce: Callable[[], str], intent: IntentOptions
    ) -> None:
        self._caller = caller
        self._enterprise_id = enterprise_id
        self._new_nonce = new_nonce
        self._intent = intent
        self._clock_behind = timedelta(0)

    def path(self, path: str, *ids: Id, version: int = 1) -> str:
        """Returns the whole path, with an id in place of each ``{}``."""
        own = f"/api/network/v{version}/enterprises/{segment(self._enterprise_id)}"
        return own + path.format(*(segment(given) for given in ids))

    def get(self, path: str, read: Callable[[Answer], T], filters: Mapping[str, object] | None = None) -> T:
        return self._caller.send(Call("GET", path, read, query(filters or {}), repeatable=True))

    def pages(self, path: str, name: str, model: type[V], filters: Mapping[str, object]) -> Pages[V]:
        return Pages(self._caller, path, name, model, filters)

    def send(
        self,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        fields: Mapping[str, object] | None = None,
        *,
        repeatable: bool = False,
        options: Mapping[str, object] | None = None,
    ) -> T:
        """Sends an unsigned request. ``options`` go into the query."""
        content = None if fields is None else json_body(fields)
        return self._caller.send(Call(method, path, read, query(options or {}), content, repeatable=repeatable))

    def payload(self, method: SigningMethod, path: str, fields: Mapping[str, object]) -> str:
        """Asks a signing helper for the exact text to sign. It writes nothing and may be repeated."""
        minutes = max(1, self._intent.valid_for // timedelta(minutes=1))
        wanted = {"intent": True, "expires_in_minutes": minutes} if self._intent.from_helpers else {}
        call = Call(method, path, text_of("payload"), query(wanted), json_body(fields), repeatable=True)
        return self._caller.send(call)

    def signed(
        self,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        fields: Mapping[str, object],
        operation: Operation,
        *,
        amount_unit: AmountUnit | None = None,
        repeatable: bool = True,
        **path_ids: Id,
    ) -> T:
        """Signs the fields and sends them; each repeat has the same bytes.

        If our clock is so far behind the server's that the text has expired before it came, it is signed once more.
        A text that was refused has changed nothing.
        """
        named = {"enterpriseId": self._enterprise_id} | {
            name: str(plain(given)) for name, given in path_ids.items()
        }

        def unsigned() -> UnsignedRequest:
            if not self._intent.write:
                return unsigned_request(fields, named)
            expires_at = self._intent.clock() + self._clock_behind + self._intent.valid_for
            return unsigned_request(fields, named, with_intent(fields, operation, named, expires_at, amount_unit))

        content = self._caller.sign(unsigned())
        try:
            return self._caller.send(Call(method, path, read, content=content, repeatable=repeatable))
        except InvalidRequestError as error:
            behind = clock_behind(error, self._intent.clock())
            if behind is None:
                raise
            self._clock_behind = behind
        content = self._caller.sign(unsigned())
        return self._caller.send(Call(method, path, read, content=content, repeatable=repeatable))

    def change(
        self,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        fields: Mapping[str, object] | None,
        operation: Operation,
        *,
        sign: bool,
        repeatable: tuple[bool, bool],
        **path_ids: Id,
    ) -> T:
        """Sends a change that is signed if ``sign`` says so, or if the server refuses it without a signature.

        Args:
            method: of the request.
            path: of the request.
            read: reads the answer.
            fields: what changes.
            operation: what the payload says that it is.
            sign: whether to sign at once. Without a signer, what the server refuses stays refused.
            repeatable: whether an unsigned request may be repeated after a lost answer, and whether a signed one.
            path_ids: the ids in the path, but the enterprise's.
        """
        unsigned_repeatable, signed_repeatable = repeatable
        if not sign:
            try:
                return self.send(method, path, read, fields, repeatable=unsigned_repeatable)
            except InvalidRequestError as error:
                if error.name != "signature_required" or not self._caller.can_sign:
                    raise
        named = {**(fields or {}), "nonce": self.nonce(None)}
        return self.signed(
            method, path, read, named, operation, amount_unit=None, repeatable=signed_repeatable, **path_ids
        )

    def nonce(self, given: str | None) -> str:
        """Returns the given nonce, or a new one."""
        return self._new_nonce() if given is None else given
