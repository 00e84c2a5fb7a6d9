"""What there is in the network, of all enterprises: lists with filters, and single records."""

from __future__ import annotations

from typing import Unpack

from clearwindow.client.aio.operator_desk import AsyncOperatorDesk
from clearwindow.client.aio.pages import AsyncPages
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
from clearwindow.client.text import Id


class AsyncOperatorUsers:
    """People who are or were members of enterprises."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[UserFilters]) -> AsyncPages[ListedUser]:
        """Lists users, newest first."""
        return self._desk.pages("/users", "users", ListedUser, filters)

    async def get(self, user_id: str) -> ListedUser:
        """Returns one user."""
        return await self._desk.get(self._desk.path("/users/{}", user_id), value_of(ListedUser, "user"))

    def memberships(self, **filters: Unpack[MembershipFilters]) -> AsyncPages[Membership]:
        """Lists who is or was a member of which enterprise, newest first."""
        return self._desk.pages("/memberships", "memberships", Membership, filters)


class AsyncOperatorTokens:
    """Tokens of members and operators, without their values."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[TokenFilters]) -> AsyncPages[ListedToken]:
        """Lists tokens, newest first."""
        return self._desk.pages("/tokens", "tokens", ListedToken, filters)

    async def get(self, token_id: Id) -> ListedToken:
        """Returns one token."""
        return await self._desk.get(self._desk.path("/tokens/{}", token_id), value_of(ListedToken, "token"))


class AsyncOperatorConfigurations:
    """How enterprises are configured as partners."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[ConfigurationFilters]) -> AsyncPages[PartnerConfiguration]:
        """Lists partner configurations by the ids of their enterprises."""
        return self._desk.pages("/partner-configurations", "partnerConfigurations", PartnerConfiguration, filters)

    async def get(self, enterprise_id: str) -> PartnerConfiguration:
        """Returns the partner configuration of an enterprise."""
        path = self._desk.path("/enterprises/{}/partner-configuration", enterprise_id)
        return await self._desk.get(path, value_of(PartnerConfiguration, "partnerConfiguration"))


class AsyncOperatorLicences:
    """Which enterprises may use which partners."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[LicenceFilters]) -> AsyncPages[PartnerLicence]:
        """Lists the licences that were changed, by enterprise and partner. Who is not there has all of them."""
        return self._desk.pages("/partner-licences", "partnerLicences", PartnerLicence, filters)


class AsyncOperatorPartners:
    """Exchanges and brokers."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorPartnerFilters]) -> AsyncPages[OperatorPartner]:
        """Lists partners, newest first."""
        return self._desk.pages("/partners", "partners", OperatorPartner, filters)

    async def get(self, partner_id: Id) -> OperatorPartner:
        """Returns one partner."""
        path = self._desk.path("/partners/{}", partner_id)
        return await self._desk.get(path, value_of(OperatorPartner, "partner"))


class AsyncOperatorClients:
    """Enterprises that trade."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorClientFilters]) -> AsyncPages[OperatorClientRecord]:
        """Lists clients, newest first."""
        return self._desk.pages("/clients", "clients", OperatorClientRecord, filters)

    async def get(self, client_id: Id) -> OperatorClientRecord:
        """Returns one client."""
        path = self._desk.path("/clients/{}", client_id)
        return await self._desk.get(path, value_of(OperatorClientRecord, "client"))


class AsyncOperatorConnections:
    """Clients' accounts at partners."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorConnectionFilters]) -> AsyncPages[OperatorConnection]:
        """Lists connections, newest first."""
        return self._desk.pages("/connections", "connections", OperatorConnection, filters)

    async def get(self, connection_id: Id) -> OperatorConnection:
        """Returns one connection."""
        path = self._desk.path("/connections/{}", connection_id)
        return await self._desk.get(path, value_of(OperatorConnection, "connection"))


class AsyncOperatorAllocations:
    """Allocations and deallocations of all clients, in our currency names and base units."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorAllocationFilters]) -> AsyncPages[OperatorAllocation]:
        """Lists them, newest first."""
        return self._desk.pages("/allocations", "allocations", OperatorAllocation, filters)

    async def get(self, allocation_id: Id) -> OperatorAllocation:
        """Returns one of them."""
        path = self._desk.path("/allocations/{}", allocation_id)
        return await self._desk.get(path, value_of(OperatorAllocation, "allocation"))


class AsyncOperatorEndpoints:
    """Where enterprises receive events."""

    def __init__(self, desk: AsyncOperatorDesk) -> None:
        self._desk = desk

    def list(self, **filters: Unpack[OperatorEndpointFilters]) -> AsyncPages[OperatorWebhookEndpoint]:
        """Lists webhook endpoints, newest first."""
        return self._desk.pages("/webhook-endpoints", "webhookEndpoints", OperatorWebhookEndpoint, filters)
