"""Operators open Go Accounts and manage their keys. Each use case is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from clearwindow.core.clock import wire_time
from clearwindow.core.errors import ConflictError, InvalidRequestError, NotFoundError
from clearwindow.core.ids import NIL, parse_go_account_id, parse_uuid
from clearwindow.custody import custodian, store
from clearwindow.custody.models import GoAccount, GoAccountKey, NewGoAccount, OwnKey
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.identity import audit, enterprises
from clearwindow.identity.acts import Scene
from clearwindow.identity.models import Operator
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import AccountKind, Balance
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.signing.keys import parse_public_key


def open_go_account(
    runtime: Runtime, actor: Operator, enterprise_id: str, asked: NewGoAccount
) -> tuple[GoAccount, list[GoAccountKey]]:
    """Opens a Go Account for the enterprise, with at least one key."""
    if not asked.keys and not asked.custodian_key:
        raise InvalidRequestError("no_key", "keys: must have a key, unless custodianKey is true")
    with runtime.transaction() as tx:
        enterprises.lock_enterprise(tx, enterprise_id)
        account_id = tx.new_id()
        ledger.insert_account(tx, account_id, AccountKind.GO, NIL)
        account = store.insert_go_account(tx, account_id, enterprise_id, asked)
        keys = [_key(tx, own) for own in asked.keys]
        _require_distinct(keys)
        for key in keys:
            store.insert_key(tx, account.id, key)
        if asked.custodian_key:
            keys.append(custodian.add_key(tx, account.id, timedelta(0))[0])
        given = {
            "enterpriseId": enterprise_id,
            "keyIds": [str(key.id) for key in keys],
            "custodianKey": asked.custodian_key,
            "requireIntent": asked.require_intent,
        }
        audit.record(tx, actor, "go_account.opened", account.id.hex, **given)
    return account, keys


def add_key(scene: Scene, go_account_id: str, own: OwnKey | None) -> GoAccountKey:
    """Adds the owner's key. If ``own`` is None, the custodian creates and holds a key.

    Its signatures count after the cool-off: whoever owns the account learns of it before.
    """
    tx = scene.tx
    account = require_go_account(tx, go_account_id)
    cool_off = scene.runtime.oversight.key_cool_off
    if own is None:
        key, added = custodian.add_key(tx, account.id, cool_off)
    else:
        key, added = _add_own_key(tx, account.id, _key(tx, own, cool_off))
    if added:
        given = {"keyId": str(key.id), "pub": key.pub, "custodian": key.custodian}
        given |= {"verifiesFrom": wire_time(key.verifies_from)}
        audit.record(tx, scene.operator, "go_account_key.added", go_account_id, **given)
        payload = {"goAccountId": account.id.hex, **given}
        outbox.record(tx, [Event(EventType.GO_ACCOUNT_KEY_ADDED, account.enterprise_id, account.id, payload)])
    return key


def active_key(tx: Transaction, go_account_id: str, own: OwnKey | None) -> GoAccountKey | None:
    """Returns the account's active key with these bytes, or its custodian key; None if it has none."""
    account = require_go_account(tx, go_account_id)
    wanted = None if own is None else parse_public_key(own.pub).compressed
    for key in store.list_keys(tx, account.id):
        if key.revoked_at is None and (key.custodian if wanted is None else key.public_key == wanted):
            return key
    return None


def revoke_key(runtime: Runtime, actor: Operator, go_account_id: str, key_id: str) -> None:
    """Revokes a key. If it is revoked already, nothing changes."""
    with runtime.transaction() as tx:
        account = require_go_account(tx, go_account_id)
        revoked_now = store.revoke_key(tx, account.id, parse_uuid(key_id) or NIL)
        if revoked_now is None:
            raise NotFoundError("key_unknown", "the Go Account has no key with this id")
        if revoked_now:
            audit.record(tx, actor, "go_account_key.revoked", go_account_id, keyId=key_id)
            payload = {"goAccountId": account.id.hex, "keyId": str(parse_uuid(key_id))}
            kind = EventType.GO_ACCOUNT_KEY_REVOKED
            outbox.record(tx, [Event(kind, account.enterprise_id, account.id, payload)])


def balances(runtime: Runtime, go_account_id: str) -> dict[str, Balance]:
    """Returns the account's balances by currency."""
    with runtime.transaction() as tx:
        account = require_go_account(tx, go_account_id)
        return ledger.balances_of(tx, [account.id])[account.id]


def require_go_account(tx: Transaction, go_account_id: str) -> GoAccount:
    account_id = parse_go_account_id(go_account_id)
    account = store.find_go_account(tx, account_id) if account_id else None
    if account is None:
        raise NotFoundError("go_account_unknown", "there is no Go Account with this id")
    return account


def _add_own_key(tx: Transaction, account_id: UUID, key: GoAccountKey) -> tuple[GoAccountKey, bool]:
    """Returns the active key with these bytes, and whether it was added now.

    Raises:
        ConflictError: the account already has the key, in another text form or with another ciphertext.
    """
    for found in store.list_keys(tx, account_id):
        if found.public_key == key.public_key and found.revoked_at is None:
            if (found.pub, found.encrypted_prv) != (key.pub, key.encrypted_prv):
                raise ConflictError(
                    "key_differs",
                    "the Go Account already has this key, with another pub or encryptedPrv: send the same values"
                    " again, or revoke the key first",
                )
            return found, False
    store.insert_key(tx, account_id, key)
    return key, True


def _require_distinct(keys: Sequence[GoAccountKey]) -> None:
    seen: set[bytes] = set()
    for position, key in enumerate(keys):
        if key.public_key in seen:
            raise InvalidRequestError("key_twice", f"keys.{position}.pub: repeats an earlier key of this list")
        seen.add(key.public_key)


def _key(tx: Transaction, own: OwnKey, cool_off: timedelta = timedelta(0)) -> GoAccountKey:
    now = tx.now()
    return GoAccountKey(
        id=tx.new_id(),
        pub=own.pub,
        public_key=parse_public_key(own.pub).compressed,
        encrypted_prv=own.encrypted_prv,
        created_at=now,
        revoked_at=None,
        verifies_from=now + cool_off,
    )
