"""How an enterprise becomes a client or a partner, and what the operator settles about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from clearwindow.access import service as access
from clearwindow.access.values import Member, Operator
from clearwindow.accounts import service as accounts
from clearwindow.audit import service as audit
from clearwindow.database.listing import Listing
from clearwindow.database.pool import Transaction
from clearwindow.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from clearwindow.network import rules, service, store
from clearwindow.network.values import (
    Client,
    CurrencyMap,
    NewPartner,
    Partner,
    PartnerConfiguration,
    PartnerFilter,
)
from clearwindow.partnercalls import service as calls
from clearwindow.partnercalls.values import Endpoint
from clearwindow.runtime import Runtime


class PartnerChanges(TypedDict, total=False):
    """What a patch of a partner names; a window of None is taken away."""

    active: bool
    stable_partner: bool
    client_dispute_window_minutes: Decimal | None
    top_up_window_minutes: Decimal | None
    settlement_transaction_route_id: str | None


class ClientChanges(TypedDict, total=False):
    active: bool


def configure(
    runtime: Runtime, operator: Operator, asked: PartnerConfiguration, endpoint: Endpoint
) -> PartnerConfiguration:
    """Replaces the enterprise's partner configuration as a whole; the same again changes nothing."""
    with runtime.transaction() as tx:
        access.require_enterprise(tx, asked.enterprise_id)
        currencies = rules.our_currencies(asked.currencies, accounts.currencies(tx))
        configuration = replace(asked, currencies=currencies)
        partner = service.partner_of(tx, asked.enterprise_id)
        if partner is not None:
            # A settlement reads unit and names in two statements: it must not see half of the new ones.
            service.lock_partner(tx, partner.id)
        same = store.find_configuration(tx, asked.enterprise_id) == configuration
        if not same:
            store.put_configuration(tx, configuration)
        if not calls.configure(tx, runtime, endpoint) and same:
            return configuration
        audit.record(
            tx,
            operator,
            "partner_configuration.replaced",
            configuration.enterprise_id,
            currencies=currencies,
            amountUnit=str(configuration.amount_unit),
            executeWhenFunded=configuration.execute_when_funded,
            autoApproveClientClosures=configuration.auto_approve_client_closures,
            publicKey=configuration.public_key,
            onchainEnabled=configuration.onchain_enabled,
            lossSlaMinutes=_plain(configuration.loss_sla_minutes),
            gainSlaMinutes=_plain(configuration.gain_sla_minutes),
            callbackUrl=endpoint.callback_url,
            callbackPaths=dict(endpoint.callback_paths),
            asyncAllocations=endpoint.async_allocations,
        )
        return configuration


def change_partner(runtime: Runtime, operator: Operator, partner_id: UUID, changes: PartnerChanges) -> Partner:
    with runtime.transaction() as tx:
        if service.partner_by_id(tx, partner_id) is None:
            raise NotFoundError("partner_unknown", "there is no partner with this id")
        before = service.lock_partner(tx, partner_id)
        changed = replace(before, **changes)
        if changed == before:
            return before
        store.update_partner(tx, changed)
        audit.record(tx, operator, "partner.changed", partner_id, **_auditable(changes))
        return replace(changed, updated_at=tx.now())


def change_client(runtime: Runtime, operator: Operator, client_id: UUID, changes: ClientChanges) -> Client:
    with runtime.transaction() as tx:
        before = service.client_by_id(tx, client_id)
        if before is None:
            raise NotFoundError("client_unknown", "there is no client with this id")
        changed = replace(before, **changes)
        if changed == before:
            return before
        store.update_client(tx, client_id, active=changed.active)
        audit.record(tx, operator, "client.changed", client_id, **changes)
        return replace(changed, updated_at=tx.now())


def become_client(runtime: Runtime, member: Member) -> Client:
    """The enterprise as client; one client per enterprise, so that a repeat gives the same (*choice*)."""
    with runtime.transaction() as tx:
        return _ensure_client(tx, runtime, member)


def become_partner(runtime: Runtime, member: Member, asked: NewPartner) -> Partner:
    """The enterprise as partner, once the operator has configured it."""
    with runtime.transaction() as tx:
        if store.find_configuration(tx, member.enterprise_id) is None:
            raise PermissionDeniedError(
                "partner_configuration_missing",
                "the operator has not configured this enterprise as a partner yet: ask for it first",
            )
        client = _ensure_client(tx, runtime, member)
        partner_id = runtime.ids.new()
        if store.insert_partner(tx, partner_id, client, asked):
            audit.record(tx, member, "partner.created", partner_id, name=asked.name)
        else:
            rules.require_same_request(store.partner_request_sha256(tx, member.enterprise_id), asked.sha256)
        return service.require_partner(tx, member.enterprise_id)


def list_partners(runtime: Runtime, wanted: PartnerFilter, *, limit: int, offset: int) -> Listing[Partner]:
    with runtime.transaction() as tx:
        return store.list_partners(tx, wanted, limit=limit, offset=offset)


def supported_currencies(runtime: Runtime, partner_ids: Sequence[UUID]) -> dict[UUID, CurrencyMap]:
    wanted = PartnerFilter(ids=list(partner_ids))
    with runtime.transaction() as tx:
        partners = store.list_partners(tx, wanted, limit=len(partner_ids), offset=0).items
        missing = set(partner_ids) - {partner.id for partner in partners}
        if missing:
            raise InvalidRequestError("partner_unknown", f"partnerIds: there is no partner {min(missing)}")
        return service.currency_maps(tx, partners)


def _ensure_client(tx: Transaction, runtime: Runtime, member: Member) -> Client:
    found = service.client_of(tx, member.enterprise_id)
    if found is not None:
        return found
    go_account = accounts.default_go_account(tx, member.enterprise_id)
    if go_account is None:
        raise InvalidRequestError(
            "go_account_missing",
            "the enterprise has no Go Account to trade from: ask the operator to open one, then send this again",
        )
    client_id = runtime.ids.new()
    if store.insert_client(tx, client_id, member.enterprise_id, go_account.id):
        audit.record(tx, member, "client.created", client_id)
    return service.require_client(tx, member.enterprise_id)


def _auditable(changes: PartnerChanges) -> dict[str, object]:
    return {name: _plain(value) for name, value in changes.items()}


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Decimal) else value
