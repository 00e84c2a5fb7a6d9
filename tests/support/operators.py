"""The operator's calls over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx2

from clearwindow.signing.keys import PrivateKey, generate_private_key
from tests.support.exchanges import check_response
from tests.support.http import loopback_client

PREFIX = "/api/operator/v1"
READ, WRITE = "settlement_network_read", "settlement_network_write"
TIMEOUT_SECONDS = 60
Json = dict[str, Any]
Hooks = Sequence[Callable[[httpx2.Response], None]]
"""What each answer goes through."""
CHECKED: Final[Hooks] = (check_response,)


@dataclass(frozen=True)
class GoAccountHandle:
    """A Go Account with its signing key."""

    id: str
    enterprise_id: str
    key: PrivateKey
    key_id: str


def make_key(number: int = 0) -> PrivateKey:
    """Returns the same key for the same number: keys of tests are not secrets."""
    return generate_private_key(number.to_bytes(32, "big"))


class OperatorClient:
    """Typed helpers return what they made, or fail. ``post``, ``get`` and so on return any answer."""

    def __init__(self, base_url: str, token: str, *, hooks: Hooks = CHECKED) -> None:
        self.base_url = base_url
        self.hooks = hooks
        self._http = loopback_client(
            base_url=base_url + PREFIX,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
            event_hooks={"response": list(hooks)},
        )
        self._made = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> httpx2.Response:  # noqa: ANN401 - whatever a query takes
        return self._http.get(path, params=params)

    def post(
        self, path: str, body: Mapping[str, object] | None = None, *, code: str | None = None
    ) -> httpx2.Response:
        """``code``: of the operator's second factor."""
        return self._http.post(path, json=body, headers=_code_header(code))

    def post_raw(self, path: str, content: bytes) -> httpx2.Response:
        return self._http.post(path, content=content, headers={"Content-Type": "application/json"})

    def patch(self, path: str, body: Mapping[str, object]) -> httpx2.Response:
        return self._http.patch(path, json=body)

    def put(self, path: str, body: Mapping[str, object]) -> httpx2.Response:
        return self._http.put(path, json=body)

    def delete(self, path: str, *, code: str | None = None) -> httpx2.Response:
        return self._http.delete(path, headers=_code_header(code))

    def operator(self, name: str, **more: object) -> Json:
        return self._one("operator", self.post("/operators", {"name": name, **more}))

    def operator_token(self, operator_id: str, **terms: object) -> str:
        return str(self._one("token", self.post(f"/operators/{operator_id}/tokens", terms))["value"])

    def another(self, name: str = "second") -> OperatorClient:
        """Makes another operator, for reviews."""
        token = self.operator_token(self.operator(name)["id"])
        return OperatorClient(self.base_url, token, hooks=self.hooks)

    def enterprise(self, enterprise_id: str | None = None, *, licensed: bool = True, **more: object) -> Json:
        body: Json = {"name": enterprise_id or "an enterprise", "licensed": licensed, **more}
        if enterprise_id is not None:
            body["id"] = enterprise_id
        return self._one("enterprise", self.post("/enterprises", body))

    def user(self, enterprise_id: str, user_id: str | None = None, **more: object) -> Json:
        body: Json = {"name": user_id or "a user", **more}
        if user_id is not None:
            body["id"] = user_id
        return self._one("user", self.post(f"/enterprises/{enterprise_id}/users", body))

    def token(
        self,
        enterprise_id: str,
        user_id: str,
        *,
        scopes: Sequence[str] = (READ, WRITE),
        **terms: object,
    ) -> Json:
        body = {"userId": user_id, "scopes": list(scopes), **terms}
        return self._one("token", self.post(f"/enterprises/{enterprise_id}/tokens", body))

    def user_token(self, enterprise_id: str, user_id: str | None = None, **terms: Any) -> str:  # noqa: ANN401
        """Makes the member if it does not exist, and returns a token of it."""
        user = self.user(enterprise_id, user_id or f"user-of-{enterprise_id}")
        return str(self.token(enterprise_id, user["id"], **terms)["value"])

    def go_account(self, enterprise_id: str, key: PrivateKey | None = None, **more: object) -> GoAccountHandle:
        self._made += 1
        key = key or make_key(self._made)
        body = {"keys": [{"pub": key.xpub}], **more}
        made = self._one("goAccount", self.post(f"/enterprises/{enterprise_id}/go-accounts", body))
        return GoAccountHandle(made["id"], enterprise_id, key, made["keys"][0]["id"])

    def deposit(self, go_account_id: str, currency: str, quantity: int, reference: str | None = None) -> Json:
        return self._ok(self.move("deposits", go_account_id, currency, quantity, reference))

    def withdraw(self, go_account_id: str, currency: str, quantity: int, reference: str | None = None) -> Json:
        return self._ok(self.move("withdrawals", go_account_id, currency, quantity, reference))

    def move(
        self, kind: str, go_account_id: str, currency: str, quantity: int, reference: str | None = None
    ) -> httpx2.Response:
        self._made += 1
        body = {
            "currency": currency,
            "quantity": str(quantity),
            "reference": reference or f"reference-{self._made}",
        }
        return self.post(f"/go-accounts/{go_account_id}/{kind}", body)

    def balances(self, go_account_id: str) -> dict[str, tuple[int, int]]:
        """Returns (available, held) per currency, in base units."""
        found = self._ok(self.get(f"/go-accounts/{go_account_id}/balances"))["balances"]
        return {currency: (int(balance["available"]), int(balance["held"])) for currency, balance in found.items()}

    def check(self) -> list[Json]:
        """Returns the findings of the ledger check."""
        checked = self._ok(self.get("/ledger/check"))
        assert checked["ok"] is (checked["findings"] == [])
        findings: list[Json] = checked["findings"]
        return findings

    def audit_log(self, **filters: object) -> list[Json]:
        records: list[Json] = self._ok(self.get("/audit-log", **filters))["records"]
        return records

    def entries(self, **filters: object) -> list[Json]:
        entries: list[Json] = self._ok(self.get("/ledger/entries", **filters))["entries"]
        return entries

    def events(self, **filters: object) -> list[Json]:
        events: list[Json] = self._ok(self.get("/events", **filters))["events"]
        return events

    @staticmethod
    def _ok(response: httpx2.Response) -> Json:
        assert response.status_code == 200, response.text
        answer: Json = response.json()
        return answer

    def _one(self, name: str, response: httpx2.Response) -> Json:
        made: Json = self._ok(response)[name]
        return made


def _code_header(code: str | None) -> dict[str, str]:
    return {} if code is None else {"Clearwindow-Code": code}
