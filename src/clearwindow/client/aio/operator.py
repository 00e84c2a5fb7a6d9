"""The operator's API: whoever runs the network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Self, Unpack

import httpx2

from clearwindow.client.aio.caller import AsyncCaller
from clearwindow.client.aio.operator_accounts import AsyncOperatorCurrencies, AsyncOperatorGoAccounts
from clearwindow.client.aio.operator_chain import AsyncOperatorChain, AsyncOperatorOnchainDeposits
from clearwindow.client.aio.operator_desk import AsyncOperatorDesk
from clearwindow.client.aio.operator_partner_calls import AsyncOperatorPartnerCalls
from clearwindow.client.aio.operator_people import AsyncOperatorEnterprises, AsyncOperatorOperators
from clearwindow.client.aio.operator_settlements import (
    AsyncOperatorClosures,
    AsyncOperatorDisputes,
    AsyncOperatorSettlements,
)
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.network import ClientRecord
from clearwindow.client.answers.operator import (
    AuditRecord,
    Clock,
    LedgerCheck,
    LedgerEntry,
    OperatorPartner,
    PartnerConfiguration,
    RecordedEvent,
    WorkItem,
)
from clearwindow.client.calls import nothing, value_of
from clearwindow.client.filters import AuditFilters, EntryFilters, EventFilters, PageFilters
from clearwindow.client.options import HttpOptions
from clearwindow.client.requests import ConfigurationFields, PartnerChanges
from clearwindow.client.text import Id, Minutes, changes, fields

_CLOCK_PATIENCE_SECONDS: Final = 330
"""A server moves its clock for five minutes at most before it answers."""
_RESET_PATIENCE_SECONDS: Final = 60


class AsyncOperator:
    """One operator of the network. Close it when it is done, or use it as a context manager."""

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
        """Ends the connections to the server."""
        await self._caller.aclose()

    @property
    def operators(self) -> AsyncOperatorOperators:
        return AsyncOperatorOperators(self._desk)

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
    def chain(self) -> AsyncOperatorChain:
        return AsyncOperatorChain(self._desk)

    @property
    def onchain_deposits(self) -> AsyncOperatorOnchainDeposits:
        return AsyncOperatorOnchainDeposits(self._desk)

    async def revoke_token(self, token_id: Id) -> None:
        """Revokes a token at once and for good."""
        await self._desk.send("DELETE", self._desk.path("/tokens/{}", token_id), nothing, repeatable=True)

    async def configure_partner(
        self, enterprise_id: str, **configuration: Unpack[ConfigurationFields]
    ) -> PartnerConfiguration:
        """Says how an enterprise names currencies and counts amounts, so that it may become a partner."""
        path = self._desk.path("/enterprises/{}/partner-configuration", enterprise_id)
        read = value_of(PartnerConfiguration, "partnerConfiguration")
        return await self._desk.send("PUT", path, read, fields(**configuration), repeatable=True)

    async def update_partner(self, partner_id: Id, **changed: Unpack[PartnerChanges]) -> OperatorPartner:
        """Starts or stops a partner, sets its windows, or takes them away with None."""
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
        """Who did what, when, in which request; the newest first."""
        return self._desk.pages("/audit-log", "records", AuditRecord, filters)

    def ledger_entries(self, **filters: Unpack[EntryFilters]) -> AsyncPages[LedgerEntry]:
        """The journal, the newest first."""
        return self._desk.pages("/ledger/entries", "entries", LedgerEntry, filters)

    def events(self, **filters: Unpack[EventFilters]) -> AsyncPages[RecordedEvent]:
        """The events of all enterprises, the newest first."""
        return self._desk.pages("/events", "events", RecordedEvent, filters)

    def work(self, **filters: Unpack[PageFilters]) -> AsyncPages[WorkItem]:
        """What the worker will do: waiting, due and failing."""
        return self._desk.pages("/work", "work", WorkItem, filters)

    async def check_ledger(self) -> LedgerCheck:
        """Has every balance recomputed from the journal, and everything verified that must always hold."""
        return await self._desk.get(self._desk.path("/ledger/check"), value_of(LedgerCheck))

    async def clock(self) -> Clock:
        """The network's time, and the world's."""
        return await self._desk.get(self._desk.path("/clock"), value_of(Clock))

    async def set_clock(self, now: datetime) -> Clock:
        """Moves a sandbox's clock forwards to a moment; all that falls due on the way is done when it answers.

        It may take minutes, for which this call waits, whatever the options say. A `ConflictError` with the name
        ``clock_held_up`` says that it takes longer still: the same call again goes on.
        """
        return await self._move_clock(fields(now=now), repeatable=True)

    async def advance_clock(self, advance_minutes: Minutes) -> Clock:
        """Moves a sandbox's clock on, as `set_clock` does. Not repeated after a lost answer: it could move twice.

        Where it was held up or its answer was lost, `clock` names the ``target``, and `set_clock` goes on to it.
        """
        return await self._move_clock(fields(advance_minutes=advance_minutes), repeatable=False)

    async def reset_sandbox(self) -> Clock:
        """Empties a sandbox and puts its clock back; operators, their tokens and the currencies stay."""
        path = self._desk.path("/sandbox/reset")
        return await self._desk.send(
            "POST", path, value_of(Clock), repeatable=False, patience_seconds=_RESET_PATIENCE_SECONDS
        )

    async def _move_clock(self, asked: Mapping[str, object], *, repeatable: bool) -> Clock:
        return await self._desk.send(
            "POST",
            self._desk.path("/clock"),
            value_of(Clock),
            asked,
            repeatable=repeatable,
            patience_seconds=_CLOCK_PATIENCE_SECONDS,
        )
