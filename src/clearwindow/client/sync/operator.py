# Made from ../aio by `make sdk`: change it there.
"""The operator's API, for those who run the network."""

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
    PartnerLicence,
    RecordedEvent,
    WorkItem,
)
from clearwindow.client.answers.people import OperatorIdentity
from clearwindow.client.calls import nothing, value_of
from clearwindow.client.filters import AuditFilters, EntryFilters, EventFilters, WorkFilters
from clearwindow.client.options import HttpOptions
from clearwindow.client.requests import ConfigurationFields, PartnerChanges
from clearwindow.client.sync.caller import Caller
from clearwindow.client.sync.notifications import OperatorNotifications
from clearwindow.client.sync.operator_accounts import OperatorCurrencies, OperatorGoAccounts
from clearwindow.client.sync.operator_chain import OperatorChain, OperatorOnchainDeposits
from clearwindow.client.sync.operator_desk import OperatorDesk
from clearwindow.client.sync.operator_lists import (
    OperatorAllocations,
    OperatorClients,
    OperatorConfigurations,
    OperatorConnections,
    OperatorEndpoints,
    OperatorLicences,
    OperatorPartners,
    OperatorTokens,
    OperatorUsers,
)
from clearwindow.client.sync.operator_partner_calls import OperatorPartnerCalls
from clearwindow.client.sync.operator_pauses import OperatorPauses
from clearwindow.client.sync.operator_people import (
    OperatorEnterprises,
    OperatorOperators,
    OperatorSecondFactor,
)
from clearwindow.client.sync.operator_proposals import OperatorProposals
from clearwindow.client.sync.operator_settlements import (
    OperatorClosures,
    OperatorDisputes,
    OperatorSettlements,
)
from clearwindow.client.sync.pages import Pages
from clearwindow.client.sync.signed_requests import OperatorSignedRequests
from clearwindow.client.sync.statements import OperatorStatements
from clearwindow.client.text import Id, Minutes, changes, fields

_CLOCK_TIMEOUT_SECONDS: Final = 330
"""The server answers after at most five minutes of moving the clock."""
_RESET_TIMEOUT_SECONDS: Final = 60


class Operator:
    """One operator of the network. Close it at the end, or use it as a context manager."""

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
        """Closes the connections to the server."""
        self._caller.close()

    @property
    def operators(self) -> OperatorOperators:
        return OperatorOperators(self._desk)

    @property
    def second_factor(self) -> OperatorSecondFactor:
        return OperatorSecondFactor(self._desk)

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
    def pauses(self) -> OperatorPauses:
        return OperatorPauses(self._desk)

    @property
    def proposals(self) -> OperatorProposals:
        return OperatorProposals(self._desk)

    @property
    def chain(self) -> OperatorChain:
        return OperatorChain(self._desk)

    @property
    def onchain_deposits(self) -> OperatorOnchainDeposits:
        return OperatorOnchainDeposits(self._desk)

    @property
    def signed_requests(self) -> OperatorSignedRequests:
        return OperatorSignedRequests(self._desk)

    @property
    def statements(self) -> OperatorStatements:
        return OperatorStatements(self._desk)

    @property
    def users(self) -> OperatorUsers:
        return OperatorUsers(self._desk)

    @property
    def tokens(self) -> OperatorTokens:
        return OperatorTokens(self._desk)

    @property
    def partner_licences(self) -> OperatorLicences:
        return OperatorLicences(self._desk)

    @property
    def partner_configurations(self) -> OperatorConfigurations:
        return OperatorConfigurations(self._desk)

    @property
    def partners(self) -> OperatorPartners:
        return OperatorPartners(self._desk)

    @property
    def clients(self) -> OperatorClients:
        return OperatorClients(self._desk)

    @property
    def connections(self) -> OperatorConnections:
        return OperatorConnections(self._desk)

    @property
    def allocations(self) -> OperatorAllocations:
        return OperatorAllocations(self._desk)

    @property
    def notifications(self) -> OperatorNotifications:
        return OperatorNotifications(self._desk)

    @property
    def webhook_endpoints(self) -> OperatorEndpoints:
        return OperatorEndpoints(self._desk)

    def whoami(self) -> OperatorIdentity:
        """Returns whose token this is and what it may do."""
        return self._desk.get(self._desk.path("/whoami"), value_of(OperatorIdentity))

    def revoke_token(self, token_id: Id) -> None:
        """Revokes a token at once. This cannot be undone."""
        self._desk.send("DELETE", self._desk.path("/tokens/{}", token_id), nothing, repeatable=True)

    def configure_partner(
        self, enterprise_id: str, **configuration: Unpack[ConfigurationFields]
    ) -> PartnerConfiguration:
        """Sets how an enterprise names currencies and counts amounts. It can then become a partner."""
        path = self._desk.path("/enterprises/{}/partner-configuration", enterprise_id)
        read = value_of(PartnerConfiguration, "partnerConfiguration")
        return self._desk.send("PUT", path, read, fields(**configuration), repeatable=True)

    def update_partner_licence(self, enterprise_id: Id, partner_id: Id, *, licensed: bool) -> PartnerLicence:
        """Gives an enterprise the licence for a partner, or takes it away. What exists already goes on."""
        path = self._desk.path("/enterprises/{}/partner-licences/{}", enterprise_id, partner_id)
        read = value_of(PartnerLicence, "partnerLicence")
        return self._desk.send("PATCH", path, read, fields(licensed=licensed), repeatable=True)

    def update_partner(self, partner_id: Id, **changed: Unpack[PartnerChanges]) -> OperatorPartner:
        """Starts or stops a partner, and sets its windows. None removes a window."""
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
        """Lists who did what, when and in which request, newest first."""
        return self._desk.pages("/audit-log", "records", AuditRecord, filters)

    def ledger_entries(self, **filters: Unpack[EntryFilters]) -> Pages[LedgerEntry]:
        """Lists the entries of the journal, newest first."""
        return self._desk.pages("/ledger/entries", "entries", LedgerEntry, filters)

    def events(self, **filters: Unpack[EventFilters]) -> Pages[RecordedEvent]:
        """Lists the events of all enterprises, newest first."""
        return self._desk.pages("/events", "events", RecordedEvent, filters)

    def work(self, **filters: Unpack[WorkFilters]) -> Pages[WorkItem]:
        """Returns the work of the worker: waiting, due, failing and paused."""
        return self._desk.pages("/work", "work", WorkItem, filters)

    def check_ledger(self) -> LedgerCheck:
        """Recomputes every balance from the journal, and verifies everything that must always hold."""
        return self._desk.get(self._desk.path("/ledger/check"), value_of(LedgerCheck))

    def clock(self) -> Clock:
        """Returns the network's time and the real time."""
        return self._desk.get(self._desk.path("/clock"), value_of(Clock))

    def set_clock(self, now: datetime) -> Clock:
        """Moves a sandbox's clock forward to a time. Work that becomes due on the way is done before the answer.

        This may take minutes. The call waits for them, whatever the options say. A `ConflictError` with the name
        ``clock_held_up`` means that it takes longer: repeat the call to continue.
        """
        return self._move_clock(fields(now=now), repeatable=True)

    def advance_clock(self, advance_minutes: Minutes) -> Clock:
        """Advances a sandbox's clock, as `set_clock` does. Not repeated after a lost answer: it could move twice.

        If it was held up or its answer was lost, `clock` returns the ``target``: continue with `set_clock`.
        """
        return self._move_clock(fields(advance_minutes=advance_minutes), repeatable=False)

    def reset_sandbox(self) -> Clock:
        """Empties a sandbox and resets its clock. Operators, their tokens and the currencies stay."""
        path = self._desk.path("/sandbox/reset")
        return self._desk.send(
            "POST", path, value_of(Clock), repeatable=False, min_timeout_seconds=_RESET_TIMEOUT_SECONDS
        )

    def _move_clock(self, asked: Mapping[str, object], *, repeatable: bool) -> Clock:
        return self._desk.send(
            "POST",
            self._desk.path("/clock"),
            value_of(Clock),
            asked,
            repeatable=repeatable,
            min_timeout_seconds=_CLOCK_TIMEOUT_SECONDS,
        )
