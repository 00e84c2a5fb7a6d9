"""Enterprises become clients or partners. Operators configure and change them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from clearwindow.core.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from clearwindow.custody import store as custody
from clearwindow.identity import audit, enterprises
from clearwindow.identity.models import Member, Operator
from clearwindow.network import parties, rules, store
from clearwindow.network.models import (
    Client,
    ClientChanges,
    NewPartner,
    Partner,
    PartnerChanges,
    PartnerConfiguration,
    PartnerLicence,
)
from clearwindow.partner_calls import calls
from clearwindow.partner_calls.models import Endpoint
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime


def configure(
    runtime: Runtime, operator: Operator, asked: PartnerConfiguration, endpoint: Endpoint
) -> PartnerConfiguration:
    """Replaces the whole partner configuration of the enterprise. The same configuration changes nothing."""
    with runtime.transaction() as tx:
        enterprises.require_enterprise(tx, asked.enterprise_id)
        currencies = rules.our_currencies(asked.currencies, custody.currencies(tx))
        configuration = replace(asked, currencies=currencies)
        partner = store.find_partner(tx, enterprise_id=asked.enterprise_id)
        if partner is not None:
            # A settlement reads the unit and the names in two statements. The lock keeps both of one version.
            parties.lock_partner(tx, partner.id)
        same = store.find_configuration(tx, asked.enterprise_id) == configuration
        if not same:
            store.put_configuration(tx, configuration)
        if not calls.configure(tx, endpoint, allow_private=runtime.outgoing.allow_private) and same:
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
        if store.find_partner(tx, partner_id=partner_id) is None:
            raise NotFoundError("partner_unknown", "there is no partner with this id")
        before = parties.lock_partner(tx, partner_id)
        changed = replace(before, **changes)
        if changed == before:
            return before
        store.update_partner(tx, changed)
        audit.record(tx, operator, "partner.changed", partner_id, **_auditable(changes))
        return replace(changed, updated_at=tx.now())


def change_licence(runtime: Runtime, operator: Operator, asked: PartnerLicence) -> PartnerLicence:
    """Gives or takes the enterprise's licence for a partner. What exists already goes on."""
    with runtime.transaction() as tx:
        enterprises.lock_enterprise(tx, asked.enterprise_id)
        if store.find_partner(tx, partner_id=asked.partner_id) is None:
            raise NotFoundError("partner_unknown", "there is no partner with this id")
        before = store.licences(tx, asked.enterprise_id, [asked.partner_id])[asked.partner_id]
        if before.licensed is asked.licensed:
            return before
        changed = replace(asked, updated_at=tx.now())
        store.put_licence(tx, changed)
        details = {"partnerId": str(asked.partner_id), "licensed": asked.licensed}
        audit.record(tx, operator, "partner_licence.changed", asked.enterprise_id, **details)
        return changed


def change_client(runtime: Runtime, operator: Operator, client_id: UUID, changes: ClientChanges) -> Client:
    with runtime.transaction() as tx:
        before = store.find_client(tx, client_id=client_id)
        if before is None:
            raise NotFoundError("client_unknown", "there is no client with this id")
        changed = replace(before, **changes)
        if changed == before:
            return before
        store.update_client(tx, client_id, active=changed.active)
        audit.record(tx, operator, "client.changed", client_id, **changes)
        return replace(changed, updated_at=tx.now())


def become_client(runtime: Runtime, member: Member) -> Client:
    """Makes the enterprise a client. An enterprise is one client, so a repeat returns the same one (choice C1)."""
    with runtime.transaction() as tx:
        return _ensure_client(tx, member)


def become_partner(runtime: Runtime, member: Member, asked: NewPartner) -> Partner:
    """Makes the enterprise a partner. The operator must have configured it before."""
    with runtime.transaction() as tx:
        if store.find_configuration(tx, member.enterprise_id) is None:
            raise PermissionDeniedError(
                "partner_configuration_missing",
                "the operator has not configured this enterprise as a partner: ask the operator to do so first",
            )
        client = _ensure_client(tx, member)
        partner_id = tx.new_id()
        if store.insert_partner(tx, partner_id, client, asked):
            audit.record(tx, member, "partner.created", partner_id, name=asked.name)
        else:
            rules.require_same_request(store.partner_request_sha256(tx, member.enterprise_id), asked.sha256)
        return parties.require_partner(tx, member.enterprise_id)


def _ensure_client(tx: Transaction, member: Member) -> Client:
    found = store.find_client(tx, enterprise_id=member.enterprise_id)
    if found is not None:
        return found
    go_account = custody.find_default_go_account(tx, member.enterprise_id)
    if go_account is None:
        raise InvalidRequestError(
            "go_account_missing",
            "the enterprise has no Go Account to trade from: ask the operator to open one, then send this again",
        )
    client_id = tx.new_id()
    if store.insert_client(tx, client_id, member.enterprise_id, go_account.id):
        audit.record(tx, member, "client.created", client_id)
    return parties.require_client(tx, member.enterprise_id)


def _auditable(changes: PartnerChanges) -> dict[str, object]:
    return {name: _plain(value) for name, value in changes.items()}


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Decimal) else value
