"""Calls to partners' own endpoints, as operators and the partners see them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.base import OpenText, Value

Circuit = Annotated[Literal["closed", "open", "half-open"], OpenText]


class PartnerCall(Value):
    """One call to a partner. ``due_at`` is None after it was answered."""

    id: str
    partner_id: str
    operation: str
    subject_id: str
    created_at: AwareDatetime
    due_at: AwareDatetime | None
    attempts: int
    last_error: str | None
    ended_at: AwareDatetime | None


class PartnerEndpoint(Value):
    """How a partner's endpoint has answered recently, and how many calls are outstanding."""

    partner_id: str
    name: str
    circuit: Circuit
    failures: int
    open_until: AwareDatetime | None
    last_error: str | None
    last_failed_at: AwareDatetime | None
    owed: int
    owed_since: AwareDatetime | None


class OwnEndpoint(PartnerEndpoint):
    """How the partner's own endpoint has answered recently. ``called``: whether it has an address to call."""

    called: bool


class PartnerCallKey(Value):
    """A key that signs calls until ``retired_at``, which is None if there is no later key."""

    id: str
    reference: str
    created_at: AwareDatetime
    retired_at: AwareDatetime | None
