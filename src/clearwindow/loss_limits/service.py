"""A client reads and sets the limits of loss of one of its connections. Protocol §5."""

from __future__ import annotations

from uuid import UUID

from clearwindow.core.errors import InvalidRequestError, NotFoundError
from clearwindow.core.money import canonical_currency
from clearwindow.core.text import quoted
from clearwindow.custody import changes as signed_changes
from clearwindow.custody import store as custody
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.loss_limits import events, rules, store
from clearwindow.loss_limits.models import Limits, LimitsByCurrency, Owned, Standing
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.signing.models import SignedRequest

_NONE = Standing(Limits())
Replayed = bool


def limits_of(runtime: Runtime, member: Member, connection_id: UUID) -> dict[str, Standing]:
    """Returns the limits by our currency name. A currency that is missing has none."""
    with runtime.transaction() as tx:
        owned = _owned(tx, member, connection_id)
        return _shown(tx, owned)


def change(
    runtime: Runtime,
    member: Member,
    connection_id: UUID,
    asked: LimitsByCurrency,
    request: SignedRequest | None,
) -> tuple[dict[str, Standing], Replayed]:
    """Sets the limits of the currencies in ``asked``. Lower ones apply at once, higher ones after the cool-off.

    Raises:
        InvalidRequestError: the network does not know a currency, or a currency is named twice. Or the client's
            account requires intent and the change is not signed, or its signature is malformed or used.
        NotAuthenticatedError: no active key of the account made the signature.
        NotFoundError: the client has no such connection.
    """
    request = signed_changes.require_match(request)
    with runtime.transaction() as tx:
        owned = _owned(tx, member, connection_id)
        account_id = parties.require_client(tx, member.enterprise_id).go_account_id
        wanted = _known(tx, asked)
        # Settlements read the limits under this lock: none that is received later uses an older limit.
        parties.lock_partner(tx, owned.partner_id)
        conflict = InvalidRequestError
        if not signed_changes.accept(tx, member.enterprise_id, account_id, request, owned.connection_id, conflict):
            return _shown(tx, owned), True
        now = tx.now()
        before = store.limits_of(tx, connection_id)
        after = {
            currency: rules.changed(before.get(currency, _NONE), limits, now) for currency, limits in wanted.items()
        }
        changed = {
            currency: standing
            for currency, standing in after.items()
            if standing != rules.at(before.get(currency, _NONE), now)
        }
        if changed:
            store.put(tx, owned, member.user_id, changed)
            events.record(tx, member.enterprise_id, owned, changed)
            audit.record(tx, member, "loss_limits.changed", connection_id, currencies=sorted(changed))
        return _shown(tx, owned), False


def _shown(tx: Transaction, owned: Owned) -> dict[str, Standing]:
    now = tx.now()
    current = {name: rules.at(standing, now) for name, standing in store.limits_of(tx, owned.connection_id).items()}
    return {name: standing for name, standing in current.items() if standing != _NONE}


def _owned(tx: Transaction, member: Member, connection_id: UUID) -> Owned:
    client = parties.require_client(tx, member.enterprise_id)
    connection = network.connection_of_client(tx, client.id, connection_id)
    if connection is None:
        raise NotFoundError("connection_unknown", "the enterprise has no connection with this id")
    return Owned(connection.id, connection.partner_id)


def _known(tx: Transaction, asked: LimitsByCurrency) -> dict[str, Limits]:
    wanted = {canonical_currency(name): limits for name, limits in asked.items()}
    if len(wanted) < len(asked):
        raise InvalidRequestError("currency_twice", "lossLimits: a currency is named twice, with and without ofc")
    unknown = sorted(set(wanted) - set(custody.currencies(tx, sorted(wanted))))
    if unknown:
        raise InvalidRequestError("currency_unknown", f"lossLimits: the network does not know {quoted(unknown[0])}")
    return wanted
