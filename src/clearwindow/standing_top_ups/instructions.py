"""A partner gives, revokes and reads its standing instructions. Protocol §3, §5."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from clearwindow.core.errors import ConflictError, InvalidRequestError, NotFoundError
from clearwindow.core.money import canonical_currency
from clearwindow.core.text import quoted
from clearwindow.custody import intent, signatures
from clearwindow.custody import store as custody
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.network import parties
from clearwindow.network.models import Partner
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.signing import nonces
from clearwindow.signing.models import SignedRequest
from clearwindow.standing_top_ups import events, store
from clearwindow.standing_top_ups.models import NewStandingTopUp, StandingTopUp, StandingTopUpFilter

Replayed = bool


def instruct(
    runtime: Runtime, member: Member, asked: NewStandingTopUp, request: SignedRequest
) -> tuple[StandingTopUp, Replayed]:
    """Records the instruction, signed by a key of the Go Account that the money comes from.

    Settlements that wait for money are tried again with it.

    Raises:
        InvalidRequestError: it is the partner's own account, or the currency is unknown, or the text is wrong.
        NotAuthenticatedError: no active key of the Go Account made the signature.
        NotFoundError: the enterprise has no such Go Account.
        ConflictError: the currency has an instruction already, or the nonce or text is used.
    """
    request = signatures.require_match(request)
    with runtime.transaction() as tx:
        # Executions use what stands under this lock, and the same request that comes twice at once waits for it.
        partner = parties.lock_partner(tx, parties.require_partner(tx, member.enterprise_id).id)
        made = _made_before(tx, member, partner, request)
        if made is not None:
            return made, True
        account = intent.own_account(tx, member, asked.go_account_id)
        currency = _require_possible(tx, partner, account.id, asked.currency)
        verified = signatures.verify(tx, account.id, request)
        _require_first(tx, partner, currency)
        standing = StandingTopUp(
            id=tx.new_id(),
            partner_id=partner.id,
            go_account_id=account.id,
            currency=currency,
            per_settlement=asked.per_settlement,
            created_by=member.user_id,
            created_at=tx.now(),
        )
        if not nonces.claim(tx, member.enterprise_id, verified, ConflictError, standing.id):
            raise nonces.used_before(tx, verified, ConflictError)
        store.insert(tx, standing)
        events.record_created(tx, member.enterprise_id, standing)
        given = {"goAccountId": account.id.hex, "currency": currency, "perSettlement": str(standing.per_settlement)}
        audit.record(tx, member, "standing_top_up.created", standing.id, **given)
        runtime.funding.wake_waiting(tx, [partner.id])
        return standing, False


def revoke(runtime: Runtime, member: Member, standing_id: UUID) -> None:
    """Ends the instruction at once: no execution that begins later uses it. It may have ended already.

    Raises:
        NotFoundError: the partner has no such instruction.
    """
    with runtime.transaction() as tx:
        partner = parties.lock_partner(tx, parties.require_partner(tx, member.enterprise_id).id)
        standing = store.find(tx, partner.id, standing_id)
        if standing is None:
            raise _unknown()
        if standing.revoked_at is not None:
            return
        ended = replace(standing, revoked_by=member.user_id, revoked_at=tx.now())
        store.revoke(tx, ended)
        events.record_revoked(tx, member.enterprise_id, ended)
        audit.record(tx, member, "standing_top_up.revoked", standing.id)


def list_of(runtime: Runtime, member: Member, wanted: StandingTopUpFilter, part: Slice) -> Listing[StandingTopUp]:
    """Returns a page of the partner's instructions, the newest first, revoked ones too."""
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        return store.list_of(tx, partner.id, wanted, part)


def _made_before(tx: Transaction, member: Member, partner: Partner, request: SignedRequest) -> StandingTopUp | None:
    """Returns what exactly this request has made before, as it is now."""
    used = nonces.find(tx, member.enterprise_id, request)
    if used is None or used.record_id is None or not used.serves(request, used.record_id):
        return None
    return store.find(tx, partner.id, used.record_id)


def _require_possible(tx: Transaction, partner: Partner, account_id: UUID, currency: str) -> str:
    if account_id == partner.go_account_id:
        raise InvalidRequestError(
            "standing_top_up_from_itself",
            "goAccountId: the partner settles over this account: name another Go Account of the enterprise",
        )
    ours = canonical_currency(currency)
    if ours not in custody.currencies(tx, [ours]):
        raise InvalidRequestError("currency_unknown", f"currency: the network does not know {quoted(currency)}")
    return ours


def _require_first(tx: Transaction, partner: Partner, currency: str) -> None:
    for standing in store.active_of(tx, partner.id, [currency]):
        raise ConflictError(
            "standing_top_up_exists",
            f"{currency} has a standing top-up already: revoke it first",
            {"standingTopUpId": str(standing.id)},
        )


def _unknown() -> NotFoundError:
    return NotFoundError("standing_top_up_unknown", "the partner has no standing top-up with this id")
