"""Enterprises become clients or partners. Operators configure and change them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from clearwindow.core.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from clearwindow.custody import store as custody
from clearwindow.identity import audit, enterprises
from clearwindow.identity.acts import Scene
from clearwindow.identity.models import Member, Operator
from clearwindow.network import events, parties, rules, store
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


def configure(scene: Scene, asked: PartnerConfiguration, endpoint: Endpoint) -> PartnerConfiguration:
    """Replaces the whole partner configuration of the enterprise. The same configuration changes nothing."""
    tx, runtime = scene.tx, scene.runtime
    enterprises.require_enterprise(tx, asked.enterprise_id)
    configuration = in_our_names(tx, asked)
    partner = lock_if_partner(tx, asked.enterprise_id)
    same = store.find_configuration(tx, asked.enterprise_id) == configuration
    if not same:
        store.put_configuration(tx, configuration)
    if not calls.configure(tx, endpoint, allow_private=runtime.outgoing.allow_private) and same:
        return configuration
    audit.record(
        tx,
        scene.operator,
        "partner_configuration.replaced",
        configuration.enterprise_id,
        currencies=configuration.currencies,
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
    if partner is not None:
        events.partner_configured(tx, partner, configuration, endpoint)
    return configuration


def in_our_names(tx: Transaction, asked: PartnerConfiguration) -> PartnerConfiguration:
    """Returns the configuration with our own spelling of its currencies."""
    return replace(asked, currencies=rules.our_currencies(asked.currencies, custody.currencies(tx)))


def lock_if_partner(tx: Transaction, enterprise_id: str) -> Partner | None:
    """Locks the enterprise as a partner: a settlement reads the unit and the names in two statements."""
    partner = store.find_partner(tx, enterprise_id=enterprise_id)
    return None if partner is None else parties.lock_partner(tx, partner.id)


def change_partner(scene: Scene, partner_id: UUID, changes: PartnerChanges) -> Partner:
    tx = scene.tx
    before = lock_partner(tx, partner_id)
    changed = replace(before, **changes)
    if changed == before:
        return before
    store.update_partner(tx, changed)
    audit.record(tx, scene.operator, "partner.changed", partner_id, **_auditable(changes))
    events.partner_updated(tx, changed)
    return replace(changed, updated_at=tx.now())


def lock_partner(tx: Transaction, partner_id: UUID) -> Partner:
    """Locks a partner that an operator has named."""
    if store.find_partner(tx, partner_id=partner_id) is None:
        raise NotFoundError("partner_unknown", "there is no partner with this id")
    return parties.lock_partner(tx, partner_id)


def change_licence(scene: Scene, asked: PartnerLicence) -> PartnerLicence:
    """Gives or takes the enterprise's licence for a partner. What exists already goes on."""
    tx = scene.tx
    before = lock_licence(tx, asked)
    if before.licensed is asked.licensed:
        return before
    changed = replace(asked, updated_at=tx.now())
    store.put_licence(tx, changed)
    details = {"partnerId": str(asked.partner_id), "licensed": asked.licensed}
    audit.record(tx, scene.operator, "partner_licence.changed", asked.enterprise_id, **details)
    events.licence_changed(tx, changed)
    return changed


def lock_licence(tx: Transaction, asked: PartnerLicence) -> PartnerLicence:
    """Returns the licence as it is, with its enterprise locked."""
    enterprises.lock_enterprise(tx, asked.enterprise_id)
    if store.find_partner(tx, partner_id=asked.partner_id) is None:
        raise NotFoundError("partner_unknown", "there is no partner with this id")
    return store.licences(tx, asked.enterprise_id, [asked.partner_id])[asked.partner_id]


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
        events.client_updated(tx, changed)
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
