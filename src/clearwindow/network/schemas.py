"""What is answered about partners, clients and connections on the network's wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from uuid import UUID

from clearwindow.accounts.values import Balance
from clearwindow.clock import wire_time
from clearwindow.http.wire import WireModel, present
from clearwindow.network import rules
from clearwindow.network.balances import ClientView, PartnerView
from clearwindow.network.values import Client, Connection, CurrencyMap, Partner


class ClientOutput(WireModel):
    id: str
    enterprise_id: str
    trust_org: str
    wallet_id: str
    created_at: str
    updated_at: str


class ClientAnswer(WireModel):
    client: ClientOutput


class PartnerOutput(WireModel):
    """The enterprise's own partner."""

    id: str
    enterprise_id: str
    trust_org: str
    institution_id: str | None = None
    institution_identifier: str
    name: str
    connection_key_schema: str
    created_at: str
    updated_at: str
    client_id: str
    broker: bool
    active: bool
    settlement_transaction_route_id: str | None = None
    client_dispute_window_minutes: int | float | None = None
    top_up_window_minutes: int | float | None = None
    allocation_policies_enabled: bool
    public_key: str | None = None


class PartnerAnswer(WireModel):
    partner: PartnerOutput


class ListedPartner(WireModel):
    """A partner as every enterprise sees it; ``enterprise_id`` only where it is the reader's own (*choice*)."""

    id: str
    name: str
    institution_id: str | None = None
    institution_identifier: str
    connection_key_schema: str
    active: bool
    settlement_transaction_route_id: str | None = None
    enterprise_id: str | None = None
    client_dispute_window_minutes: int | float | None = None
    top_up_window_minutes: int | float | None = None
    trust_org: str
    stable_partner: bool
    public_key: str | None = None


class PartnerList(WireModel):
    partners: list[ListedPartner]


class ConnectionOutput(WireModel):
    id: str
    name: str
    client_id: str
    partner_id: str
    network_account_id: str
    created_at: str
    updated_at: str
    active: bool
    proof: str
    nonce: str
    partners_connection_id: str | None
    partners_client_id: str | None
    initialized: bool


class ConnectionAnswer(WireModel):
    connection: ConnectionOutput


class ConnectionList(WireModel):
    connections: list[ConnectionOutput]


class Amounts(WireModel):
    available: str
    held: str


class ClientNetworkBalance(WireModel):
    partner_id: str
    partners_connection_id: str
    name: str
    partner_institution_identifier: str
    balances: dict[str, Amounts]


class ClientBalances(WireModel):
    client_id: str
    balances: dict[str, Amounts]
    network_balances: dict[str, ClientNetworkBalance]


class PartnerNetworkBalance(WireModel):
    client_id: str
    partner_id: str
    partners_connection_id: str
    balances: dict[str, Amounts]


class PartnerBalances(WireModel):
    network_balances: dict[str, PartnerNetworkBalance]
    balances: dict[str, Amounts]


class SupportedCurrency(WireModel):
    ofc_currency: str
    backing_currency: str
    partner_names: list[str]


class SupportedCurrencies(WireModel):
    """Per partner id. ``domain`` says whose currency names these are (*choice*: ``ofc``)."""

    supported_currencies: dict[str, list[SupportedCurrency]]
    domain: str


def minutes(window: Decimal | None) -> int | float | None:
    if window is None:
        return None
    return int(window) if window == window.to_integral_value() else float(window)


def client_answer(client: Client) -> ClientAnswer:
    output = ClientOutput(
        id=str(client.id),
        enterprise_id=client.enterprise_id,
        trust_org=client.trust_org,
        wallet_id=client.go_account_id.hex,
        created_at=wire_time(client.created_at),
        updated_at=wire_time(client.updated_at),
    )
    return ClientAnswer(client=output)


def partner_answer(partner: Partner) -> PartnerAnswer:
    own = {
        "enterprise_id": partner.enterprise_id,
        "created_at": wire_time(partner.created_at),
        "updated_at": wire_time(partner.updated_at),
        "client_id": str(partner.client_id),
        "broker": partner.broker,
        "allocation_policies_enabled": partner.allocation_policies_enabled,
    }
    return PartnerAnswer(partner=PartnerOutput.model_validate(_shared(partner) | own))


def partner_list(partners: Iterable[Partner], reader: str) -> PartnerList:
    listed = []
    for partner in partners:
        own = {"enterprise_id": reader} if partner.enterprise_id == reader else {}
        fields = _shared(partner) | {"stable_partner": partner.stable_partner} | own
        listed.append(ListedPartner.model_validate(fields))
    return PartnerList(partners=listed)


def _shared(partner: Partner) -> dict[str, object]:
    return present(
        id=str(partner.id),
        name=partner.name,
        institution_id=partner.institution_id,
        institution_identifier=partner.institution_identifier,
        connection_key_schema=str(partner.connection_key_schema),
        active=partner.active,
        settlement_transaction_route_id=partner.settlement_transaction_route_id,
        client_dispute_window_minutes=minutes(partner.client_dispute_window_minutes),
        top_up_window_minutes=minutes(partner.top_up_window_minutes),
        trust_org=str(partner.trust_org),
        public_key=partner.public_key,
    )


def connection_output(connection: Connection) -> ConnectionOutput:
    return ConnectionOutput(
        id=str(connection.id),
        name=connection.name,
        client_id=str(connection.client_id),
        partner_id=str(connection.partner_id),
        network_account_id=str(connection.network_account_id),
        created_at=wire_time(connection.created_at),
        updated_at=wire_time(connection.updated_at),
        active=connection.active,
        proof=connection.proof,
        nonce=connection.nonce,
        partners_connection_id=connection.partners_connection_id,
        partners_client_id=connection.partners_client_id,
        initialized=connection.initialized,
    )


def connection_answer(connection: Connection) -> ConnectionAnswer:
    return ConnectionAnswer(connection=connection_output(connection))


def connection_list(connections: Iterable[Connection]) -> ConnectionList:
    return ConnectionList(connections=[connection_output(connection) for connection in connections])


def client_balances(view: ClientView) -> ClientBalances:
    network = {
        str(connection.id): ClientNetworkBalance(
            partner_id=str(partner.id),
            partners_connection_id=connection.partners_connection_id or str(connection.id),
            name=connection.name,
            partner_institution_identifier=partner.institution_identifier,
            balances=_ours(balances),
        )
        for connection, partner, balances in view.connections
    }
    own = _ours(view.go_account)
    return ClientBalances(client_id=str(view.client.id), balances=own, network_balances=network)


def partner_balances(view: PartnerView) -> PartnerBalances:
    network = {
        str(connection.id): PartnerNetworkBalance(
            client_id=str(connection.client_id),
            partner_id=str(connection.partner_id),
            partners_connection_id=connection.partners_connection_id or str(connection.id),
            balances=_theirs(balances, view.currencies),
        )
        for connection, balances in view.connections
    }
    return PartnerBalances(network_balances=network, balances=_theirs(view.go_account, view.currencies))


def supported_currencies(maps: Mapping[UUID, CurrencyMap]) -> SupportedCurrencies:
    supported = {
        str(partner_id): [
            SupportedCurrency(
                ofc_currency=currency,
                backing_currency=mapped.backing,
                partner_names=list(currencies.partner_names(currency)),
            )
            for currency, mapped in sorted(currencies.currencies().items())
        ]
        for partner_id, currencies in maps.items()
    }
    return SupportedCurrencies(supported_currencies=supported, domain="ofc")


def _ours(balances: Mapping[str, Balance]) -> dict[str, Amounts]:
    return {
        currency: Amounts(available=str(balance.available), held=str(balance.held))
        for currency, balance in balances.items()
    }


def _theirs(balances: Mapping[str, Balance], currencies: CurrencyMap) -> dict[str, Amounts]:
    terms = rules.in_partner_terms(balances, currencies)
    return {name: Amounts(available=available, held=held) for name, (available, held) in terms.items()}
