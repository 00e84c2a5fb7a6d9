"""Partners, clients and connections as the rest of the house sees them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from clearwindow.access.values import TrustOrg
from clearwindow.money import AmountUnit, to_partner_amount


class ConnectionKeySchema(StrEnum):
    """Which fields a client proves its account at the partner with."""

    TOKEN = "token"  # noqa: S105 - the schema's name on the wire
    TOKEN_AND_SIGNATURE = "tokenAndSignature"  # noqa: S105 - the same
    API_KEY_AND_SECRET = "apiKeyAndSecret"  # noqa: S105 - the same
    CLEARLOOP = "clearloop"


@dataclass(frozen=True, slots=True)
class Client:
    """An enterprise as trader; its name is the enterprise's."""

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
    """What the operator settled with an enterprise before it became a partner.

    ``currencies`` maps the partner's names to ours; ``public_key`` is RSA in PEM, for its clients' connection keys.
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
    """An enterprise as exchange, with the flags of its configuration. A window of None: not configured."""

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
    """What an enterprise asks for when it becomes a partner."""

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
        """The same for the same request however its numbers were written; windows may be patched later."""
        windows = [self.client_dispute_window_minutes, self.top_up_window_minutes]
        plain = [None if window is None else str(window.normalize()) for window in windows]
        rest = [self.name, self.broker, self.institution_id, self.institution_identifier]
        flags = [self.connection_key_schema, self.allocation_policies_enabled]
        return hashlib.sha256(json.dumps([*rest, *flags, *plain]).encode()).digest()


@dataclass(frozen=True, slots=True)
class Connection:
    """One client account at one partner; its key stays sealed in the store."""

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
        """Whether the partner knows the connection; until then it has no names of the partner's."""
        return self.partners_connection_id is not None


@dataclass(frozen=True, slots=True)
class MappedCurrency:
    """Our side of one of the partner's names; ``backing`` is the asset behind the currency."""

    currency: str
    decimals: int
    backing: str


@dataclass(frozen=True, slots=True)
class CurrencyMap:
    """A partner's own currency names, and the unit its amounts count."""

    unit: AmountUnit
    mapped: Mapping[str, MappedCurrency]

    def to_ours(self, name: str) -> tuple[str, int] | None:
        """Our name and the decimals of what the partner calls ``name``; None where it is not mapped."""
        found = self.mapped.get(name)
        return (found.currency, found.decimals) if found else None

    def partner_names(self, currency: str) -> tuple[str, ...]:
        """The partner's names of our currency, sorted; the first is the one we answer with (*choice*)."""
        return tuple(sorted(name for name, found in self.mapped.items() if found.currency == currency))

    def to_theirs(self, currency: str, quantity: int) -> tuple[str, str] | None:
        """(name, amount) as the partner writes this much of our currency; None where it is not mapped."""
        names = self.partner_names(currency)
        if not names:
            return None
        return names[0], to_partner_amount(quantity, self.unit, self.mapped[names[0]].decimals)

    def currencies(self) -> dict[str, MappedCurrency]:
        """The mapped currencies by our name."""
        return {found.currency: found for found in self.mapped.values()}


@dataclass(frozen=True, slots=True)
class PartnerFilter:
    """Which partners a list shows; None leaves a question open."""

    ids: list[UUID] | None = None
    names: list[str] | None = None
    institution_ids: list[str] | None = None
    institution_identifiers: list[str] | None = None
    active: bool | None = None
    allocation_policies_enabled: bool | None = None
    trust_org_of: str | None = None
    """Only partners of the trust organisation that this enterprise has."""


@dataclass(frozen=True, slots=True)
class ConnectionFilter:
    """Which connections a list shows; None leaves a question open."""

    client_id: UUID | None = None
    partner_id: UUID | None = None
    ids: list[UUID] | None = None
    names: list[str] | None = None
    partner_ids: list[UUID] | None = None
    client_ids: list[UUID] | None = None
    partners_client_ids: list[str] | None = None
    partners_connection_ids: list[str] | None = None
    active: bool | None = None
