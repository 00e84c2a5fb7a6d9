"""Filters of the lists of people, tokens, accounts and of all that operators see. Omitted fields do not filter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from clearwindow.client.filters import CreatedFilters, Ids, PageFilters, Texts

TokenKinds = Sequence[Literal["bearer", "v2x"]]


class EnterpriseFilters(CreatedFilters, total=False):
    ids: Texts
    names: Texts
    trust_orgs: Texts
    licensed: bool


class UserFilters(CreatedFilters, total=False):
    ids: Texts
    names: Texts
    emails: Texts
    enterprise_ids: Texts


class MembershipFilters(CreatedFilters, total=False):
    """``removed``: true for former members only, false for present ones only."""

    enterprise_ids: Texts
    user_ids: Texts
    roles: Texts
    removed: bool


class OperatorFilters(CreatedFilters, total=False):
    """``removed``: true for former operators only, false for present ones only."""

    ids: Ids
    names: Texts
    roles: Texts
    removed: bool


class MemberTokenFilters(CreatedFilters, total=False):
    """``active``: true for tokens that are neither revoked nor expired, false for the others."""

    ids: Ids
    user_ids: Texts
    kinds: TokenKinds
    active: bool


class TokenFilters(MemberTokenFilters, total=False):
    enterprise_ids: Texts
    operator_ids: Ids


class GoAccountFilters(CreatedFilters, total=False):
    ids: Ids
    enterprise_ids: Texts
    is_default: bool


class GoAccountKeyFilters(CreatedFilters, total=False):
    ids: Ids
    go_account_ids: Ids
    enterprise_ids: Texts
    custodian: bool
    revoked: bool


class UpdatedFilters(PageFilters, total=False):
    updated_on_or_after: datetime
    updated_before: datetime


class LicenceFilters(UpdatedFilters, total=False):
    enterprise_ids: Texts
    partner_ids: Ids
    licensed: bool


class ConfigurationFilters(UpdatedFilters, total=False):
    enterprise_ids: Texts
    amount_units: Sequence[Literal["base", "decimal"]]


class OperatorPartnerFilters(CreatedFilters, total=False):
    ids: Ids
    enterprise_ids: Texts
    names: Texts
    active: bool
    broker: bool


class OperatorClientFilters(CreatedFilters, total=False):
    ids: Ids
    enterprise_ids: Texts
    go_account_ids: Ids
    active: bool


class OperatorConnectionFilters(CreatedFilters, total=False):
    ids: Ids
    partner_ids: Ids
    client_ids: Ids
    names: Texts
    active: bool
    initialized: bool


class OperatorAllocationFilters(CreatedFilters, total=False):
    ids: Ids
    types: Sequence[Literal["allocation", "deallocation"]]
    statuses: Sequence[Literal["reserved", "cleared", "released"]]
    currencies: Texts
    connection_ids: Ids
    partner_ids: Ids
    client_ids: Ids
    client_external_ids: Texts


class OperatorEndpointFilters(CreatedFilters, total=False):
    ids: Ids
    enterprise_ids: Texts
    enabled: bool


class NotificationFilters(CreatedFilters, total=False):
    statuses: Sequence[Literal["owed", "sent", "refused", "dropped"]]


class NotificationChannelFilters(CreatedFilters, total=False):
    """``failing``: true for addresses whose last message was not accepted."""

    enterprise_ids: Texts
    statuses: Sequence[Literal["unverified", "active", "ended"]]
    failing: bool
