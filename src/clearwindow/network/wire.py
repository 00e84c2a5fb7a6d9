"""What is asked about partners, clients and connections on the network's wire."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from clearwindow.http.filters import Flag, ManyNeeded, Page, Texts, Uuids
from clearwindow.http.wire import RequestModel, ShortText, WireNumber
from clearwindow.ids import WireUuid
from clearwindow.network.connecting import ConnectionChanges, NewConnection
from clearwindow.network.values import ConnectionFilter, ConnectionKeySchema, NewPartner, PartnerFilter
from clearwindow.signing.wire import Signed, ToSign

WindowMinutes = Annotated[WireNumber, Field(ge=0, le=525_600, decimal_places=6)]
"""A year at most; as many places as a JSON number carries back and forth unchanged."""

SlaMinutes = Annotated[WireNumber, Field(gt=0, le=525_600, decimal_places=6)]

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


class NoBody(RequestModel):
    """A request that says everything by its path."""


class NewPartnerRequest(RequestModel):
    name: ShortText
    broker: bool
    institution_id: WireUuid | None = None
    institution_identifier: ShortText
    connection_key_schema: Literal["token", "tokenAndSignature", "apiKeyAndSecret", "clearloop"]
    client_dispute_window_minutes: WindowMinutes | None = None
    top_up_window_minutes: WindowMinutes | None = None
    allocation_policies_enabled: bool = False

    def value(self) -> NewPartner:
        return NewPartner(
            name=self.name,
            broker=self.broker,
            institution_id=str(self.institution_id) if self.institution_id else None,
            institution_identifier=self.institution_identifier,
            connection_key_schema=ConnectionKeySchema(self.connection_key_schema),
            client_dispute_window_minutes=self.client_dispute_window_minutes,
            top_up_window_minutes=self.top_up_window_minutes,
            allocation_policies_enabled=self.allocation_policies_enabled,
        )


class ConnectionToSign(ToSign):
    partner_id: WireUuid
    name: ShortText
    connection_key: ConnectionKey

    @property
    def key_schema(self) -> ConnectionKeySchema:
        return ConnectionKeySchema(self.connection_key.key_schema)

    @property
    def key_fields(self) -> dict[str, str]:
        """The key's secrets by their names on the wire."""
        fields: dict[str, str] = self.connection_key.model_dump(by_alias=True, exclude={"key_schema"})
        return fields


class NewConnectionRequest(ConnectionToSign, Signed):
    """A signed ``ConnectionToSign``."""

    def value(self) -> NewConnection:
        key = self.connection_key.model_dump_json(by_alias=True).encode()
        return NewConnection(self.partner_id, self.name, self.key_schema, self.key_fields, key)


class ConnectionChange(RequestModel):
    """Every field may be left out; what is left out stays."""

    active: bool = True
    name: ShortText = "-"

    def changes(self) -> ConnectionChanges:
        named: ConnectionChanges = {}
        if "active" in self.model_fields_set:
            named["active"] = self.active
        if "name" in self.model_fields_set:
            named["name"] = self.name
        return named


class PartnerFilters(Page):
    ids: Uuids = None
    names: Texts = None
    institution_ids: Uuids = None
    institution_identifiers: Texts = None
    active: Flag = None
    filter_by_trust_org: Flag = None
    allocation_policies_enabled: Flag = None

    def value(self, reader: str) -> PartnerFilter:
        return PartnerFilter(
            ids=self.ids,
            names=self.names,
            institution_ids=None if self.institution_ids is None else [str(one) for one in self.institution_ids],
            institution_identifiers=self.institution_identifiers,
            active=self.active,
            allocation_policies_enabled=self.allocation_policies_enabled,
            trust_org_of=reader if self.filter_by_trust_org else None,
        )


class ClientBalanceFilters(Page):
    connection_ids: Uuids = None
    partner_ids: Uuids = None

    def value(self) -> ConnectionFilter:
        return ConnectionFilter(ids=self.connection_ids, partner_ids=self.partner_ids)


class ClientConnectionFilters(ClientBalanceFilters):
    active: Flag = None
    names: Texts = None

    def value(self) -> ConnectionFilter:
        return replace(super().value(), active=self.active, names=self.names)


class PartnerBalanceFilters(Page):
    partner_ids: Uuids = None
    client_ids: Uuids = None
    connection_ids: Uuids = None
    partners_connection_ids: Texts = None

    def value(self) -> ConnectionFilter:
        return ConnectionFilter(
            ids=self.connection_ids,
            partner_ids=self.partner_ids,
            client_ids=self.client_ids,
            partners_connection_ids=self.partners_connection_ids,
        )


class PartnerConnectionFilters(PartnerBalanceFilters):
    active: Flag = None
    partners_client_ids: Texts = None

    def value(self) -> ConnectionFilter:
        return replace(super().value(), active=self.active, partners_client_ids=self.partners_client_ids)


class SupportedCurrencyFilters(Page):
    partner_ids: Annotated[ManyNeeded[WireUuid], Field(min_length=1)]
