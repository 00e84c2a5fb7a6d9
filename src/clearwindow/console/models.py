"""Sessions of the console, and who looks at a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clearwindow.identity.models import Actor, Operator, Token
from clearwindow.identity.rules import Address


@dataclass(frozen=True, slots=True)
class Session:
    """A session as stored.

    Attributes:
        token_id: the token that signed in. None: that of the settings.
        settings_proof: the HMAC of the session's value under the hash of the settings' token.
        waits_for_code: whether its operator has not given a code of the second factor yet.
        seen_at: when its user was last there, within a minute.
    """

    id: UUID
    token_id: UUID | None
    settings_proof: bytes | None = field(repr=False)
    waits_for_code: bool
    created_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """A link that signs in once, as stored. ``begins_at``: when the session that it makes counts as begun."""

    id: UUID
    token_id: UUID | None
    settings_proof: bytes | None = field(repr=False)
    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sends a request to the console.

    Attributes:
        value: the session's value, from the cookie.
        actor: acts as in the API, in the role and the enterprise of the token.
        token: of the session; None for that of the settings.
        name: what the pages call them.
    """

    session: Session
    value: str = field(repr=False)
    actor: Actor
    token: Token | None
    name: str

    @property
    def operator(self) -> Operator | None:
        return self.actor if isinstance(self.actor, Operator) else None

    @property
    def owner(self) -> str:
        """Whose requests at once its requests are."""
        if isinstance(self.actor, Operator):
            return f"operator {self.actor.operator_id}"
        return f"enterprise {self.actor.enterprise_id}"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a token is. ``token``: None for that of the settings."""

    token: Token | None
    actor: Actor
    name: str


@dataclass(frozen=True, slots=True)
class Door:
    """By which way a request came.

    Attributes:
        address: of its sender, and ``request_id`` its id.
        said: what a proxy says that this way is for, None if it is for everybody.
    """

    address: Address | None
    request_id: str
    said: str | None
