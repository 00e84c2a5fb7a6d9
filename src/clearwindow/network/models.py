"""Partners, clients, connections, their balances, and a partner's currency names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypedDict
from uuid import UUID

from clearwindow.core.money import AmountUnit, to_partner_amount
from clearwindow.identity.models import TrustOrg
from clearwindow.ledger.models import Balance
from clearwindow.postgres.paging import Listing


class ConnectionKeySchema(StrEnum):
    """The fields of the key with which a client proves that it owns an account at the partner."""

    TOKEN = "token"  # noqa: S105 - the schema's name on the wire
    TOKEN_AND_SIGNATURE = "tokenAndSignature"  # noqa: S105 - the same
    API_KEY_AND_SECRET = "apiKeyAndSecret"  # noqa: S105 - the same
    CLEARLOOP = "clearloop"


@dataclass(frozen=True, slots=True)
class Client:
    """An enterprise as a trader. Its ``name`` is the enterprise's."""

    id: UUID
    enterprise_id: str
    go_account_id: UUID
    active: bool
    created_at: datetime
    updated_at: datetime
    trust_org: TrustOrg
    name: str


@dataclass(frozen=True, slots=True)
class PartnerConfiguration:
    """What the operator configures before an enterprise becomes a partner.

    Attributes:
        currencies: our currency names by the partner's names.
        public_key: an RSA key in PEM, to which clients may encrypt their connection keys.
    """

    enterprise_id: str
    currencies: Mapping[str, str]
    amount_unit: AmountUnit
    execute_when_funded: bool
    auto_approve_client_closures: bool
    public_key: str | None
    onchain_enabled: bool
    loss_sla_minutes: Decimal | None
    gain_sla_minutes: Decimal | None


@dataclass(frozen=True, slots=True)
class Partner:
    """An enterprise as an exchange, with its configuration. A window of None is not configured."""

    id: UUID
    enterprise_id: str
    go_account_id: UUID
    client_id: UUID
    name: str
    broker: bool
    institution_id: str | None
    institution_identifier: str
    connection_key_schema: ConnectionKeySchema
    active: bool
    stable_partner: bool
    allocation_policies_enabled: bool
    client_dispute_window_minutes: Decimal | None
    top_up_window_minutes: Decimal | None
    created_at: datetime
    updated_at: datetime
    amount_unit: AmountUnit
    execute_when_funded: bool
    auto_approve_client_closures: bool
    public_key: str | None
    onchain_enabled: bool
    loss_sla_minutes: Decimal | None
    gain_sla_minutes: Decimal | None
    settlement_transaction_route_id: str | None
    trust_org: TrustOrg


@dataclass(frozen=True, slots=True)
class NewPartner:
    """A request to become a partner."""

    name: str
    broker: bool
    institution_id: str | None
    institution_identifier: str
    connection_key_schema: ConnectionKeySchema
    client_dispute_window_minutes: Decimal | None
    top_up_window_minutes: Decimal | None
    allocation_policies_enabled: bool

    @property
    def sha256(self) -> bytes:
        """The digest that tells repeats from other requests. It does not depend on how numbers are written."""
        windows = [self.client_dispute_window_minutes, self.top_up_window_minutes]
        plain = [None if window is None else str(window.normalize()) for window in windows]
        rest = [self.name, self.broker, self.institution_id, self.institution_identifier]
        flags = [self.connection_key_schema, self.allocation_policies_enabled]
        return hashlib.sha256(json.dumps([*rest, *flags, *plain]).encode()).digest()


@dataclass(frozen=True, slots=True)
class PartnerLicence:
    """Whether an enterprise may open connections and allocate to one partner. ``updated_at``: None if never set."""

    enterprise_id: str
    partner_id: UUID
    licensed: bool
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """A client's account at a partner. Its key stays encrypted in the database."""

    id: UUID
    partner_id: UUID
    client_id: UUID
    network_account_id: UUID
    name: str
    active: bool
    nonce: str
    proof: str
    partners_client_id: str | None
    partners_connection_id: str | None
    initiated_by: str
    created_at: datetime
    updated_at: datetime
    refused_reason: str | None = None

    @property
    def initialized(self) -> bool:
        """Whether the partner accepted the connection. Before that it has no ids of the partner's."""
        return self.partners_connection_id is not None


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A client's account at a partner, and the key that proves that the client owns it."""

    partner_id: UUID
    name: str
    key_schema: ConnectionKeySchema
    key_fields: Mapping[str, str] = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection. ``replayed``: an earlier, same request made it. ``may_call``: the partner may be called now."""

    connection: Connection
    replayed: bool
    may_call: bool = True


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """What a connection was requested with: it can be renamed, and its key is not part of a ``Connection``."""

    name: str
    key: bytes = field(repr=False)


class PartnerChanges(TypedDict, total=False):
    """The fields of a partner to change. A window or route of None is removed."""

    active: bool
    stable_partner: bool
    client_dispute_window_minutes: Decimal | None
    top_up_window_minutes: Decimal | None
    settlement_transaction_route_id: str | None


class ClientChanges(TypedDict, total=False):
    """The fields of a client to change."""

    active: bool


class ConnectionChanges(TypedDict, total=False):
    """The fields of a connection to change."""

    active: bool
    name: str


@dataclass(frozen=True, slots=True)
class MappedCurrency:
    """Our currency for one of the partner's names. ``backing`` is the asset that backs it."""

    currency: str
    decimals: int
    backing: str


@dataclass(frozen=True, slots=True)
class CurrencyMap:
    """A partner's own currency names, and the unit of its amounts."""

    unit: AmountUnit
    mapped: Mapping[str, MappedCurrency]

    def to_ours(self, name: str) -> tuple[str, int] | None:
        """Returns our name and the decimals of the partner's currency ``name``, or None if it is not mapped."""
        found = self.mapped.get(name)
        return (found.currency, found.decimals) if found else None

    def partner_names(self, currency: str) -> tuple[str, ...]:
        """Returns the partner's names of our currency, sorted. Answers use the first (choice C121)."""
        return tuple(sorted(name for name, found in self.mapped.items() if found.currency == currency))

    def to_theirs(self, currency: str, quantity: int) -> tuple[str, str] | None:
        """Returns the partner's name and amount for base units of our currency, or None if it is not mapped."""
        names = self.partner_names(currency)
        if not names:
            return None
        return names[0], to_partner_amount(quantity, self.unit, self.mapped[names[0]].decimals)

    def currencies(self) -> dict[str, MappedCurrency]:
        """Returns the mapped currencies by our name."""
        return {found.currency: found for found in self.mapped.values()}


@dataclass(frozen=True, slots=True)
class PartnerFilter:
    """Selects partners of a list. None means no restriction."""

    ids: list[UUID] | None = None
    names: list[str] | None = None
    institution_ids: list[str] | None = None
    institution_identifiers: list[str] | None = None
    active: bool | None = None
    allocation_policies_enabled: bool | None = None
    trust_org_of: str | None = None
    """An enterprise: selects only partners of its trust organisation."""


@dataclass(frozen=True, slots=True)
class ConnectionFilter:
    """Selects connections of a list. None means no restriction."""

    client_id: UUID | None = None
    partner_id: UUID | None = None
    ids: list[UUID] | None = None
    names: list[str] | None = None
    partner_ids: list[UUID] | None = None
    client_ids: list[UUID] | None = None
    partners_client_ids: list[str] | None = None
    partners_connection_ids: list[str] | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class SearchedPartners:
    """Selects partners of an operator's list. None means no restriction."""

    ids: list[UUID] | None
    enterprise_ids: list[str] | None
    names: list[str] | None
    active: bool | None
    broker: bool | None
    created_on_or_after: datetime | None
    created_before: datetime | None


@dataclass(frozen=True, slots=True)
class SearchedClients:
    """Selects clients of an operator's list. None means no restriction."""

    ids: list[UUID] | None
    enterprise_ids: list[str] | None
    go_account_ids: list[UUID] | None
    active: bool | None
    created_on_or_after: datetime | None
    created_before: datetime | None


@dataclass(frozen=True, slots=True)
class SearchedConnections:
    """Selects connections of an operator's list. None means no restriction."""

    ids: list[UUID] | None
    partner_ids: list[UUID] | None
    client_ids: list[UUID] | None
    names: list[str] | None
    active: bool | None
    initialized: bool | None
    created_on_or_after: datetime | None
    created_before: datetime | None


@dataclass(frozen=True, slots=True)
class SearchedConfigurations:
    """Selects partner configurations of an operator's list. None means no restriction."""

    enterprise_ids: list[str] | None
    amount_units: list[str] | None
    updated_on_or_after: datetime | None
    updated_before: datetime | None


@dataclass(frozen=True, slots=True)
class SearchedLicences:
    """Selects partner licences of an operator's list. None means no restriction."""

    enterprise_ids: list[str] | None
    partner_ids: list[UUID] | None
    licensed: bool | None
    updated_on_or_after: datetime | None
    updated_before: datetime | None


@dataclass(frozen=True, slots=True)
class ClientFunds:
    """The balances of a client's Go Account, and of one page of its network accounts, by our currency names."""

    client: Client
    go_account: Mapping[str, Balance]
    connections: Listing[tuple[Connection, Partner, dict[str, Balance]]]


@dataclass(frozen=True, slots=True)
class PartnerFunds:
    """The balances of a partner's Go Account, and of one page of the network accounts at it, by its own names."""

    go_account: Mapping[str, Balance]
    connections: Listing[tuple[Connection, dict[str, Balance]]]
