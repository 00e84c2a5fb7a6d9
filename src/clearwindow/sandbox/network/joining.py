"""How enterprises come onto the network. What is there already is found and kept: all of it may be repeated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from clearwindow.client import (
    AsyncClient,
    AsyncOperator,
    HttpOptions,
    InvalidRequestError,
    KeySigner,
    NewKey,
    NotAuthenticatedError,
    new_xprv,
)
from clearwindow.client.answers.network import ClientRecord

PATIENCE: Final = HttpOptions(total_timeout_seconds=300, longest_wait_seconds=65)
"""A server that limits its callers says at most a minute: that is waited for."""

_LABEL: Final = "clearwindow sandbox seed"


@dataclass(frozen=True, slots=True)
class Joined:
    """An enterprise that has a token, a key and a Go Account."""

    enterprise_id: str
    client_id: str
    go_account_id: str
    token: str = field(repr=False)
    xprv: str = field(repr=False)


async def join(operator: AsyncOperator, url: str, enterprise_id: str) -> Joined:
    """The enterprise with its licence, a member with a new token, and its Go Account with a new key."""
    await operator.enterprises.create(name=enterprise_id, licensed=True, enterprise_id=enterprise_id)
    user_id = f"desk@{enterprise_id}"
    await operator.enterprises.create_user(enterprise_id, name=f"{enterprise_id}, desk", user_id=user_id)
    token = await operator.enterprises.create_token(
        enterprise_id,
        user_id=user_id,
        scopes=["settlement_network_read", "settlement_network_write"],
        label=_LABEL,
    )
    xprv = new_xprv()
    key = NewKey(KeySigner(xprv).xpub)
    async with AsyncClient(url, token.value, enterprise_id, options=PATIENCE) as member:
        record = await _registered(member)
        if record is None:
            await operator.go_accounts.create(enterprise_id, keys=[key])
            record = await member.register()
        else:
            await operator.go_accounts.add_key(record.wallet_id, key)
    return Joined(enterprise_id, record.id, record.wallet_id, token.value, xprv)


async def is_known(url: str, enterprise_id: str, token: str) -> bool:
    """Whether the server knows the token as that of a member of the enterprise."""
    async with AsyncClient(url, token, enterprise_id, options=PATIENCE) as member:
        try:
            await member.register()
        except NotAuthenticatedError:
            return False
    return True


async def is_known_operator(url: str, token: str) -> bool:
    """Whether the server knows the token as an operator's."""
    async with AsyncOperator(url, token, options=PATIENCE) as operator:
        try:
            await operator.currencies.list()
        except NotAuthenticatedError:
            return False
    return True


async def new_operator_token(starter: AsyncOperator, name: str) -> str:
    """A new token of the operator of this name, who is made if need be."""
    made = await starter.operators.create(name=name)
    return (await starter.operators.create_token(made.id, label=_LABEL)).value


async def _registered(member: AsyncClient) -> ClientRecord | None:
    """The enterprise as a client; None while it has no Go Account to be one with."""
    try:
        return await member.register()
    except InvalidRequestError as error:
        if error.name != "go_account_missing":
            raise
        return None
