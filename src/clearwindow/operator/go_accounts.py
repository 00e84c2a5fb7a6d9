"""Use cases about Go Accounts, their keys, and currencies."""

from __future__ import annotations

from collections.abc import Sequence

from clearwindow.access import service as access
from clearwindow.access.values import Operator
from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import Balance, Currency, GoAccount, GoAccountKey
from clearwindow.audit import service as audit
from clearwindow.database.pool import Transaction
from clearwindow.errors import InvalidRequestError
from clearwindow.ids import NIL, parse_go_account_id, parse_uuid
from clearwindow.money import canonical_currency
from clearwindow.operator.accounts_wire import CurrencyRequest, GoAccountRequest, KeyRequest, OwnKeyRequest
from clearwindow.runtime import Runtime
from clearwindow.signing import custodian
from clearwindow.signing.keys import parse_public_key


def open_go_account(
    runtime: Runtime, actor: Operator, enterprise_id: str, request: GoAccountRequest
) -> tuple[GoAccount, list[GoAccountKey]]:
    if not request.keys and not request.custodian_key:
        raise InvalidRequestError("no_key", "keys: must have a key, unless a custodianKey is asked for")
    with runtime.transaction() as tx:
        access.lock_enterprise(tx, enterprise_id)
        account = accounts.open_go_account(tx, runtime.ids.new(), enterprise_id, request.label)
        keys = [_key(runtime, tx, asked) for asked in request.keys]
        _require_distinct(keys)
        for key in keys:
            accounts.add_key(tx, account.id, key)
        if request.custodian_key:
            keys.append(custodian.add_key(runtime, tx, account.id)[0])
        given = {
            "enterpriseId": enterprise_id,
            "keyIds": [str(key.id) for key in keys],
            "custodianKey": request.custodian_key,
        }
        audit.record(tx, actor, "go_account.opened", account.id.hex, **given)
    return account, keys


def add_key(runtime: Runtime, actor: Operator, go_account_id: str, request: KeyRequest) -> GoAccountKey:
    with runtime.transaction() as tx:
        account = accounts.require_go_account(tx, parse_go_account_id(go_account_id))
        own = request.own()
        if own is None:
            key, added = custodian.add_key(runtime, tx, account.id)
        else:
            key, added = accounts.add_key(tx, account.id, _key(runtime, tx, own))
        if added:
            given = {"keyId": str(key.id), "pub": key.pub, "custodian": key.custodian}
            audit.record(tx, actor, "go_account_key.added", go_account_id, **given)
    return key


def revoke_key(runtime: Runtime, actor: Operator, go_account_id: str, key_id: str) -> None:
    with runtime.transaction() as tx:
        account = accounts.require_go_account(tx, parse_go_account_id(go_account_id))
        if accounts.revoke_key(tx, account.id, parse_uuid(key_id) or NIL):
            audit.record(tx, actor, "go_account_key.revoked", go_account_id, keyId=key_id)


def balances(runtime: Runtime, go_account_id: str) -> dict[str, Balance]:
    with runtime.transaction() as tx:
        account = accounts.require_go_account(tx, parse_go_account_id(go_account_id))
        return accounts.balances_of(tx, [account.id])[account.id]


def add_currency(runtime: Runtime, actor: Operator, request: CurrencyRequest) -> Currency:
    wanted = Currency(canonical_currency(request.name), request.backing, request.decimals)
    with runtime.transaction() as tx:
        currency, added = accounts.add_currency(tx, wanted)
        if added:
            given = {"backing": currency.backing, "decimals": currency.decimals}
            audit.record(tx, actor, "currency.added", currency.name, **given)
    return currency


def currencies(runtime: Runtime) -> list[Currency]:
    with runtime.transaction() as tx:
        return list(accounts.currencies(tx).values())


def _require_distinct(keys: Sequence[GoAccountKey]) -> None:
    seen: set[bytes] = set()
    for position, key in enumerate(keys):
        if key.public_key in seen:
            raise InvalidRequestError("key_twice", f"keys.{position}.pub: is the same key as one before it")
        seen.add(key.public_key)


def _key(runtime: Runtime, tx: Transaction, request: OwnKeyRequest) -> GoAccountKey:
    return GoAccountKey(
        id=runtime.ids.new(),
        pub=request.pub,
        public_key=parse_public_key(request.pub).compressed,
        encrypted_prv=request.encrypted_prv,
        created_at=tx.now(),
        revoked_at=None,
    )
