"""Brings enterprises onto a network over the SDK: as members, as exchanges, as clients with connections.

Every simulator builds its network with these steps. An enterprise that exists already is found and kept: all steps
may be repeated.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from clearwindow.client import (
    AsyncClient,
    AsyncOperator,
    AsyncPartner,
    HttpOptions,
    InvalidRequestError,
    KeySigner,
    NewKey,
    NotAuthenticatedError,
    TokenKey,
    new_xprv,
)
from clearwindow.client.answers.network import ClientRecord
from clearwindow.simulator.network.plan import Windows

OPTIONS: Final = HttpOptions(total_timeout_seconds=300, longest_wait_seconds=65)
"""A server that limits its callers names at most a minute to wait; these options wait that long."""

_LABEL: Final = "clearwindow sandbox seed"


@dataclass(frozen=True, slots=True)
class Joined:
    """An enterprise that has a token, a key and a Go Account."""

    enterprise_id: str
    client_id: str
    go_account_id: str
    token: str = field(repr=False)
    xprv: str = field(repr=False)


async def join(
    operator: AsyncOperator,
    url: str,
    enterprise_id: str,
    *,
    name: str | None = None,
    options: HttpOptions = OPTIONS,
) -> Joined:
    """Makes the enterprise with its licence, a member with a new token, and a Go Account with a new key.

    Args:
        operator: of the network.
        url: the server's address.
        enterprise_id: of the enterprise.
        name: of the enterprise; its id if there is none.
        options: of the member's requests.
    """
    name = name or enterprise_id
    await operator.enterprises.create(name=name, licensed=True, enterprise_id=enterprise_id)
    user_id = f"desk@{enterprise_id}"
    await operator.enterprises.create_user(enterprise_id, name=f"{name}, desk", user_id=user_id)
    token = await operator.enterprises.create_token(
        enterprise_id,
        user_id=user_id,
        scopes=["settlement_network_read", "settlement_network_write"],
        label=_LABEL,
    )
    xprv = new_xprv()
    key = NewKey(KeySigner(xprv).xpub)
    async with AsyncClient(url, token.value, enterprise_id, options=options) as member:
        record = await _registered(member)
        if record is None:
            await operator.go_accounts.create(enterprise_id, keys=[key])
            record = await member.register()
        else:
            await operator.go_accounts.add_key(record.wallet_id, key)
    return Joined(enterprise_id, record.id, record.wallet_id, token.value, xprv)


async def configure_exchange(
    operator: AsyncOperator, enterprise_id: str, currencies: Mapping[str, str], callback_url: str | None = None
) -> None:
    """Sets an exchange's currencies, and the address of its endpoints if it has any."""
    if callback_url is None:
        await operator.configure_partner(enterprise_id, currencies=currencies, amount_unit="decimal")
    else:
        await operator.configure_partner(
            enterprise_id, currencies=currencies, amount_unit="decimal", callback_url=callback_url
        )


async def open_exchange(
    url: str, joined: Joined, windows: Windows, *, name: str | None = None, options: HttpOptions = OPTIONS
) -> str:
    """Registers a configured enterprise as a partner, and returns the partner's id."""
    async with AsyncPartner(url, joined.token, joined.enterprise_id, options=options) as partner:
        record = await partner.register(
            name=name or joined.enterprise_id,
            broker=False,
            institution_identifier=joined.enterprise_id,
            connection_key_schema="token",
            client_dispute_window_minutes=windows.dispute_minutes,
            top_up_window_minutes=windows.top_up_minutes,
        )
    return record.id


async def connect(client: AsyncClient, partner_id: str, name: str) -> str:
    """Connects the client to an exchange with a random token, and returns the connection's id."""
    made = await client.connections.create(
        partner_id=partner_id, name=name, connection_key=TokenKey(secrets.token_urlsafe())
    )
    return made.id


async def is_known(url: str, enterprise_id: str, token: str) -> bool:
    """Returns whether the server knows the token as that of a member of the enterprise."""
    async with AsyncClient(url, token, enterprise_id, options=OPTIONS) as member:
        try:
            await member.register()
        except NotAuthenticatedError:
            return False
    return True


async def is_known_operator(url: str, token: str) -> bool:
    """Returns whether the server knows the token as an operator's."""
    async with AsyncOperator(url, token, options=OPTIONS) as operator:
        try:
            await operator.currencies.list()
        except NotAuthenticatedError:
            return False
    return True


async def new_operator_token(starter: AsyncOperator, name: str) -> str:
    """Returns a new token of the operator with this name, and makes the operator if there is none."""
    made = await starter.operators.create(name=name)
    return (await starter.operators.create_token(made.id, label=_LABEL)).value


async def _registered(member: AsyncClient) -> ClientRecord | None:
    """Returns the enterprise as a client, or None if it has no Go Account yet."""
    try:
        return await member.register()
    except InvalidRequestError as error:
        if error.name != "go_account_missing":
            raise
        return None
