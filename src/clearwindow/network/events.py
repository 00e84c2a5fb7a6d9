"""What operators' changes of partners and clients tell the outbox. Operators are not named to anybody."""

from __future__ import annotations

from decimal import Decimal

from clearwindow.core.text import present
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.network import store
from clearwindow.network.models import Client, Partner, PartnerConfiguration, PartnerLicence
from clearwindow.partner_calls.models import Endpoint
from clearwindow.postgres.pool import Transaction


def partner_updated(tx: Transaction, partner: Partner) -> None:
    """Tells the partner and everybody who has a connection to it."""
    payload: dict[str, object] = {
        "partnerId": str(partner.id),
        "active": partner.active,
        "stablePartner": partner.stable_partner,
    }
    payload |= present(
        clientDisputeWindowMinutes=_text(partner.client_dispute_window_minutes),
        topUpWindowMinutes=_text(partner.top_up_window_minutes),
    )
    concerned = [partner.enterprise_id, *store.enterprises_at(tx, partner.id)]
    kind = EventType.PARTNER_UPDATED
    outbox.record(tx, [Event(kind, enterprise_id, partner.id, payload) for enterprise_id in concerned])


def partner_configured(
    tx: Transaction, partner: Partner, configuration: PartnerConfiguration, endpoint: Endpoint
) -> None:
    payload: dict[str, object] = {
        "currencies": dict(configuration.currencies),
        "amountUnit": str(configuration.amount_unit),
    }
    payload |= present(callbackUrl=endpoint.callback_url)
    outbox.record(tx, [Event(EventType.PARTNER_CONFIGURED, partner.enterprise_id, partner.id, payload)])


def licence_changed(tx: Transaction, licence: PartnerLicence) -> None:
    payload = {"partnerId": str(licence.partner_id), "licensed": licence.licensed}
    kind = EventType.PARTNER_LICENCE_CHANGED
    outbox.record(tx, [Event(kind, licence.enterprise_id, licence.partner_id, payload)])


def client_updated(tx: Transaction, client: Client) -> None:
    payload = {"clientId": str(client.id), "active": client.active}
    outbox.record(tx, [Event(EventType.CLIENT_UPDATED, client.enterprise_id, client.id, payload)])


def _text(minutes: Decimal | None) -> str | None:
    return None if minutes is None else f"{minutes.normalize():f}"
