"""Routes that the field's JavaScript SDK calls besides the network's: wallets, keys and custodian signatures."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import JsonBody, Route, ServerRuntime
from clearwindow.custody.wallets import schemas, service
from clearwindow.identity.guards import TokenHolder, holder_router

public_router: Final = APIRouter(tags=["wallets"], route_class=Route)
router: Final = holder_router("wallets", "/api/v2/ofc")


@public_router.get(
    "/api/v1/client/constants",
    operation_id="v1ClientConstantsGetRoute",
    summary="Read the constants that a client asks for when it starts",
)
def client_constants() -> schemas.ClientConstants:
    """Needs no token, since a client asks before it has one. This network has no constants."""
    return schemas.client_constants()


@router.get(
    "/wallet/{wallet_id}",
    operation_id="v2OfcWalletGetRoute",
    summary="Read a Go Account of your enterprise as a wallet",
    responses=may_raise("wallet_unknown"),
)
def get_wallet(runtime: ServerRuntime, member: TokenHolder, wallet_id: str) -> schemas.WalletView:
    """The wallet's id is the Go Account's id. `keys` lists the active keys, the owner's before the custodian's.

    The answer contains no balances. Read them from the network.
    """
    return schemas.wallet_view(service.find_wallet(runtime, member, wallet_id))


@router.get(
    "/key/{key_id}",
    operation_id="v2OfcKeyGetRoute",
    summary="Read a key of one of your enterprise's wallets",
    responses=may_raise("key_unknown"),
)
def get_key(runtime: ServerRuntime, member: TokenHolder, key_id: str) -> schemas.KeychainView:
    """Answers the public key and, if the owner gave one, the owner's own ciphertext of the private key, unchanged.

    A custodian's private key is never shown.
    """
    return schemas.keychain_view(service.find_key(runtime, member, key_id))


@router.post(
    "/wallet/{wallet_id}/tx/sign",
    operation_id="v2OfcWalletTxSignPostRoute",
    summary="Have the custodian sign a payload for your wallet",
    responses=may_raise(
        "custodian_key_forbidden", "wallet_unknown", "payload_not_json", "payload_not_object", "no_custodian_key"
    ),
)
def sign_payload(
    runtime: ServerRuntime, member: TokenHolder, wallet_id: str, body: JsonBody[schemas.PayloadToSign]
) -> schemas.SignedPayload:
    """Signs exactly the text of `payload`, which must be a JSON object, with the key that the custodian holds.

    Works only for accounts that have a custodian key; others answer 422. The user needs the right to it. The audit
    trail records the hash of the payload, the user and the key.
    """
    payload = body.model.payload
    return schemas.SignedPayload(
        payload=payload, signature=service.sign_payload(runtime, member, wallet_id, payload)
    )
