"""Clients, partners, connections, balances and currencies of the network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.allocations import PolicyResult
from clearwindow.client.answers.base import Balance, Exact, OpenText, Value

ConnectionKeySchema = Annotated[Literal["token", "tokenAndSignature", "apiKeyAndSecret", "clearloop"], OpenText]


class ClientRecord(Value):
    """An enterprise as a client; ``wallet_id`` is its Go Account."""

    id: str
    enterprise_id: str
    trust_org: str
    wallet_id: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    balance_alert_last_sent: str | None = None


class PartnerTerms(Value):
    """The public fields of a partner. ``enterprise_id`` may be missing for partners of other enterprises."""

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
    is_licensed_for_partner: bool


class PartnerRecord(PartnerTerms):
    """The enterprise's own partner."""

    client_id: str
    broker: bool
    allocation_policies_enabled: bool
    created_at: AwareDatetime
    updated_at: AwareDatetime


class Connection(Value):
    """One account of a client at one partner. The partner's own ids are missing until it has given them."""

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
    """The Go Account's balances, and what is allocated on each connection, by connection id."""

    client_id: str
    balances: dict[str, Balance]
    network_balances: dict[str, ClientNetworkBalance]


class PartnerNetworkBalance(Value):
    """What is allocated on one connection, by the partner's names of currencies."""

    client_id: str
    partner_id: str
    partners_connection_id: str | None = None
    balances: dict[str, Balance]


class PartnerBalances(Value):
    """What is allocated on each connection, by connection id, and the partner's own balances."""

    network_balances: dict[str, PartnerNetworkBalance]
    balances: dict[str, Balance] | None = None


class SupportedCurrency(Value):
    """A currency of a partner, with the partner's own names of it."""

    ofc_currency: str | None = None
    backing_currency: str | None = None
    partner_names: tuple[str, ...]


class SupportedCurrencies(Value):
    """Currencies by partner id. ``domain`` says whose names the currencies have."""

    supported_currencies: dict[str, tuple[SupportedCurrency, ...]]
    domain: str


class NetworkCurrency(Value):
    """A currency of the network. ``partner_names`` are the enterprise's own names of it as a partner."""

    name: str
    backing: str
    decimals: int
    partner_names: tuple[str, ...] = ()


class NetworkCurrencies(Value):
    """All currencies. ``amount_unit`` is set if the enterprise is configured as a partner."""

    currencies: tuple[NetworkCurrency, ...]
    amount_unit: Annotated[Literal["base", "decimal"], OpenText] | None = None


class OwnGoAccount(Value):
    """A Go Account of the enterprise. ``require_intent``: its payloads must say what they are for."""

    id: str
    label: str | None = None
    is_default: bool
    require_intent: bool
    created_at: AwareDatetime
