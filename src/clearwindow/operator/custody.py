"""Use cases about money that enters and leaves the network."""

from __future__ import annotations

from clearwindow.access.values import Operator
from clearwindow.accounts import custody
from clearwindow.accounts import service as accounts
from clearwindow.accounts.custody import CustodyOutcome
from clearwindow.accounts.values import BalanceKey, GoAccount
from clearwindow.audit import service as audit
from clearwindow.database.pool import Transaction
from clearwindow.ids import parse_go_account_id
from clearwindow.notices import service as notices
from clearwindow.notices.values import Event, EventType
from clearwindow.operator.accounts_wire import CustodyRequest
from clearwindow.runtime import Runtime
from clearwindow.settlements import funding


def deposit(runtime: Runtime, actor: Operator, go_account_id: str, request: CustodyRequest) -> CustodyOutcome:
    with runtime.transaction() as tx:
        account, key = _place(tx, go_account_id, request.currency)
        # Before the balance, as executing does: the two would otherwise wait for each other.
        waiting = funding.lock_partners_of(tx, account.id)
        outcome = custody.deposit(tx, runtime.ids.new(), key, int(request.quantity), request.reference)
        if not outcome.replayed:
            _tell(tx, actor, account, outcome)
            funding.wake_waiting(tx, waiting)
    return outcome


def withdraw(runtime: Runtime, actor: Operator, go_account_id: str, request: CustodyRequest) -> CustodyOutcome:
    with runtime.transaction() as tx:
        account, key = _place(tx, go_account_id, request.currency)
        quantity, reference = int(request.quantity), request.reference
        outcome = custody.withdraw(tx, runtime.ids.new(), key, quantity, reference)
        if not outcome.replayed:
            _tell(tx, actor, account, outcome)
    return outcome


def _place(tx: Transaction, go_account_id: str, currency: str) -> tuple[GoAccount, BalanceKey]:
    account = accounts.require_go_account(tx, parse_go_account_id(go_account_id))
    return account, BalanceKey(account.id, accounts.require_currency(tx, currency))


def _tell(tx: Transaction, actor: Operator, account: GoAccount, outcome: CustodyOutcome) -> None:
    movement, balance = outcome.movement, outcome.balance
    moved = {
        "entryId": str(movement.entry_id),
        "kind": movement.kind,
        "currency": movement.key.currency,
        "quantity": str(movement.quantity),
    }
    audit.record(tx, actor, f"{movement.kind}.made", account.id.hex, reference=movement.reference, **moved)
    standing = {"available": str(balance.available), "held": str(balance.held)}
    payload = {"goAccountId": account.id.hex, **moved, **standing}
    notices.record(tx, [Event(EventType.BALANCE_CHANGED, account.enterprise_id, account.id, payload)])
