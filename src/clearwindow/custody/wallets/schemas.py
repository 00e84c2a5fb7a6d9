"""Wallets, keys and signatures in the form that the field's JavaScript SDK reads."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import StringConstraints

from clearwindow.api.schema import RequestModel, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.custody.models import GoAccountKey
from clearwindow.custody.wallets.models import Wallet

CONSTANTS_TTL_SECONDS: Final = 3600


class ClientConstants(WireModel):
    """The constants, none in this network. A client asks again after ``ttl`` seconds."""

    constants: dict[str, str]
    ttl: int


class WalletView(WireModel):
    """``keys`` lists the owner's keys with a ciphertext, then the owner's other keys, then the custodian's key."""

    id: str
    coin: Literal["ofc"]
    label: str
    enterprise: str
    type: Literal["trading"]
    multisig_type: Literal["onchain"]
    m: int
    n: int
    approvals_required: int
    keys: list[str]
    user_key_signing_required: bool
    is_default: bool
    require_intent: bool
    coin_specific: dict[str, str]
    pending_approvals: list[str]
    start_date: str


class KeychainView(WireModel):
    """``encryptedPrv`` is the owner's own ciphertext of the private key, unchanged."""

    id: str
    pub: str
    source: Literal["user", "bitgo"]
    type: Literal["independent"]
    encrypted_prv: str | None = None
    is_custodian: bool


class PayloadToSign(RequestModel):
    payload: Annotated[str, StringConstraints(min_length=1)]


class SignedPayload(WireModel):
    payload: str
    signature: str


def client_constants() -> ClientConstants:
    return ClientConstants(constants={}, ttl=CONSTANTS_TTL_SECONDS)


def wallet_view(wallet: Wallet) -> WalletView:
    account = wallet.account
    return WalletView(
        id=account.id.hex,
        coin="ofc",
        label=account.label or account.enterprise_id,
        enterprise=account.enterprise_id,
        type="trading",
        multisig_type="onchain",
        m=1,
        n=len(wallet.keys),
        approvals_required=1,
        keys=[str(key.id) for key in wallet.keys],
        user_key_signing_required=not wallet.custodian_signs,
        is_default=account.is_default,
        require_intent=account.require_intent,
        coin_specific={},
        pending_approvals=[],
        start_date=wire_time(account.created_at),
    )


def keychain_view(key: GoAccountKey) -> KeychainView:
    fields = present(
        id=str(key.id),
        pub=key.pub,
        source="bitgo" if key.custodian else "user",
        type="independent",
        encrypted_prv=key.encrypted_prv,
        is_custodian=key.custodian,
    )
    return KeychainView.model_validate(fields)
