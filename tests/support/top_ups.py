"""Standing top-ups: a second Go Account of a partner, and the signed instruction to draw on it."""

from __future__ import annotations

from uuid import uuid4

import httpx2

from tests.support.networks import Json, PartnerHandle, ok, sign_body
from tests.support.settlements import Testbed

EXPIRES_AT = "2030-01-01T00:00:00.000Z"
OPERATION = "standing_top_up.create"


def spare_account(testbed: Testbed, partner: PartnerHandle, **deposits: int) -> str:
    """Opens another Go Account of the partner with the same key, and returns its id."""
    owner = partner.enterprise
    account = testbed.operator.go_account(owner.id, owner.account.key).id
    for currency, quantity in deposits.items():
        testbed.operator.deposit(account, currency, quantity)
    return account


def instruction(partner: PartnerHandle, account: str, **more: object) -> Json:
    """Returns the signed body of an instruction. ``more`` changes what it says."""
    owner = partner.enterprise
    fields = {"currency": "ofcbtc", "perSettlement": "1", "nonce": uuid4().hex, **more}
    said = {"operation": OPERATION, "enterpriseId": owner.id, "goAccountId": account, "expiresAt": EXPIRES_AT}
    signed = sign_body({**fields, **said}, owner.account.key)
    return {**fields, "payload": signed["payload"], "signature": signed["signature"]}


def instruct(partner: PartnerHandle, account: str, **more: object) -> httpx2.Response:
    return partner.api.post(f"/go-accounts/{account}/standing-top-ups", instruction(partner, account, **more))


def standing_top_up(partner: PartnerHandle, account: str, **more: object) -> Json:
    """Gives the instruction, and returns its record."""
    return dict(ok(instruct(partner, account, **more))["standingTopUp"])
