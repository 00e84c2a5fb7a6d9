"""Reads wallets and keys, and signs with custodian keys. Another enterprise's wallet is answered as unknown."""

from __future__ import annotations

import hashlib
from datetime import UTC

from clearwindow.core.errors import NotFoundError
from clearwindow.core.ids import NIL, parse_go_account_id, parse_uuid
from clearwindow.custody import custodian
from clearwindow.custody import store as custody
from clearwindow.custody.models import GoAccount, GoAccountKey
from clearwindow.custody.wallets import rules, store, texts
from clearwindow.custody.wallets.models import KnownText, Names, Wallet
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.signing.intent import require_signable


def find_wallet(runtime: Runtime, member: Member, wallet_id: str) -> Wallet:
    with runtime.transaction() as tx:
        account = _own_account(tx, member, wallet_id)
        now = tx.now()
        keys = [key for key in custody.list_keys(tx, account.id) if key.verifies(now)]
        return Wallet(account, rules.keys_to_try(keys))


def find_key(runtime: Runtime, member: Member, key_id: str) -> GoAccountKey:
    with runtime.transaction() as tx:
        found = custody.find_key(tx, parse_uuid(key_id) or NIL)
    if found is None or found[0].enterprise_id != member.enterprise_id:
        raise NotFoundError("key_unknown", "your enterprise has no active key with this id")
    return found[1]


def sign_payload(runtime: Runtime, member: Member, wallet_id: str, payload: str) -> str:
    """Returns the custodian's signature of exactly this text. The audit trail records the hash of the text.

    If the account requires intent, the text must say what it is for. A text that the key has signed before is
    signed again, and counts once.

    Raises:
        PermissionDeniedError: the member has no right to it.
        NotFoundError: the wallet is not of the member's enterprise, whatever the text.
        UnprocessableError: it is no operation's text, or a limit of the day is exceeded.
    """
    custodian.require_right(member)
    with runtime.transaction() as tx:
        account = _own_account(tx, member, wallet_id)
        document = custodian.require_signable(payload)
        known = texts.recognise(document, member.enterprise_id)
        if account.require_intent:
            require_signable(document, account.enterprise_id, tx.now())
        key_id, signature = custodian.sign(tx, account.id, payload)
        digest = hashlib.sha256(payload.encode())
        if store.insert_signature(tx, member, key_id, digest.digest(), known.operations):
            _count(tx, member, known)
        evidence = {"keyId": str(key_id), "payloadSha256": digest.hexdigest(), "operations": list(known.operations)}
        audit.record(tx, member, "payload.signed", wallet_id, **evidence)
    return signature


def _count(tx: Transaction, member: Member, known: KnownText) -> None:
    """Counts what the text moves, and refuses it beyond the enterprise's limits of the UTC day."""
    if not known.amounts:
        return
    named = {amount.names for amount in known.amounts}
    partners = store.partner_currencies(tx, member.enterprise_id) if named - {Names.OURS} else {}
    ours = custody.currencies(tx) if Names.OURS in named else {}
    added = rules.quantities(known.amounts, ours, partners)
    sums = store.add_to_day(tx, member.enterprise_id, tx.now().astimezone(UTC).date(), added)
    rules.require_within_limits(sums, added)


def _own_account(tx: Transaction, member: Member, wallet_id: str) -> GoAccount:
    account_id = parse_go_account_id(wallet_id)
    account = custody.find_go_account(tx, account_id) if account_id else None
    if account is None or account.enterprise_id != member.enterprise_id:
        raise NotFoundError("wallet_unknown", "your enterprise has no wallet with this id")
    return account
