# Made from ../aio by `make sdk`: change it there.
"""The operator's API: whoever runs the network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Self, Unpack

import httpx2

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
from clearwindow.client.sync.caller import Caller
from clearwindow.client.sync.operator_accounts import OperatorCurrencies, OperatorGoAccounts
from clearwindow.client.sync.operator_chain import OperatorChain, OperatorOnchainDeposits
from clearwindow.client.sync.operator_desk import OperatorDesk
from clearwindow.client.sync.operator_partner_calls import OperatorPartnerCalls
from clearwindow.client.sync.operator_people import OperatorEnterprises, OperatorOperators
from clearwindow.client.sync.operator_settlements import (
    OperatorClosures,
    OperatorDisputes,
    OperatorSettlements,
)
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Id, Minutes, changes, fields

_CLOCK_PATIENCE_SECONDS: Final = 330
"""A server moves its clock for five minutes at most before it answers."""
_RESET_PATIENCE_SECONDS: Final = 60


class Operator:
    """One operator of the network. Close it when it is done, or use it as a context manager."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        options: HttpOptions | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Opens no connection yet; arguments as for `Member`, with an operator's own token."""
        self._caller = Caller(base_url, token, options=options, transport=transport)
        self._desk = OperatorDesk(self._caller)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections to the server."""
        self._caller.close()

    @property
    def operators(self) -> OperatorOperators:
        return OperatorOperators(self._desk)

    @property
    def enterprises(self) -> OperatorEnterprises:
        return OperatorEnterprises(self._desk)

    @property
    def go_accounts(self) -> OperatorGoAccounts:
        return OperatorGoAccounts(self._desk)

    @property
    def currencies(self) -> OperatorCurrencies:
        return OperatorCurrencies(self._desk)

    @property
    def settlements(self) -> OperatorSettlements:
        return OperatorSettlements(self._desk)

    @property
    def disputes(self) -> OperatorDisputes:
        return OperatorDisputes(self._desk)

    @property
    def dispute_closures(self) -> OperatorClosures:
        return OperatorClosures(self._desk)

    @property
    def partner_calls(self) -> OperatorPartnerCalls:
        return OperatorPartnerCalls(self._desk)

    @property
    def chain(self) -> OperatorChain:
        return OperatorChain(self._desk)

    @property
    def onchain_deposits(self) -> OperatorOnchainDeposits:
        return OperatorOnchainDeposits(self._desk)

    def revoke_token(self, token_id: Id) -> None:
        """Revokes a token at once and for good."""
        self._desk.send("DELETE", self._desk.path("/tokens/{}", token_id), nothing, repeatable=True)

    def configure_partner(
        self, enterprise_id: str, **configuration: Unpack[ConfigurationFields]
    ) -> PartnerConfiguration:
        """Says how an enterprise names currencies and counts amounts, so that it may become a partner."""
        path = self._desk.path("/enterprises/{}/partner-configuration", enterprise_id)
        read = value_of(PartnerConfiguration, "partnerConfiguration")
        return self._desk.send("PUT", path, read, fields(**configuration), repeatable=True)

    def update_partner(self, partner_id: Id, **changed: Unpack[PartnerChanges]) -> OperatorPartner:
        """Starts or stops a partner, sets its windows, or takes them away with None."""
        path = self._desk.path("/partners/{}", partner_id)
        return self._desk.send(
            "PATCH", path, value_of(OperatorPartner, "partner"), changes(changed), repeatable=True
        )

    def update_client(self, client_id: Id, *, active: bool | None = None) -> ClientRecord:
        """Starts or stops a client."""
        path = self._desk.path("/clients/{}", client_id)
        read = value_of(ClientRecord, "client")
        return self._desk.send("PATCH", path, read, fields(active=active), repeatable=True)

    def audit_log(self, **filters: Unpack[AuditFilters]) -> Pages[AuditRecord]:
        """Who did what, when, in which request; the newest first."""
        return self._desk.pages("/audit-log", "records", AuditRecord, filters)

    def ledger_entries(self, **filters: Unpack[EntryFilters]) -> Pages[LedgerEntry]:
        """The journal, the newest first."""
        return self._desk.pages("/ledger/entries", "entries", LedgerEntry, filters)

    def events(self, **filters: Unpack[EventFilters]) -> Pages[RecordedEvent]:
        """The events of all enterprises, the newest first."""
        return self._desk.pages("/events", "events", RecordedEvent, filters)

    def work(self, **filters: Unpack[PageFilters]) -> Pages[WorkItem]:
        """What the worker will do: waiting, due and failing."""
        return self._desk.pages("/work", "work", WorkItem, filters)

    def check_ledger(self) -> LedgerCheck:
        """Has every balance recomputed from the journal, and everything verified that must always hold."""
        return self._desk.get(self._desk.path("/ledger/check"), value_of(LedgerCheck))

    def clock(self) -> Clock:
        """The network's time, and the world's."""
        return self._desk.get(self._desk.path("/clock"), value_of(Clock))

    def set_clock(self, now: datetime) -> Clock:
        """Moves a sandbox's clock forwards to a moment; all that falls due on the way is done when it answers.

        It may take minutes, for which this call waits, whatever the options say. A `ConflictError` with the name
        ``clock_held_up`` says that it takes longer still: the same call again goes on.
        """
        return self._move_clock(fields(now=now), repeatable=True)

    def advance_clock(self, advance_minutes: Minutes) -> Clock:
        """Moves a sandbox's clock on, as `set_clock` does. Not repeated after a lost answer: it could move twice.

        Where it was held up or its answer was lost, `clock` names the ``target``, and `set_clock` goes on to it.
        """
        return self._move_clock(fields(advance_minutes=advance_minutes), repeatable=False)

    def reset_sandbox(self) -> Clock:
        """Empties a sandbox and puts its clock back; operators, their tokens and the currencies stay."""
        path = self._desk.path("/sandbox/reset")
        return self._desk.send(
            "POST", path, value_of(Clock), repeatable=False, patience_seconds=_RESET_PATIENCE_SECONDS
        )

    def _move_clock(self, asked: Mapping[str, object], *, repeatable: bool) -> Clock:
        return self._desk.send(
            "POST",
            self._desk.path("/clock"),
            value_of(Clock),
            asked,
            repeatable=repeatable,
            patience_seconds=_CLOCK_PATIENCE_SECONDS,
        )
