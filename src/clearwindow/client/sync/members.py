# Made from ../aio by `make sdk`: change it there.
"""An enterprise of the network: as a client, which trades, and as a partner, which settles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Self, Unpack
from uuid import uuid4

import httpx2

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
from clearwindow.client.signing import IntentOptions, Signer
from clearwindow.client.sync.allocations import ClientAllocations, PartnerAllocations
from clearwindow.client.sync.approvals import ClientApprovals, CustodianLimits
from clearwindow.client.sync.caller import Caller
from clearwindow.client.sync.connections import ClientConnections, PartnerConnections
from clearwindow.client.sync.desk import Desk
from clearwindow.client.sync.disputes import ClientDisputes, PartnerDisputes
from clearwindow.client.sync.go_accounts import GoAccounts
from clearwindow.client.sync.member_tokens import MemberTokens
from clearwindow.client.sync.notifications import Notifications
from clearwindow.client.sync.pages import Pages
from clearwindow.client.sync.settlements import ClientSettlements, PartnerSettlements
from clearwindow.client.sync.signed_requests import SignedRequests
from clearwindow.client.sync.standing_top_ups import StandingTopUps
from clearwindow.client.sync.statements import Statements
from clearwindow.client.sync.webhook_endpoints import WebhookEndpoints
from clearwindow.client.text import Id, fields

_INTENT: Final = IntentOptions()


def _random_nonce() -> str:
    return uuid4().hex


class Member:
    """What clients and partners share. Close it at the end, or use it as a context manager."""

    def __init__(  # noqa: PLR0913 - each is a property of the client
        self,
        base_url: str,
        token: str,
        enterprise_id: str,
        *,
        signer: Signer | None = None,
        options: HttpOptions | None = None,
        new_nonce: Callable[[], str] = _random_nonce,
        intent: IntentOptions = _INTENT,
        transport: httpx2.BaseTransport | None = None,
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
        self._caller = Caller(base_url, token, signer=signer, options=options, transport=transport)
        self._desk = Desk(self._caller, enterprise_id, new_nonce, intent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections to the server."""
        self._caller.close()

    @property
    def custodian_limits(self) -> CustodianLimits:
        return CustodianLimits(self._desk)

    @property
    def notifications(self) -> Notifications:
        return Notifications(self._desk)

    @property
    def webhook_endpoints(self) -> WebhookEndpoints:
        return WebhookEndpoints(self._desk)

    @property
    def go_accounts(self) -> GoAccounts:
        return GoAccounts(self._desk)

    @property
    def signed_requests(self) -> SignedRequests:
        return SignedRequests(self._desk)

    @property
    def statements(self) -> Statements:
        return Statements(self._desk)

    @property
    def tokens(self) -> MemberTokens:
        return MemberTokens(self._desk)

    def whoami(self) -> MemberIdentity:
        """Returns whose token this is and what it may do. It needs no scope and no licence."""
        return self._desk.get("/api/network/v1/whoami", value_of(MemberIdentity))

    def events(self, **filters: Unpack[MemberEventFilters]) -> Pages[MemberEvent]:
        """Lists the enterprise's events, newest first."""
        return self._desk.pages(self._desk.path("/events"), "events", MemberEvent, filters)

    def currencies(self) -> NetworkCurrencies:
        """Returns the network's currencies with their decimals, and the enterprise's own names of them."""
        return self._desk.get(self._desk.path("/currencies"), value_of(NetworkCurrencies))

    def partners(self, **filters: Unpack[PartnerFilters]) -> Pages[ListedPartner]:
        """The partners of the network."""
        return self._desk.pages(self._desk.path("/partners"), "partners", ListedPartner, filters)

    def supported_currencies(self, partner_ids: Sequence[Id]) -> SupportedCurrencies:
        """Returns the currencies of these partners, with the partners' names of them."""
        read = value_of(SupportedCurrencies)
        return self._desk.get(self._desk.path("/supportedCurrencies"), read, {"partner_ids": partner_ids})


class Client(Member):
    """An enterprise that trades."""

    @property
    def allocations(self) -> ClientAllocations:
        return ClientAllocations(self._desk)

    @property
    def approvals(self) -> ClientApprovals:
        return ClientApprovals(self._desk)

    @property
    def connections(self) -> ClientConnections:
        return ClientConnections(self._desk)

    @property
    def settlements(self) -> ClientSettlements:
        return ClientSettlements(self._desk)

    @property
    def disputes(self) -> ClientDisputes:
        return ClientDisputes(self._desk)

    def register(self) -> ClientRecord:
        """Makes the enterprise a client. Not repeated after a lost answer, as the request has no key of its own."""
        return self._desk.send("POST", self._desk.path("/clients"), value_of(ClientRecord, "client"))

    def balances(self, **filters: Unpack[ClientBalanceFilters]) -> ClientBalances:
        """Returns the balances of the Go Account and of all connections. It reads page by page."""
        path, read = self._desk.path("/clients/balances"), value_of(ClientBalances)
        whole = self._desk.get(path, read, filters)
        page_number = 0
        while whole.meta.total is None or len(whole.network_balances) < whole.meta.total:
            page_number += 1
            page = self._desk.get(path, read, {**filters, "page_number": page_number})
            if not page.network_balances.keys() - whole.network_balances.keys():
                break
            whole.network_balances.update(page.network_balances)
        return whole


class Partner(Member):
    """An enterprise that settles: an exchange, or a broker."""

    @property
    def allocations(self) -> PartnerAllocations:
        return PartnerAllocations(self._desk)

    @property
    def connections(self) -> PartnerConnections:
        return PartnerConnections(self._desk)

    @property
    def settlements(self) -> PartnerSettlements:
        return PartnerSettlements(self._desk)

    @property
    def disputes(self) -> PartnerDisputes:
        return PartnerDisputes(self._desk)

    @property
    def standing_top_ups(self) -> StandingTopUps:
        return StandingTopUps(self._desk)

    def endpoint(self) -> OwnEndpoint:
        """Returns how the partner's own endpoint has answered recently, and how many calls are outstanding."""
        path, read = self._desk.path("/partners/endpoint"), value_of(OwnEndpoint, "partnerEndpoint")
        return self._desk.get(path, read)

    def calls(self, **filters: Unpack[OwnCallFilters]) -> Pages[PartnerCall]:
        """Lists the calls to the partner's endpoint, newest first; ``owed=True`` lists those without an answer."""
        return self._desk.pages(self._desk.path("/partners/calls"), "partnerCalls", PartnerCall, filters)

    def register(self, **partner: Unpack[NewPartner]) -> PartnerRecord:
        """Makes the enterprise a partner, after an operator has configured it. Not repeated after a lost answer."""
        read = value_of(PartnerRecord, "partner")
        return self._desk.send("POST", self._desk.path("/partners"), read, fields(**partner))

    def balances(self, **filters: Unpack[PartnerBalanceFilters]) -> PartnerBalances:
        """Returns the partner's balances and those of all its connections, in its unit. It reads page by page."""
        path, read = self._desk.path("/partners/balances"), value_of(PartnerBalances)
        whole = self._desk.get(path, read, filters)
        page_number = 0
        while whole.meta.total is None or len(whole.network_balances) < whole.meta.total:
            page_number += 1
            page = self._desk.get(path, read, {**filters, "page_number": page_number})
            if not page.network_balances.keys() - whole.network_balances.keys():
                break
            whole.network_balances.update(page.network_balances)
        return whole
