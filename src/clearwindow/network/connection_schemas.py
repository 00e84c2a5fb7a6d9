"""Connections and balances on the network's wire: requests and answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from clearwindow.api.filters import CursorPage, Flag, Texts, Uuids
from clearwindow.api.schema import RequestModel, ShortText, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import WireUuid
from clearwindow.ledger.models import Balance
from clearwindow.network.models import (
    ClientFunds,
    Connection,
    ConnectionChanges,
    ConnectionFilter,
    ConnectionKeySchema,
    NewConnection,
    PartnerFunds,
)
from clearwindow.signing.schemas import SignableChange, Signed, ToSign

_Secret = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]


class TokenKey(RequestModel):
    key_schema: Literal["token"] = Field(alias="schema")
    connection_token: _Secret


class TokenAndSignatureKey(RequestModel):
    key_schema: Literal["tokenAndSignature"] = Field(alias="schema")
    connection_token: _Secret
    signature: _Secret


class ApiKeyAndSecretKey(RequestModel):
    key_schema: Literal["apiKeyAndSecret"] = Field(alias="schema")
    api_key: _Secret
    api_secret: _Secret


class ClearLoopKey(RequestModel):
    key_schema: Literal["clearloop"] = Field(alias="schema")
    api_key: _Secret
    api_secret: _Secret
    client_account_id: _Secret
    company_registration_number: _Secret


ConnectionKey = Annotated[
    TokenKey | TokenAndSignatureKey | ApiKeyAndSecretKey | ClearLoopKey, Field(discriminator="key_schema")
]


class ConnectionToSign(ToSign):
    partner_id: WireUuid
    name: ShortText
    connection_key: ConnectionKey

    @property
    def key_schema(self) -> ConnectionKeySchema:
        return ConnectionKeySchema(self.connection_key.key_schema)

    @property
    def key_fields(self) -> dict[str, str]:
        """Returns the fields of the key by their names on the wire."""
        fields: dict[str, str] = self.connection_key.model_dump(by_alias=True, exclude={"key_schema"})
        return fields


class NewConnectionRequest(ConnectionToSign, Signed):
    """A signed ``ConnectionToSign``."""

    def to_model(self) -> NewConnection:
        key = self.connection_key.model_dump_json(by_alias=True).encode()
        return NewConnection(self.partner_id, self.name, self.key_schema, self.key_fields, key)


class ConnectionChange(SignableChange):
    """Fields that are left out stay."""

    active: bool = True
    name: ShortText = "-"

    def changes(self) -> ConnectionChanges:
        named: ConnectionChanges = {}
        if "active" in self.model_fields_set:
            named["active"] = self.active
        if "name" in self.model_fields_set:
            named["name"] = self.name
        return named


class ClientBalanceFilters(CursorPage):
    connection_ids: Uuids = None
    partner_ids: Uuids = None

    def to_model(self) -> ConnectionFilter:
        return ConnectionFilter(ids=self.connection_ids, partner_ids=self.partner_ids)


class ClientConnectionFilters(ClientBalanceFilters):
    active: Flag = None
    names: Texts = None

    def to_model(self) -> ConnectionFilter:
        return replace(super().to_model(), active=self.active, names=self.names)


class PartnerBalanceFilters(CursorPage):
    partner_ids: Uuids = None
    client_ids: Uuids = None
    connection_ids: Uuids = None
    partners_connection_ids: Texts = None

    def to_model(self) -> ConnectionFilter:
        return ConnectionFilter(
            ids=self.connection_ids,
            partner_ids=self.partner_ids,
            client_ids=self.client_ids,
            partners_connection_ids=self.partners_connection_ids,
        )


class PartnerConnectionFilters(PartnerBalanceFilters):
    active: Flag = None
    partners_client_ids: Texts = None

    def to_model(self) -> ConnectionFilter:
        return replace(super().to_model(), active=self.active, partners_client_ids=self.partners_client_ids)


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
    LISTED: ClassVar[str] = "network_balances"

    client_id: str
    balances: dict[str, Amounts]
    network_balances: dict[str, ClientNetworkBalance]


class PartnerNetworkBalance(WireModel):
    client_id: str
    partner_id: str
    partners_connection_id: str
    balances: dict[str, Amounts]


class PartnerBalances(WireModel):
    LISTED: ClassVar[str] = "network_balances"

    network_balances: dict[str, PartnerNetworkBalance]
    balances: dict[str, Amounts]


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


def client_balances(funds: ClientFunds) -> ClientBalances:
    network = {
        str(connection.id): ClientNetworkBalance(
            partner_id=str(partner.id),
            partners_connection_id=connection.partners_connection_id or str(connection.id),
            name=connection.name,
            partner_institution_identifier=partner.institution_identifier,
            balances=_amounts(balances),
        )
        for connection, partner, balances in funds.connections.items
    }
    own = _amounts(funds.go_account)
    return ClientBalances(client_id=str(funds.client.id), balances=own, network_balances=network)


def partner_balances(funds: PartnerFunds) -> PartnerBalances:
    network = {
        str(connection.id): PartnerNetworkBalance(
            client_id=str(connection.client_id),
            partner_id=str(connection.partner_id),
            partners_connection_id=connection.partners_connection_id or str(connection.id),
            balances=_amounts(balances),
        )
        for connection, balances in funds.connections.items
    }
    return PartnerBalances(network_balances=network, balances=_amounts(funds.go_account))


def _amounts(balances: Mapping[str, Balance]) -> dict[str, Amounts]:
    return {
        currency: Amounts(available=str(balance.available), held=str(balance.held))
        for currency, balance in balances.items()
    }
