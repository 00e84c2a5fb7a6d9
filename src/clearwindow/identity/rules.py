"""Decides whether a token admits a call. Pure. Protocol §2 has the order of the checks."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from clearwindow.core.errors import NotAuthenticatedError, PermissionDeniedError
from clearwindow.core.work import READING_METHODS
from clearwindow.identity.models import Hands, Scope, Token, TokenKind

TOKEN_PREFIX: Final = "cwt_"  # noqa: S105 - every token begins with it, so that scanners find leaked ones
V2X_PREFIX: Final = "v2x"
_RANDOM_BYTES: Final = 32
_MAPPED_BITS: Final = 96
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def new_token(kind: TokenKind = TokenKind.BEARER) -> str:
    """Returns a random token. By its form, BitGo's SDK knows whether to send it or to sign with it (v2x)."""
    if kind is TokenKind.V2X:
        return V2X_PREFIX + secrets.token_hex(_RANDOM_BYTES)
    return TOKEN_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def token_sha256(token: str) -> bytes:
    """Returns the hash that is stored. A token has 256 random bits, so nobody can find it by its hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def parse_network(text: str) -> Network:
    """Returns the network of an allow-list entry, an address or CIDR. IPv4-mapped networks become IPv4 networks.

    Raises:
        ValueError: the text is neither.
    """
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError("must be an IP address or a network such as 192.0.2.0/24") from None
    if isinstance(network, IPv4Network):
        return network
    if network.network_address.scope_id is not None:
        raise ValueError("must be a network without a zone")
    mapped = network.network_address.ipv4_mapped
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


def require_usable(token: Token | None, now: datetime, address: Address | None) -> Token:
    """Returns the token if it exists, is in force, and may be used from this address.

    Raises:
        NotAuthenticatedError: if not. Unknown, expired and revoked tokens get the same text, against guessing.
    """
    if token is None or token.revoked_at is not None or (token.expires_at and token.expires_at <= now):
        raise NotAuthenticatedError(
            "token_invalid", "the bearer token is unknown, expired or revoked: ask the operator for a new one"
        )
    if token.ip_allow_list and not _inside(token, address):
        raise NotAuthenticatedError(
            "token_address_refused", f"the bearer token may not be used from the address {address}"
        )
    return token


def require_proof(token: Token, *, signed: bool) -> None:
    """Refuses a v2x token that was sent instead of signed with."""
    if token.kind is TokenKind.V2X and not signed:
        raise NotAuthenticatedError(
            "token_shown",
            "a v2x token must not be sent: send its SHA-256 as the bearer, with the headers HMAC, Auth-Timestamp"
            " and BitGo-Auth-Version, or ask the operator for a token of the kind bearer",
        )


def require_member(token: Token, named: str | None) -> str:
    """Returns the token's enterprise.

    Raises:
        NotAuthenticatedError: the token has none, or the path names another one.
    """
    if token.enterprise_id is None:
        raise NotAuthenticatedError("not_a_member", "this API needs the token of a member of an enterprise")
    if named is not None and token.enterprise_id != named:
        raise NotAuthenticatedError(
            "not_a_member", "the token's user is not a member of the enterprise in the path"
        )
    return token.enterprise_id


def needed_scopes(method: str) -> tuple[Scope, ...]:
    """Returns the scopes that a call with this HTTP method needs."""
    return (Scope.READ,) if method in READING_METHODS else (Scope.READ, Scope.WRITE)


def has_permission(token: Token, needed: Iterable[Scope]) -> bool:
    return token.licensed and set(needed) <= token.scopes


def require_permission(token: Token, needed: Iterable[Scope]) -> None:
    """Checks licence and scopes.

    Raises:
        PermissionDeniedError: the enterprise has no licence, or the token lacks a scope.
    """
    if not token.licensed:
        raise PermissionDeniedError("no_licence", "the enterprise has no OES licence: ask the operator for one")
    missing = sorted(set(needed) - token.scopes)
    if missing:
        raise PermissionDeniedError(
            "scope_missing", f"the token lacks the scope {missing[0]}", {"missingScopes": list(missing)}
        )


def share_hands(one: Hands, other: Hands) -> bool:
    """Returns whether one person may have made both requests: as one operator, or with a token made for another."""
    return one.operator_id in {other.operator_id, other.token_made_by} or one.token_made_by == other.operator_id


def _inside(token: Token, address: Address | None) -> bool:
    if address is None:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    seen = mapped or address
    return any(seen.version == network.version and seen in network for network in token.ip_allow_list)
