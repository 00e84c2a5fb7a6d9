"""Calls to partners' own endpoints, as operators see them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.base import OpenText, Value

Circuit = Annotated[Literal["closed", "open", "half-open"], OpenText]


class PartnerCall(Value):
    """One call that a partner was or is owed; ``due_at`` is None once it has been answered."""

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
    """How a partner's endpoint has answered of late, and how many calls it is owed."""

    partner_id: str
    name: str
    circuit: Circuit
    failures: int
    open_until: AwareDatetime | None
    last_error: str | None
    last_failed_at: AwareDatetime | None
    owed: int
    owed_since: AwareDatetime | None


class PartnerCallKey(Value):
    """A key that calls are signed with until ``retired_at``; None where no key comes after it."""

    id: str
    reference: str
    created_at: AwareDatetime
    retired_at: AwareDatetime | None
