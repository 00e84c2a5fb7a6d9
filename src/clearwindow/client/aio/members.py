"""An enterprise of the network: as a client, which trades, and as a partner, which settles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Self, Unpack
from uuid import uuid4

import httpx2

from clearwindow.client.aio.allocations import AsyncClientAllocations, AsyncPartnerAllocations
from clearwindow.client.aio.approvals import AsyncClientApprovals, AsyncCustodianLimits
from clearwindow.client.aio.caller import AsyncCaller
from clearwindow.client.aio.connections import AsyncClientConnections, AsyncPartnerConnections
from clearwindow.client.aio.desk import AsyncDesk
from clearwindow.client.aio.disputes import AsyncClientDisputes, AsyncPartnerDisputes
from clearwindow.client.aio.go_accounts import AsyncGoAccounts
from clearwindow.client.aio.member_tokens import AsyncMemberTokens
from clearwindow.client.aio.notifications import AsyncNotifications
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.aio.settlements import AsyncClientSettlements, AsyncPartnerSettlements
from clearwindow.client.aio.signed_requests import AsyncSignedRequests
from clearwindow.client.aio.standing_top_ups import AsyncStandingTopUps
from clearwindow.client.aio.statements import AsyncStatements
from clearwindow.client.aio.webhook_endpoints import AsyncWebhookEndpoints
from clearwindow.client.answers.network import (
    ClientBalances,
    ClientRecord,
    ListedPartner,
    NetworkCurrencies,
    PartnerBalances,
    PartnerRecord,
    SupportedCurrencies,
)
from clearwindow.client.answers.partner_calls import OwnEndpoint, PartnerCall
from clearwindow.client.answers.people import MemberIdentity
from clearwindow.client.answers.webhooks import MemberEvent
from clearwindow.client.calls import value_of
from clearwindow.client.filters import (
    ClientBalanceFilters,
    MemberEventFilters,
    OwnCallFilters,
    PartnerBalanceFilters,
    PartnerFilters,
)
from clearwindow.client.options import HttpOptions
from clearwindow.client.requests import NewPartner
from clearwindow.client.signing import AsyncSigner, IntentOptions
from clearwindow.client.text import Id, fields

_INTENT: Final = IntentOptions()


def _random_nonce() -> str:
    return uuid4().hex


class AsyncMember:
    """What clients and partners share. Close it at the end, or use it as a context manager."""

    def __init__(  # noqa: PLR0913 - each is a property of the client
        self,
        base_url: str,
        token: str,
        enterprise_id: str,
        *,
        signer: AsyncSigner | None = None,
        options: HttpOptions | None = None,
        new_nonce: Callable[[], str] = _random_nonce,
        intent: IntentOptions = _INTENT,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Opens no connection yet.

        Args:
            base_url: the server's address, such as ``https://network.example``.
            token: the bearer token of a member of the enterprise.
            enterprise_id: the enterprise to act for.
            signer: signs requests; see `clearwindow.client.KeySigner`. Without a signer, requests that must be
                signed fail before they are sent.
            options: time limits and repeats.
            new_nonce: makes the nonce of a signed request if the call has none.
            intent: what payloads say about themselves. By default which request they are for, for ten minutes.
            transport: for tests, and for settings that the options do not cover.
        """
        self.enterprise_id = enterprise_id
        self._caller = AsyncCaller(base_url, token, signer=signer, options=options, transport=transport)
        self._desk = AsyncDesk(self._caller, enterprise_id, new_nonce, intent)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections to the server."""
        await self._caller.aclose()

    @property
    def custodian_limits(self) -> AsyncCustodianLimits:
        return AsyncCustodianLimits(self._desk)

    @property
    def notifications(self) -> AsyncNotifications:
        return AsyncNotifications(self._desk)

    @property
    def webhook_endpoints(self) -> AsyncWebhookEndpoints:
        return AsyncWebhookEndpoints(self._desk)

    @property
    def go_accounts(self) -> AsyncGoAccounts:
        return AsyncGoAccounts(self._desk)

    @property
    def signed_requests(self) -> AsyncSignedRequests:
        return AsyncSignedRequests(self._desk)

    @property
    def statements(self) -> AsyncStatements:
        return AsyncStatements(self._desk)

    @property
    def tokens(self) -> AsyncMemberTokens:
        return AsyncMemberTokens(self._desk)

    async def whoami(self) -> MemberIdentity:
        """Returns whose token this is and what it may do. It needs no scope and no licence."""
        return await self._desk.get("/api/network/v1/whoami", value_of(MemberIdentity))

    def events(self, **filters: Unpack[MemberEventFilters]) -> AsyncPages[MemberEvent]:
        """Lists the enterprise's events, newest first."""
        return self._desk.pages(self._desk.path("/events"), "events", MemberEvent, filters)

    async def currencies(self) -> NetworkCurrencies:
        """Returns the network's currencies with their decimals, and the enterprise's own names of them."""
        return await self._desk.get(self._desk.path("/currencies"), value_of(NetworkCurrencies))

    def partners(self, **filters: Unpack[PartnerFilters]) -> AsyncPages[ListedPartner]:
        """The partners of the network."""
        return self._desk.pages(self._desk.path("/partners"), "partners", ListedPartner, filters)

    async def supported_currencies(self, partner_ids: Sequence[Id]) -> SupportedCurrencies:
        """Returns the currencies of these partners, with the partners' names of them."""
        read = value_of(SupportedCurrencies)
        return await self._desk.get(self._desk.path("/supportedCurrencies"), read, {"partner_ids": partner_ids})


class AsyncClient(AsyncMember):
    """An enterprise that trades."""

    @property
    def allocations(self) -> AsyncClientAllocations:
        return AsyncClientAllocations(self._desk)

    @property
    def approvals(self) -> AsyncClientApprovals:
        return AsyncClientApprovals(self._desk)

    @property
    def connections(self) -> AsyncClientConnections:
        return AsyncClientConnections(self._desk)

    @property
    def settlements(self) -> AsyncClientSettlements:
        return AsyncClientSettlements(self._desk)

    @property
    def disputes(self) -> AsyncClientDisputes:
        return AsyncClientDisputes(self._desk)

    async def register(self) -> ClientRecord:
        """Makes the enterprise a client. Not repeated after a lost answer, as the request has no key of its own."""
        return await self._desk.send("POST", self._desk.path("/clients"), value_of(ClientRecord, "client"))

    async def balances(self, **filters: Unpack[ClientBalanceFilters]) -> ClientBalances:
        """Returns the balances of the Go Account and of all connections. It reads page by page."""
        path, read = self._desk.path("/clients/balances"), value_of(ClientBalances)
        whole = await self._desk.get(path, read, filters)
        page_number = 0
        while whole.meta.total is None or len(whole.network_balances) < whole.meta.total:
            page_number += 1
            page = await self._desk.get(path, read, {**filters, "page_number": page_number})
            if not page.network_balances.keys() - whole.network_balances.keys():
                break
            whole.network_balances.update(page.network_balances)
        return whole


class AsyncPartner(AsyncMember):
    """An enterprise that settles: an exchange, or a broker."""

    @property
    def allocations(self) -> AsyncPartnerAllocations:
        return AsyncPartnerAllocations(self._desk)

    @property
    def connections(self) -> AsyncPartnerConnections:
        return AsyncPartnerConnections(self._desk)

    @property
    def settlements(self) -> AsyncPartnerSettlements:
        return AsyncPartnerSettlements(self._desk)

    @property
    def disputes(self) -> AsyncPartnerDisputes:
        return AsyncPartnerDisputes(self._desk)

    @property
    def standing_top_ups(self) -> AsyncStandingTopUps:
        return AsyncStandingTopUps(self._desk)

    async def endpoint(self) -> OwnEndpoint:
        """Returns how the partner's own endpoint has answered recently, and how many calls are outstanding."""
        path, read = self._desk.path("/partners/endpoint"), value_of(OwnEndpoint, "partnerEndpoint")
        return await self._desk.get(path, read)

    def calls(self, **filters: Unpack[OwnCallFilters]) -> AsyncPages[PartnerCall]:
        """Lists the calls to the partner's endpoint, newest first; ``owed=True`` lists those without an answer."""
        return self._desk.pages(self._desk.path("/partners/calls"), "partnerCalls", PartnerCall, filters)

    async def register(self, **partner: Unpack[NewPartner]) -> PartnerRecord:
        """Makes the enterprise a partner, after an operator has configured it. Not repeated after a lost answer."""
        read = value_of(PartnerRecord, "partner")
        return await self._desk.send("POST", self._desk.path("/partners"), read, fields(**partner))

    async def balances(self, **filters: Unpack[PartnerBalanceFilters]) -> PartnerBalances:
        """Returns the partner's balances and those of all its connections, in its unit. It reads page by page."""
        path, read = self._desk.path("/partners/balances"), value_of(PartnerBalances)
        whole = await self._desk.get(path, read, filters)
        page_number = 0
        while whole.meta.total is None or len(whole.network_balances) < whole.meta.total:
            page_number += 1
            page = await self._desk.get(path, read, {**filters, "page_number": page_number})
            if not page.network_balances.keys() - whole.network_balances.keys():
                break
            whole.network_balances.update(page.network_balances)
        return whole
