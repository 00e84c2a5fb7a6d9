"""Clients, partners, connections, balances and currencies of the network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.allocations import PolicyResult
from clearwindow.client.answers.base import Balance, Exact, OpenText, PartnerBalance, Value

ConnectionKeySchema = Annotated[Literal["token", "tokenAndSignature", "apiKeyAndSecret", "clearloop"], OpenText]


class ClientRecord(Value):
    """An enterprise as a trader; ``wallet_id`` is its Go Account."""

    id: str
    enterprise_id: str
    trust_org: str
    wallet_id: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    balance_alert_last_sent: str | None = None


class PartnerTerms(Value):
    """What everybody sees of a partner; ``enterprise_id`` of another's may be absent."""

    id: str
    name: str
    trust_org: str
    institution_id: str | None = None
    institution_identifier: str
    connection_key_schema: ConnectionKeySchema
    active: bool
    settlement_transaction_route_id: str | None = None
    public_key: str | None = None
    enterprise_id: str | None = None
    client_dispute_window_minutes: Exact | None = None
    top_up_window_minutes: Exact | None = None


class ListedPartner(PartnerTerms):
    """A partner in the list."""

    stable_partner: bool


class PartnerRecord(PartnerTerms):
    """The enterprise's own partner."""

    client_id: str
    broker: bool
    allocation_policies_enabled: bool
    created_at: AwareDatetime
    updated_at: AwareDatetime


class Connection(Value):
    """One client account at one partner; the partner's own ids are absent until it has given them."""

    id: str
    name: str
    client_id: str
    partner_id: str
    network_account_id: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    active: bool
    proof: str
    nonce: str
    evaluation_id: str | None = None
    pending_approval_id: str | None = None
    policy_result: PolicyResult | None = None
    partners_connection_id: str | None = None
    partners_client_id: str | None = None
    initialized: bool


class ClientNetworkBalance(Value):
    """What is allocated on one connection."""

    partner_id: str
    partners_connection_id: str | None = None
    name: str
    partner_institution_identifier: str
    balances: dict[str, Balance]


class ClientBalances(Value):
    """The Go Account's balances, and per connection id what is allocated to the partner there."""

    client_id: str
    balances: dict[str, Balance]
    network_balances: dict[str, ClientNetworkBalance]


class PartnerNetworkBalance(Value):
    """What one connection has allocated to the partner, in the partner's own terms."""

    client_id: str
    partner_id: str
    partners_connection_id: str | None = None
    balances: dict[str, PartnerBalance]


class PartnerBalances(Value):
    """Per connection id what is allocated, and the partner's own balances."""

    network_balances: dict[str, PartnerNetworkBalance]
    balances: dict[str, PartnerBalance] | None = None


class SupportedCurrency(Value):
    """A currency that a partner takes, and the partner's own names of it."""

    ofc_currency: str | None = None
    backing_currency: str | None = None
    partner_names: tuple[str, ...]


class SupportedCurrencies(Value):
    """Per partner id; ``domain`` says whose names of currencies these are."""

    supported_currencies: dict[str, tuple[SupportedCurrency, ...]]
    domain: str
