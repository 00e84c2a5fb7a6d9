"""Whether the texts of a Go Account must say what they are for. Protocol §11."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from clearwindow.core.errors import ConflictError, NotFoundError
from clearwindow.core.ids import NIL, parse_go_account_id
from clearwindow.core.money import AmountUnit
from clearwindow.custody import signatures, store
from clearwindow.custody.models import GoAccount
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Member, Operator
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.signing import nonces
from clearwindow.signing.intent import with_intent
from clearwindow.signing.models import Operation, SignedRequest
from clearwindow.signing.schemas import SigningOptions

Replayed = bool


def turn_intent_on(
    runtime: Runtime, member: Member, go_account_id: str, signed: SignedRequest
) -> tuple[GoAccount, Replayed]:
    """Has the account require that its texts say what they are for, as its owner signed. It may do so already.

    Raises:
        NotFoundError: the enterprise has no such Go Account.
        ConflictError: the nonce or the text is used.
    """
    signed = signatures.require_match(signed)
    with runtime.transaction() as tx:
        account = own_account(tx, member, go_account_id)
        if nonces.is_repeat(tx, member.enterprise_id, signed, account.id):
            # Read anew: the first request may have changed it since it was read above.
            return own_account(tx, member, go_account_id), True
        verified = signatures.verify(tx, account.id, signed)
        account = store.lock_go_account(tx, account.id) or account
        if not nonces.use(tx, member.enterprise_id, verified, ConflictError, account.id):
            return account, True
        return _change(tx, member, account, required=True), False


def turn_intent_off(tx: Transaction, actor: Operator, account: GoAccount) -> GoAccount:
    """Has the account require nothing of its texts any more. It may do so already.

    What this takes away protects the account's owner, so that operators propose it (``custody.acts``).
    """
    account = store.lock_go_account(tx, account.id) or account
    return _change(tx, actor, account, required=False)


def fields_to_sign(
    runtime: Runtime,
    member: Member,
    fields: Mapping[str, object],
    operation: Operation,
    path_ids: Mapping[str, str],
    options: SigningOptions,
    amount_unit: AmountUnit | None = None,
) -> Mapping[str, object]:
    """Returns the fields that a signing helper writes, with what they are for if account or caller wants it.

    ``path_ids`` are those of the request that is signed.
    """
    with runtime.transaction() as tx:
        account = store.find_default_go_account(tx, member.enterprise_id)
        if not options.intent and not (account and account.require_intent):
            return fields
        return with_intent(fields, operation, path_ids, tx.now() + options.validity, amount_unit)


def own_account(tx: Transaction, member: Member, go_account_id: str) -> GoAccount:
    """Returns the account of the member's enterprise. Another's raises the same error as an unknown one."""
    account = store.find_go_account(tx, parse_go_account_id(go_account_id) or NIL)
    if account is None or account.enterprise_id != member.enterprise_id:
        raise NotFoundError("go_account_unknown", "the enterprise has no Go Account with this id")
    return account


def _change(tx: Transaction, actor: Member | Operator, account: GoAccount, *, required: bool) -> GoAccount:
    if account.require_intent is required:
        return account
    store.set_require_intent(tx, account.id, required=required)
    audit.record(tx, actor, "go_account.intent_changed", account.id.hex, requireIntent=required)
    payload = {"goAccountId": account.id.hex, "requireIntent": required}
    outbox.record(tx, [Event(EventType.ACCOUNT_INTENT_CHANGED, account.enterprise_id, account.id, payload)])
    return replace(account, require_intent=required)
