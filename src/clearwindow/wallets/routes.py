"""The routes that the field's JavaScript SDK needs beside the network: wallets, keys, signing by the custodian."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ReadingHolder, WritingHolder
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body
from clearwindow.http.wire import json_response
from clearwindow.wallets import service, wire

router: Final = APIRouter(tags=["wallets"])


@router.get(
    "/api/v1/client/constants",
    operation_id="v1ClientConstantsGetRoute",
    summary="What a client asks for when it starts",
    response_model=wire.ClientConstants,
)
async def client_constants() -> Response:
    """Needs no token: a client asks before it has one. This network has nothing to tell, and says so."""
    return json_response(wire.client_constants())


@router.get(
    "/api/v2/ofc/wallet/{wallet_id}",
    operation_id="v2OfcWalletGetRoute",
    summary="A Go Account of your enterprise, as a wallet",
    response_model=wire.WalletView,
    responses=may_answer(400, 401, 403, 404),
)
async def get_wallet(request: Request, member: ReadingHolder, wallet_id: str) -> Response:
    """The wallet's id is the Go Account's. `keys` names the keys in force, the owner's before the custodian's.

    Balances are not part of it: ask the network for them.
    """
    wallet = await run_in_threadpool(service.find_wallet, request.app.state.runtime, member, wallet_id)
    return json_response(wire.wallet_view(wallet))


@router.get(
    "/api/v2/ofc/key/{key_id}",
    operation_id="v2OfcKeyGetRoute",
    summary="A key of one of your enterprise's wallets",
    response_model=wire.KeychainView,
    responses=may_answer(400, 401, 403, 404),
)
async def get_key(request: Request, member: ReadingHolder, key_id: str) -> Response:
    """The public key, and the owner's own ciphertext of the private one where it was given, unchanged.

    Of a key that the custodian holds nothing but the public half is ever shown.
    """
    key = await run_in_threadpool(service.find_key, request.app.state.runtime, member, key_id)
    return json_response(wire.keychain_view(key))


@router.post(
    "/api/v2/ofc/wallet/{wallet_id}/tx/sign",
    operation_id="v2OfcWalletTxSignPostRoute",
    summary="Have the custodian sign a payload for your wallet",
    response_model=wire.SignedPayload,
    responses=may_answer(400, 401, 403, 404, 413, 422),
    openapi_extra=takes_body(wire.PayloadToSign),
)
async def sign_payload(request: Request, member: WritingHolder, wallet_id: str) -> Response:
    """Signs exactly the text of `payload`, which must be a JSON object, with the key that the custodian holds.

    Only for accounts that the operator has given a custodian key; others answer 422. What was signed, for whom
    and by which key is in the audit trail.
    """
    body = await read_body(request, wire.PayloadToSign)
    payload = body.model.payload
    runtime = request.app.state.runtime
    signature = await run_in_threadpool(service.sign_payload, runtime, member, wallet_id, payload)
    return json_response(wire.SignedPayload(payload=payload, signature=signature))
