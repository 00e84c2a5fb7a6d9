"""Partners, clients, connections and partner configurations in operators' lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self, cast

from pydantic import Field, model_validator

from clearwindow.api.filters import CreatedPage, CursorPage, Flag, Many, Moment, Texts, Uuids, require_range
from clearwindow.api.schema import WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import WireAnyId
from clearwindow.core.money import AmountUnit
from clearwindow.core.text import present
from clearwindow.network.models import (
    Client,
    Connection,
    Partner,
    PartnerConfiguration,
    PartnerLicence,
    SearchedClients,
    SearchedConfigurations,
    SearchedConnections,
    SearchedLicences,
    SearchedPartners,
)
from clearwindow.network.operator_schemas import (
    ConfigurationOutput,
    OperatorPartner,
    PartnerLicenceOutput,
    configuration_answer,
    licence_answer,
    operator_partner_answer,
)
from clearwindow.network.schemas import ClientOutput, client_answer
from clearwindow.partner_calls.models import Endpoint


class OperatorPartnerFilters(CreatedPage):
    ids: Uuids = None
    enterprise_ids: Texts = None
    names: Texts = None
    active: Flag = None
    broker: Flag = None

    def to_model(self) -> SearchedPartners:
        return SearchedPartners(
            self.ids,
            self.enterprise_ids,
            self.names,
            self.active,
            self.broker,
            self.created_on_or_after,
            self.created_before,
        )


class OperatorClientFilters(CreatedPage):
    ids: Uuids = None
    enterprise_ids: Texts = None
    go_account_ids: Many[WireAnyId] = None
    active: Flag = None

    def to_model(self) -> SearchedClients:
        return SearchedClients(
            self.ids,
            self.enterprise_ids,
            self.go_account_ids,
            self.active,
            self.created_on_or_after,
            self.created_before,
        )


class OperatorConnectionFilters(CreatedPage):
    """``initialized``: whether the partner has accepted the connection."""

    ids: Uuids = None
    partner_ids: Uuids = None
    client_ids: Uuids = None
    names: Texts = None
    active: Flag = None
    initialized: Flag = None

    def to_model(self) -> SearchedConnections:
        return SearchedConnections(
            self.ids,
            self.partner_ids,
            self.client_ids,
            self.names,
            self.active,
            self.initialized,
            self.created_on_or_after,
            self.created_before,
        )


class UpdatedPage(CursorPage):
    """A list with the range of time in which its entries were last changed. The end is exclusive."""

    updated_on_or_after: Moment = None
    updated_before: Moment = None

    @model_validator(mode="after")
    def _require_a_range(self) -> Self:
        require_range(self.updated_on_or_after, self.updated_before, names=("updatedOnOrAfter", "updatedBefore"))
        return self


class ConfigurationFilters(UpdatedPage):
    enterprise_ids: Texts = None
    amount_units: Many[Annotated[AmountUnit, Field(strict=False)]] = None

    def to_model(self) -> SearchedConfigurations:
        return SearchedConfigurations(
            self.enterprise_ids,
            cast(list[str] | None, self.amount_units),
            self.updated_on_or_after,
            self.updated_before,
        )


class LicenceFilters(UpdatedPage):
    enterprise_ids: Texts = None
    partner_ids: Uuids = None
    licensed: Flag = None

    def to_model(self) -> SearchedLicences:
        return SearchedLicences(
            self.enterprise_ids, self.partner_ids, self.licensed, self.updated_on_or_after, self.updated_before
        )


class OperatorClient(ClientOutput):
    """A client as it sees itself, with its enterprise's name and whether it is active."""

    name: str
    active: bool


class OperatorConnection(WireModel):
    """A connection without its key and without the signature that proves it."""

    id: str
    name: str
    partner_id: str
    client_id: str
    network_account_id: str
    active: bool
    initialized: bool
    partners_connection_id: str | None = None
    partners_client_id: str | None = None
    refused_reason: str | None = None
    initiated_by: str
    created_at: str
    updated_at: str


class OperatorPartnersAnswer(WireModel):
    partners: list[OperatorPartner]


class OperatorClientsAnswer(WireModel):
    clients: list[OperatorClient]


class OperatorClientAnswer(WireModel):
    client: OperatorClient


class OperatorConnectionsAnswer(WireModel):
    connections: list[OperatorConnection]


class OperatorConnectionAnswer(WireModel):
    connection: OperatorConnection


class ConfigurationsAnswer(WireModel):
    partner_configurations: list[ConfigurationOutput]


class PartnerLicencesAnswer(WireModel):
    partner_licences: list[PartnerLicenceOutput]


def partners_answer(found: Sequence[Partner]) -> OperatorPartnersAnswer:
    return OperatorPartnersAnswer(partners=[operator_partner_answer(each).partner for each in found])


def clients_answer(found: Sequence[Client]) -> OperatorClientsAnswer:
    return OperatorClientsAnswer(clients=[_client_view(each) for each in found])


def operator_client_answer(found: Client) -> OperatorClientAnswer:
    return OperatorClientAnswer(client=_client_view(found))


def connections_answer(found: Sequence[Connection]) -> OperatorConnectionsAnswer:
    return OperatorConnectionsAnswer(connections=[_connection_view(each) for each in found])


def operator_connection_answer(found: Connection) -> OperatorConnectionAnswer:
    return OperatorConnectionAnswer(connection=_connection_view(found))


def configurations_answer(found: Sequence[tuple[PartnerConfiguration, Endpoint]]) -> ConfigurationsAnswer:
    return ConfigurationsAnswer(
        partner_configurations=[configuration_answer(*each).partner_configuration for each in found]
    )


def licences_answer(found: Sequence[PartnerLicence]) -> PartnerLicencesAnswer:
    return PartnerLicencesAnswer(partner_licences=[licence_answer(each).partner_licence for each in found])


def _client_view(client: Client) -> OperatorClient:
    seen = client_answer(client).client.model_dump(by_alias=False)
    return OperatorClient.model_validate(seen | {"name": client.name, "active": client.active})


def _connection_view(connection: Connection) -> OperatorConnection:
    fields = present(
        id=str(connection.id),
        name=connection.name,
        partner_id=str(connection.partner_id),
        client_id=str(connection.client_id),
        network_account_id=str(connection.network_account_id),
        active=connection.active,
        initialized=connection.initialized,
        partners_connection_id=connection.partners_connection_id,
        partners_client_id=connection.partners_client_id,
        refused_reason=connection.refused_reason,
        initiated_by=connection.initiated_by,
        created_at=wire_time(connection.created_at),
        updated_at=wire_time(connection.updated_at),
    )
    return OperatorConnection.model_validate(fields)
