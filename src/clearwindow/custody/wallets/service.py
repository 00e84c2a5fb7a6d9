"""Use cases about wallets: one function, one transaction. Another's wallet is one that does not exist."""

from __future__ import annotations

import hashlib

from clearwindow.access.values import Member
from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import GoAccount, GoAccountKey
from clearwindow.audit import service as audit
from clearwindow.database.pool import Transaction
from clearwindow.errors import NotFoundError
from clearwindow.ids import NIL, parse_go_account_id, parse_uuid
from clearwindow.runtime import Runtime
from clearwindow.signing import custodian
from clearwindow.wallets import rules
from clearwindow.wallets.values import Wallet


def find_wallet(runtime: Runtime, member: Member, wallet_id: str) -> Wallet:
    with runtime.transaction() as tx:
        account = _own_account(tx, member, wallet_id)
        return Wallet(account, rules.keys_to_try(accounts.keys_of(tx, account.id)))


def find_key(runtime: Runtime, member: Member, key_id: str) -> GoAccountKey:
    with runtime.transaction() as tx:
        found = accounts.key_in_force(tx, parse_uuid(key_id) or NIL)
    if found is None or found[0].enterprise_id != member.enterprise_id:
        raise NotFoundError("key_unknown", "your enterprise has no key in force with this id")
    return found[1]


def sign_payload(runtime: Runtime, member: Member, wallet_id: str, payload: str) -> str:
    """The custodian's signature of exactly this text; the audit trail has the text's hash."""
    custodian.require_signable(payload)
    with runtime.transaction() as tx:
        account = _own_account(tx, member, wallet_id)
        key_id, signature = custodian.sign(runtime, tx, account.id, payload)
        digest = hashlib.sha256(payload.encode()).hexdigest()
        audit.record(tx, member, "payload.signed", wallet_id, keyId=str(key_id), payloadSha256=digest)
    return signature


def _own_account(tx: Transaction, member: Member, wallet_id: str) -> GoAccount:
    account_id = parse_go_account_id(wallet_id)
    account = accounts.go_account(tx, account_id) if account_id else None
    if account is None or account.enterprise_id != member.enterprise_id:
        raise NotFoundError("wallet_unknown", "your enterprise has no wallet with this id")
    return account
