"""People and tokens as they are listed, and who a caller is. None has the value of a token."""

from __future__ import annotations

from pydantic import AwareDatetime

from clearwindow.client.answers.base import Value
from clearwindow.client.answers.operator import Enterprise


class ListedUser(Value):
    """A person, who may be a member of several enterprises."""

    id: str
    name: str
    email: str | None = None
    created_at: AwareDatetime


class Membership(Value):
    """A user in an enterprise. ``removed_at`` is set for former members."""

    enterprise_id: str
    user_id: str
    name: str
    email: str | None = None
    role: str
    may_use_custodian_key: bool
    created_at: AwareDatetime
    removed_at: AwareDatetime | None = None


class ListedOperator(Value):
    """An operator. ``removed_at`` is set for former ones."""

    id: str
    name: str
    role: str
    created_at: AwareDatetime
    removed_at: AwareDatetime | None = None


class ListedToken(Value):
    """A token without its value. ``role`` is set if it is narrower than that of its holder.

    ``program``: a program uses it. ``deposits_only``: for deposits alone, which need no further proposal if
    ``deposits_proposal_id`` names the one by which others let it.
    """

    id: str
    kind: str
    program: bool | None = None
    deposits_only: bool | None = None
    deposits_proposal_id: str | None = None
    enterprise_id: str | None = None
    user_id: str | None = None
    operator_id: str | None = None
    scopes: tuple[str, ...] | None = None
    ip_allow_list: tuple[str, ...] = ()
    label: str | None = None
    role: str | None = None
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None


class MemberIdentity(Value):
    """Whose token it is that a member calls with. ``role`` is what it allows."""

    enterprise: Enterprise
    user: ListedUser
    role: str
    may_use_custodian_key: bool
    token: ListedToken


class NetworkKind(Value):
    """Whether the network is a ``sandbox``, ``unopened`` or ``earnest``, and whether one person runs it alone."""

    mode: str
    single_operator: bool


class OperatorIdentity(Value):
    """Whose token it is that an operator calls with. Without ``token`` it is the one in the server's settings.

    A server of an earlier version says nothing about its ``network``.
    """

    operator: ListedOperator
    role: str
    token: ListedToken | None = None
    network: NetworkKind | None = None
