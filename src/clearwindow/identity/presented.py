"""What a request shows of its caller: which token, and whether it is sent or signed with. Protocol §2."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from fastapi.security.utils import get_authorization_scheme_param
from starlette.datastructures import Headers

from clearwindow.api.lookups import Known, Presented
from clearwindow.core.errors import NotAuthenticatedError
from clearwindow.core.work import Purpose, working_for
from clearwindow.identity import rules, store
from clearwindow.identity.models import Token, TokenKind
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime

CODE_HEADER: Final = "HMAC"
_HASHED_BEARER: Final = re.compile(r"[Bb]earer ([0-9a-f]{64})")


def signer_in(headers: Headers) -> bytes | None:
    """Returns the hash of the token that signed the call; None for every other request."""
    bearer = _HASHED_BEARER.fullmatch(headers.get("authorization", ""))
    return bytes.fromhex(bearer[1]) if bearer and CODE_HEADER in headers else None


def presented_in(headers: Headers, address: rules.Address | None) -> Presented | None:
    """Returns the token that the headers show, valid or not; None if they show none."""
    signer = signer_in(headers)
    if signer is not None:
        return Presented(signer, signed=True, address=address)
    scheme, value = get_authorization_scheme_param(headers.get("authorization"))
    if scheme.lower() != "bearer" or not value:
        return None
    return Presented(rules.token_sha256(value), signed=False, address=address)


def find_known(runtime: Runtime, presented: Sequence[Presented]) -> list[Known | None]:
    """Returns which of the tokens are in force, for the addresses they come from. One statement, however many."""
    # One thread looks up for all, so that this is no single caller's.
    with working_for(None, Purpose.READING):
        found, now, bootstrap = runtime.database.look_up(
            lambda tx: (
                store.find_tokens(tx, {each.token_sha256 for each in presented}),
                tx.now(),
                _bootstrap_operator(runtime, tx, presented),
            )
        )
    return [
        bootstrap if bootstrap and is_bootstrap(runtime, each) else _usable(found.get(each.token_sha256), each, now)
        for each in presented
    ]


def is_bootstrap(runtime: Runtime, presented: Presented) -> bool:
    """Returns whether it is the operator's token in the settings. It opens nothing once the network was opened."""
    bootstrap = runtime.operator_token_sha256
    return bool(bootstrap and not presented.signed and hmac.compare_digest(bootstrap, presented.token_sha256))


def _known_of(token: Token) -> Known:
    if token.operator_id is not None:
        return Known(f"operator {token.operator_id}", limited=False)
    return Known(f"enterprise {token.enterprise_id}", limited=True)


def _bootstrap_operator(runtime: Runtime, tx: Transaction, presented: Sequence[Presented]) -> Known | None:
    if not any(is_bootstrap(runtime, each) for each in presented):
        return None
    record = store.find_bootstrap_operator(tx)
    return Known(f"operator {record.id}", limited=False) if record else None


def _usable(token: Token | None, presented: Presented, now: datetime) -> Known | None:
    try:
        usable = rules.require_usable(token, now, presented.address)
        rules.require_proof(usable, signed=presented.signed)
    except NotAuthenticatedError:
        return None
    if presented.signed and usable.kind is not TokenKind.V2X:
        return None
    return _known_of(usable)
