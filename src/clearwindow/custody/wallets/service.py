"""Reads wallets and keys, and signs with custodian keys. Another enterprise's wallet is answered as unknown."""

from __future__ import annotations

import hashlib

from clearwindow.core.errors import NotFoundError
from clearwindow.core.ids import NIL, parse_go_account_id, parse_uuid
from clearwindow.custody import custodian, store
from clearwindow.custody.models import GoAccount, GoAccountKey
from clearwindow.custody.wallets import rules
from clearwindow.custody.wallets.models import Wallet
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime


def find_wallet(runtime: Runtime, member: Member, wallet_id: str) -> Wallet:
    with runtime.transaction() as tx:
        account = _own_account(tx, member, wallet_id)
        now = tx.now()
        return Wallet(
            account, rules.keys_to_try([key for key in store.list_keys(tx, account.id) if key.verifies(now)])
        )


def find_key(runtime: Runtime, member: Member, key_id: str) -> GoAccountKey:
    with runtime.transaction() as tx:
        found = store.find_key(tx, parse_uuid(key_id) or NIL)
    if found is None or found[0].enterprise_id != member.enterprise_id:
        raise NotFoundError("key_unknown", "your enterprise has no active key with this id")
    return found[1]


def sign_payload(runtime: Runtime, member: Member, wallet_id: str, payload: str) -> str:
    """Returns the custodian's signature of exactly this text. The audit trail records the hash of the text.

    Raises:
        PermissionDeniedError: the member has no right to it.
    """
    custodian.require_right(member)
    custodian.require_signable(payload)
    with runtime.transaction() as tx:
        account = _own_account(tx, member, wallet_id)
        key_id, signature = custodian.sign(tx, account.id, payload)
        digest = hashlib.sha256(payload.encode()).hexdigest()
        audit.record(tx, member, "payload.signed", wallet_id, keyId=str(key_id), payloadSha256=digest)
    return signature


def _own_account(tx: Transaction, member: Member, wallet_id: str) -> GoAccount:
    account_id = parse_go_account_id(wallet_id)
    account = store.find_go_account(tx, account_id) if account_id else None
    if account is None or account.enterprise_id != member.enterprise_id:
        raise NotFoundError("wallet_unknown", "your enterprise has no wallet with this id")
    return account
