# Made from ../aio by `make sdk`: change it there.
"""What there is in the network, of all enterprises: lists with filters, and single records."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.answers.operator import OperatorPartner, PartnerConfiguration, PartnerLicence
from clearwindow.client.answers.operator_lists import (
    OperatorAllocation,
    OperatorClientRecord,
    OperatorConnection,
    OperatorWebhookEndpoint,
)
from clearwindow.client.answers.people import ListedToken, ListedUser, Membership
from clearwindow.client.calls import value_of
from clearwindow.client.list_filters import (
    ConfigurationFilters,
    LicenceFilters,
    MembershipFilters,
    OperatorAllocationFilters,
    OperatorClientFilters,
    OperatorConnectionFilters,
    OperatorEndpointFilters,
    OperatorPartnerFilters,
    TokenFilters,
    UserFilters,
)
from clearwindow.client.sync.operator_desk import OperatorDesk
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Id


class OperatorUsers:
    """People who are or were members of enterprises."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[UserFilters]) -> Pages[ListedUser]:
        """Lists users, newest first."""
        return self._desk.pages("/users", "users", ListedUser, filters)

    def get(self, user_id: str) -> ListedUser:
        """Returns one user."""
        return self._desk.get(self._desk.path("/users/{}", user_id), value_of(ListedUser, "user"))

    def memberships(self, **filters: Unpack[MembershipFilters]) -> Pages[Membership]:
        """Lists who is or was a member of which enterprise, newest first."""
        return self._desk.pages("/memberships", "memberships", Membership, filters)


class OperatorTokens:
    """Tokens of members and operators, without their values."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[TokenFilters]) -> Pages[ListedToken]:
        """Lists tokens, newest first."""
        return self._desk.pages("/tokens", "tokens", ListedToken, filters)

    def get(self, token_id: Id) -> ListedToken:
        """Returns one token."""
        return self._desk.get(self._desk.path("/tokens/{}", token_id), value_of(ListedToken, "token"))


class OperatorConfigurations:
    """How enterprises are configured as partners."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[ConfigurationFilters]) -> Pages[PartnerConfiguration]:
        """Lists partner configurations by the ids of their enterprises."""
        return self._desk.pages("/partner-configurations", "partnerConfigurations", PartnerConfiguration, filters)

    def get(self, enterprise_id: str) -> PartnerConfiguration:
        """Returns the partner configuration of an enterprise."""
        path = self._desk.path("/enterprises/{}/partner-configuration", enterprise_id)
        return self._desk.get(path, value_of(PartnerConfiguration, "partnerConfiguration"))


class OperatorLicences:
    """Which enterprises may use which partners."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[LicenceFilters]) -> Pages[PartnerLicence]:
        """Lists the licences that were changed, by enterprise and partner. Who is not there has all of them."""
        return self._desk.pages("/partner-licences", "partnerLicences", PartnerLicence, filters)


class OperatorPartners:
    """Exchanges and brokers."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorPartnerFilters]) -> Pages[OperatorPartner]:
        """Lists partners, newest first."""
        return self._desk.pages("/partners", "partners", OperatorPartner, filters)

    def get(self, partner_id: Id) -> OperatorPartner:
        """Returns one partner."""
        path = self._desk.path("/partners/{}", partner_id)
        return self._desk.get(path, value_of(OperatorPartner, "partner"))


class OperatorClients:
    """Enterprises that trade."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorClientFilters]) -> Pages[OperatorClientRecord]:
        """Lists clients, newest first."""
        return self._desk.pages("/clients", "clients", OperatorClientRecord, filters)

    def get(self, client_id: Id) -> OperatorClientRecord:
        """Returns one client."""
        path = self._desk.path("/clients/{}", client_id)
        return self._desk.get(path, value_of(OperatorClientRecord, "client"))


class OperatorConnections:
    """Clients' accounts at partners."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorConnectionFilters]) -> Pages[OperatorConnection]:
        """Lists connections, newest first."""
        return self._desk.pages("/connections", "connections", OperatorConnection, filters)

    def get(self, connection_id: Id) -> OperatorConnection:
        """Returns one connection."""
        path = self._desk.path("/connections/{}", connection_id)
        return self._desk.get(path, value_of(OperatorConnection, "connection"))


class OperatorAllocations:
    """Allocations and deallocations of all clients, in our currency names and base units."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorAllocationFilters]) -> Pages[OperatorAllocation]:
        """Lists them, newest first."""
        return self._desk.pages("/allocations", "allocations", OperatorAllocation, filters)

    def get(self, allocation_id: Id) -> OperatorAllocation:
        """Returns one of them."""
        path = self._desk.path("/allocations/{}", allocation_id)
        return self._desk.get(path, value_of(OperatorAllocation, "allocation"))


class OperatorEndpoints:
    """Where enterprises receive events."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorEndpointFilters]) -> Pages[OperatorWebhookEndpoint]:
        """Lists webhook endpoints, newest first."""
        return self._desk.pages("/webhook-endpoints", "webhookEndpoints", OperatorWebhookEndpoint, filters)
