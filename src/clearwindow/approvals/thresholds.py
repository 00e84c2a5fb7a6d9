"""Setting thresholds: a stricter one counts at once, a laxer one waits for a second user."""

from __future__ import annotations

from collections.abc import Mapping

from clearwindow.access import service as access
from clearwindow.access.values import Member
from clearwindow.accounts import service as accounts
from clearwindow.approvals import rules, service, store
from clearwindow.approvals.values import Approval, ApprovalKind, Change, Changed, Wish
from clearwindow.audit import service as audit
from clearwindow.database.pool import Transaction
from clearwindow.errors import InvalidRequestError
from clearwindow.http.bodies import quoted
from clearwindow.money import canonical_currency
from clearwindow.network import service as network
from clearwindow.runtime import Runtime


def thresholds_of(runtime: Runtime, member: Member) -> dict[str, int]:
    with runtime.transaction() as tx:
        network.require_client(tx, member.enterprise_id)
        return store.thresholds(tx, member.enterprise_id)


def change(runtime: Runtime, member: Member, asked: Mapping[str, int | None]) -> Changed:
    """Sets the thresholds that are named, None for none at all; what is not named stays.

    Raises:
        InvalidRequestError: a currency that the network does not know, or one that is named twice.
        ConflictError: another change of one of them waits.
    """
    with runtime.transaction() as tx:
        network.require_client(tx, member.enterprise_id)
        wanted = _known(tx, asked)
        access.lock_enterprise(tx, member.enterprise_id)
        standing = store.thresholds(tx, member.enterprise_id)
        already = store.waiting_changes(tx, member.enterprise_id)
        changes = {currency: rules.change_of(standing.get(currency), wanted[currency]) for currency in wanted}
        at_once = {
            currency: quantity
            for currency, quantity in wanted.items()
            if quantity is not None and changes[currency] is Change.AT_ONCE
        }
        if at_once:
            store.put_thresholds(tx, member.enterprise_id, member.user_id, at_once)
            told = {currency: str(quantity) for currency, quantity in at_once.items()}
            audit.record(tx, member, "approval_thresholds.changed", member.enterprise_id, thresholds=told)
        waiting = [
            _waiting(tx, runtime, member, already.get(currency), _raising(currency, standing[currency], quantity))
            for currency, quantity in sorted(wanted.items())
            if changes[currency] is Change.AFTER_APPROVAL
        ]
        return Changed({**standing, **at_once}, waiting)


def _known(tx: Transaction, asked: Mapping[str, int | None]) -> dict[str, int | None]:
    wanted = {canonical_currency(name): quantity for name, quantity in asked.items()}
    if len(wanted) < len(asked):
        raise InvalidRequestError("currency_twice", "thresholds: a currency is named twice, with and without ofc")
    unknown = sorted(set(wanted) - set(accounts.currencies(tx, sorted(wanted))))
    if unknown:
        raise InvalidRequestError("currency_unknown", f"thresholds: the network does not know {quoted(unknown[0])}")
    return wanted


def _raising(currency: str, threshold: int, quantity: int | None) -> Wish:
    return Wish(ApprovalKind.THRESHOLD, currency, quantity, threshold)


def _waiting(tx: Transaction, runtime: Runtime, member: Member, already: Approval | None, wish: Wish) -> Approval:
    if already is not None:
        rules.require_same_change(already, wish)
        return already
    return service.request(tx, member, runtime.ids.new(), wish)
