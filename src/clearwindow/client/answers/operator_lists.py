"""What operators see in the lists of all enterprises."""

from __future__ import annotations

from pydantic import AwareDatetime

from clearwindow.client.answers.allocations import Allocation
from clearwindow.client.answers.base import Value
from clearwindow.client.answers.network import ClientRecord
from clearwindow.client.answers.webhooks import DisabledReason


class ListedGoAccount(Value):
    id: str
    enterprise_id: str
    label: str | None = None
    is_default: bool
    created_at: AwareDatetime


class ListedGoAccountKey(Value):
    """A signing key with its account. ``revoked_at`` is set for revoked keys."""

    id: str
    go_account_id: str
    enterprise_id: str
    pub: str
    custodian: bool
    created_at: AwareDatetime
    revoked_at: AwareDatetime | None = None


class OperatorClientRecord(ClientRecord):
    """A client as it sees itself, its name, and whether it is active."""

    name: str
    active: bool


class OperatorConnection(Value):
    """A connection, without its key. The partner's own ids are missing until it has given them."""

    id: str
    name: str
    partner_id: str
    client_id: str
    network_account_id: str
    active: bool
    initialized: bool
    partners_connection_id: str | None = None
    partners_client_id: str | None = None
    refused_reason: str | None = None
    initiated_by: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


class OperatorAllocation(Allocation):
    """An allocation or deallocation as its client sees it, with both sides."""

    partner_id: str
    client_id: str


class OperatorWebhookEndpoint(Value):
    """An endpoint that receives events, without its keys."""

    id: str
    enterprise_id: str
    url: str
    event_types: tuple[str, ...] | None
    description: str | None = None
    enabled: bool
    disabled_reason: DisabledReason | None = None
    failures: int
    failing_since: AwareDatetime | None = None
    retry_at: AwareDatetime | None = None
    created_by: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
