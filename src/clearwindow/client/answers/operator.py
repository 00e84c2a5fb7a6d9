"""Answers to operators: people, accounts, custody, the journal and its check."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.base import Balance, BaseUnits, Exact, OpenText, Value
from clearwindow.client.answers.network import PartnerRecord


class OperatorRecord(Value):
    id: str
    name: str
    role: str
    created_at: AwareDatetime


class Enterprise(Value):
    id: str
    name: str
    trust_org: str
    licensed: bool
    created_at: AwareDatetime
    updated_at: AwareDatetime


class User(Value):
    """A user as a member of one enterprise."""

    id: str
    name: str
    email: str | None = None
    role: str
    may_use_custodian_key: bool
    created_at: AwareDatetime


class Token(Value):
    """A new token. ``value`` is shown only once. Without a ``kind`` it is a bearer token.

    Without a ``role`` it follows the role of its holder.
    """

    id: str
    value: str
    kind: str | None = None
    program: bool | None = None
    deposits_only: bool | None = None
    deposits_proposal_id: str | None = None
    role: str | None = None
    operator_id: str | None = None
    enterprise_id: str | None = None
    user_id: str | None = None
    scopes: tuple[str, ...] | None = None
    ip_allow_list: tuple[str, ...] | None = None
    label: str | None = None
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """All fields but the secret."""
        return [(name, value) for name, value in super().__repr_args__() if name != "value"]


class SecondFactor(Value):
    """The caller's own second factor. ``required``: approvals and reviews need one."""

    status: Annotated[Literal["none", "unconfirmed", "confirmed"], OpenText]
    required: bool
    recovery_codes_left: int
    locked_until: AwareDatetime | None = None


class SecondFactorSecret(Value):
    """A new secret, shown only once. ``otpauth`` is the text of a QR code."""

    secret: str
    otpauth: str

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Nothing: both fields are the secret."""
        return []


class RecoveryCodes(Value):
    """Codes in place of the authenticator's, shown only once. Each is accepted once."""

    status: str
    recovery_codes: tuple[str, ...]

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """All fields but the codes."""
        return [("status", self.status)]


class GoAccountKey(Value):
    id: str
    pub: str
    encrypted_prv: str | None = None
    custodian: bool | None = None
    created_at: AwareDatetime
    revoked_at: AwareDatetime | None = None


class GoAccount(Value):
    id: str
    enterprise_id: str
    label: str | None = None
    is_default: bool
    keys: tuple[GoAccountKey, ...]
    created_at: AwareDatetime
    require_intent: bool = False


class CustodyEntry(Value):
    id: str
    kind: str
    go_account_id: str
    currency: str
    quantity: BaseUnits
    reference: str
    created_at: AwareDatetime


class CurrencyBalance(Balance):
    currency: str


class CustodyMovement(Value):
    """A deposit or withdrawal, with the balance after it."""

    entry: CustodyEntry
    balance: CurrencyBalance


class GoAccountBalances(Value):
    balances: dict[str, Balance]


class Currency(Value):
    name: str
    backing: str
    decimals: int


class PartnerConfiguration(Value):
    """The partner configuration of an enterprise. Fields of newer servers are ignored."""

    enterprise_id: str
    currencies: dict[str, str]
    amount_unit: str
    callback_url: str | None = None
    callback_paths: dict[str, str] | None = None
    async_allocations: bool | None = None
    onchain_enabled: bool | None = None
    execute_when_funded: bool
    auto_approve_client_closures: bool
    loss_sla_minutes: Exact | None = None
    gain_sla_minutes: Exact | None = None
    public_key: str | None = None


class OperatorPartner(PartnerRecord):
    """A partner as it sees itself, and its status."""

    stable_partner: bool


class PartnerLicence(Value):
    """Whether an enterprise may open connections and allocate to a partner."""

    enterprise_id: str
    partner_id: str
    licensed: bool
    updated_at: AwareDatetime | None = None


class AuditRecord(Value):
    sequence: int
    at: AwareDatetime
    request_id: str
    actor_kind: str
    actor_id: str
    enterprise_id: str | None = None
    action: str
    subject_id: str
    details: dict[str, Any]


class Posting(Value):
    """One side of an entry. Without an account id it is the outside of the network."""

    account_kind: str
    account_id: str | None = None
    currency: str
    bucket: str
    quantity: BaseUnits


class LedgerEntry(Value):
    id: str
    kind: str
    cause_id: str
    partner_id: str | None = None
    reference: str | None = None
    created_at: AwareDatetime
    postings: tuple[Posting, ...]


class RecordedEvent(Value):
    id: str
    sequence: int
    enterprise_id: str
    type: str
    subject_id: str
    payload: dict[str, Any]
    created_at: AwareDatetime


class Finding(Value):
    invariant: str
    message: str
    details: dict[str, Any]


class LedgerCheck(Value):
    """The result of the ledger check: whether everything holds, and what does not."""

    ok: bool
    checked_at: AwareDatetime
    findings: tuple[Finding, ...]


class WorkItem(Value):
    """Work of the worker: waiting for its time, due, or failing and retried."""

    kind: str
    id: str
    stage: str
    status: str
    due_at: AwareDatetime
    attempts: int
    last_error: str | None = None


class Clock(Value):
    """The network's time. ``target`` is the time that was last requested for a sandbox's clock."""

    now: AwareDatetime
    wall: AwareDatetime | None = None
    sandbox: bool | None = None
    target: AwareDatetime | None = None
