"""The operator's API, for those who run the network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Self, Unpack

import httpx2

from clearwindow.client.aio.caller import AsyncCaller
from clearwindow.client.aio.notifications import AsyncOperatorNotifications
from clearwindow.client.aio.operator_accounts import AsyncOperatorCurrencies, AsyncOperatorGoAccounts
from clearwindow.client.aio.operator_chain import AsyncOperatorChain, AsyncOperatorOnchainDeposits
from clearwindow.client.aio.operator_desk import AsyncOperatorDesk
from clearwindow.client.aio.operator_lists import (
    AsyncOperatorAllocations,
    AsyncOperatorClients,
    AsyncOperatorConfigurations,
    AsyncOperatorConnections,
    AsyncOperatorEndpoints,
    AsyncOperatorLicences,
    AsyncOperatorPartners,
    AsyncOperatorTokens,
    AsyncOperatorUsers,
)
from clearwindow.client.aio.operator_partner_calls import AsyncOperatorPartnerCalls
from clearwindow.client.aio.operator_pauses import AsyncOperatorPauses
from clearwindow.client.aio.operator_people import (
    AsyncOperatorEnterprises,
    AsyncOperatorOperators,
    AsyncOperatorSecondFactor,
)
from clearwindow.client.aio.operator_proposals import AsyncOperatorProposals
from clearwindow.client.aio.operator_settlements import (
    AsyncOperatorClosures,
    AsyncOperatorDisputes,
    AsyncOperatorSettlements,
)
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.aio.signed_requests import AsyncOperatorSignedRequests
from clearwindow.client.aio.statements import AsyncOperatorStatements
from clearwindow.client.answers.network import ClientRecord
from clearwindow.client.answers.operator import (
    AuditRecord,
    Clock,
    LedgerCheck,
    LedgerEntry,
    OperatorPartner,
    PartnerConfiguration,
    PartnerLicence,
    RecordedEvent,
    WorkItem,
)
from clearwindow.client.answers.people import OperatorIdentity
from clearwindow.client.calls import nothing, value_of
from clearwindow.client.filters import AuditFilters, EntryFilters, EventFilters, WorkFilters
from clearwindow.client.options import HttpOptions
from clearwindow.client.requests import ConfigurationFields, PartnerChanges
from clearwindow.client.text import Id, Minutes, changes, fields

_CLOCK_TIMEOUT_SECONDS: Final = 330
"""The server answers after at most five minutes of moving the clock."""
_RESET_TIMEOUT_SECONDS: Final = 60


class AsyncOperator:
    """One operator of the network. Close it at the end, or use it as a context manager."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        options: HttpOptions | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Opens no connection yet; arguments as for `AsyncMember`, with an operator's own token."""
        self._caller = AsyncCaller(base_url, token, options=options, transport=transport)
        self._desk = AsyncOperatorDesk(self._caller)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections to the server."""
        await self._caller.aclose()

    @property
    def operators(self) -> AsyncOperatorOperators:
        return AsyncOperatorOperators(self._desk)

    @property
    def second_factor(self) -> AsyncOperatorSecondFactor:
        return AsyncOperatorSecondFactor(self._desk)

    @property
    def enterprises(self) -> AsyncOperatorEnterprises:
        return AsyncOperatorEnterprises(self._desk)

    @property
    def go_accounts(self) -> AsyncOperatorGoAccounts:
        return AsyncOperatorGoAccounts(self._desk)

    @property
    def currencies(self) -> AsyncOperatorCurrencies:
        return AsyncOperatorCurrencies(self._desk)

    @property
    def settlements(self) -> AsyncOperatorSettlements:
        return AsyncOperatorSettlements(self._desk)

    @property
    def disputes(self) -> AsyncOperatorDisputes:
        return AsyncOperatorDisputes(self._desk)

    @property
    def dispute_closures(self) -> AsyncOperatorClosures:
        return AsyncOperatorClosures(self._desk)

    @property
    def partner_calls(self) -> AsyncOperatorPartnerCalls:
        return AsyncOperatorPartnerCalls(self._desk)

    @property
    def pauses(self) -> AsyncOperatorPauses:
        return AsyncOperatorPauses(self._desk)

    @property
    def proposals(self) -> AsyncOperatorProposals:
        return AsyncOperatorProposals(self._desk)

    @property
    def chain(self) -> AsyncOperatorChain:
        return AsyncOperatorChain(self._desk)

    @property
    def onchain_deposits(self) -> AsyncOperatorOnchainDeposits:
        return AsyncOperatorOnchainDeposits(self._desk)

    @property
    def signed_requests(self) -> AsyncOperatorSignedRequests:
        return AsyncOperatorSignedRequests(self._desk)

    @property
    def statements(self) -> AsyncOperatorStatements:
        return AsyncOperatorStatements(self._desk)

    @property
    def users(self) -> AsyncOperatorUsers:
        return AsyncOperatorUsers(self._desk)

    @property
    def tokens(self) -> AsyncOperatorTokens:
        return AsyncOperatorTokens(self._desk)

    @property
    def partner_licences(self) -> AsyncOperatorLicences:
        return AsyncOperatorLicences(self._desk)

    @property
    def partner_configurations(self) -> AsyncOperatorConfigurations:
        return AsyncOperatorConfigurations(self._desk)

    @property
    def partners(self) -> AsyncOperatorPartners:
        return AsyncOperatorPartners(self._desk)

    @property
    def clients(self) -> AsyncOperatorClients:
        return AsyncOperatorClients(self._desk)

    @property
    def connections(self) -> AsyncOperatorConnections:
        return AsyncOperatorConnections(self._desk)

    @property
    def allocations(self) -> AsyncOperatorAllocations:
        return AsyncOperatorAllocations(self._desk)

    @property
    def notifications(self) -> AsyncOperatorNotifications:
        return AsyncOperatorNotifications(self._desk)

    @property
    def webhook_endpoints(self) -> AsyncOperatorEndpoints:
        return AsyncOperatorEndpoints(self._desk)

    async def whoami(self) -> OperatorIdentity:
        """Returns whose token this is and what it may do."""
        return await self._desk.get(self._desk.path("/whoami"), value_of(OperatorIdentity))

    async def revoke_token(self, token_id: Id) -> None:
        """Revokes a token at once. This cannot be undone."""
        await self._desk.send("DELETE", self._desk.path("/tokens/{}", token_id), nothing, repeatable=True)

    async def configure_partner(
        self, enterprise_id: str, **configuration: Unpack[ConfigurationFields]
    ) -> PartnerConfiguration:
        """Sets how an enterprise names currencies and counts amounts. It can then become a partner."""
        path = self._desk.path("/enterprises/{}/partner-configuration", enterprise_id)
        read = value_of(PartnerConfiguration, "partnerConfiguration")
        return await self._desk.send("PUT", path, read, fields(**configuration), repeatable=True)

    async def update_partner_licence(self, enterprise_id: Id, partner_id: Id, *, licensed: bool) -> PartnerLicence:
        """Gives an enterprise the licence for a partner, or takes it away. What exists already goes on."""
        path = self._desk.path("/enterprises/{}/partner-licences/{}", enterprise_id, partner_id)
        read = value_of(PartnerLicence, "partnerLicence")
        return await self._desk.send("PATCH", path, read, fields(licensed=licensed), repeatable=True)

    async def update_partner(self, partner_id: Id, **changed: Unpack[PartnerChanges]) -> OperatorPartner:
        """Starts or stops a partner, and sets its windows. None removes a window."""
        path = self._desk.path("/partners/{}", partner_id)
        return await self._desk.send(
            "PATCH", path, value_of(OperatorPartner, "partner"), changes(changed), repeatable=True
        )

    async def update_client(self, client_id: Id, *, active: bool | None = None) -> ClientRecord:
        """Starts or stops a client."""
        path = self._desk.path("/clients/{}", client_id)
        read = value_of(ClientRecord, "client")
        return await self._desk.send("PATCH", path, read, fields(active=active), repeatable=True)

    def audit_log(self, **filters: Unpack[AuditFilters]) -> AsyncPages[AuditRecord]:
        """Lists who did what, when and in which request, newest first."""
        return self._desk.pages("/audit-log", "records", AuditRecord, filters)

    def ledger_entries(self, **filters: Unpack[EntryFilters]) -> AsyncPages[LedgerEntry]:
        """Lists the entries of the journal, newest first."""
        return self._desk.pages("/ledger/entries", "entries", LedgerEntry, filters)

    def events(self, **filters: Unpack[EventFilters]) -> AsyncPages[RecordedEvent]:
        """Lists the events of all enterprises, newest first."""
        return self._desk.pages("/events", "events", RecordedEvent, filters)

    def work(self, **filters: Unpack[WorkFilters]) -> AsyncPages[WorkItem]:
        """Returns the work of the worker: waiting, due, failing and paused."""
        return self._desk.pages("/work", "work", WorkItem, filters)

    async def check_ledger(self) -> LedgerCheck:
        """Recomputes every balance from the journal, and verifies everything that must always hold."""
        return await self._desk.get(self._desk.path("/ledger/check"), value_of(LedgerCheck))

    async def clock(self) -> Clock:
        """Returns the network's time and the real time."""
        return await self._desk.get(self._desk.path("/clock"), value_of(Clock))

    async def set_clock(self, now: datetime) -> Clock:
        """Moves a sandbox's clock forward to a time. Work that becomes due on the way is done before the answer.

        This may take minutes. The call waits for them, whatever the options say. A `ConflictError` with the name
        ``clock_held_up`` means that it takes longer: repeat the call to continue.
        """
        return await self._move_clock(fields(now=now), repeatable=True)

    async def advance_clock(self, advance_minutes: Minutes) -> Clock:
        """Advances a sandbox's clock, as `set_clock` does. Not repeated after a lost answer: it could move twice.

        If it was held up or its answer was lost, `clock` returns the ``target``: continue with `set_clock`.
        """
        return await self._move_clock(fields(advance_minutes=advance_minutes), repeatable=False)

    async def reset_sandbox(self) -> Clock:
        """Empties a sandbox and resets its clock. Operators, their tokens and the currencies stay."""
        path = self._desk.path("/sandbox/reset")
        return await self._desk.send(
            "POST", path, value_of(Clock), repeatable=False, min_timeout_seconds=_RESET_TIMEOUT_SECONDS
        )

    async def _move_clock(self, asked: Mapping[str, object], *, repeatable: bool) -> Clock:
        return await self._desk.send(
            "POST",
            self._desk.path("/clock"),
            value_of(Clock),
            asked,
            repeatable=repeatable,
            min_timeout_seconds=_CLOCK_TIMEOUT_SECONDS,
        )
