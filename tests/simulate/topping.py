"""Steps with standing top-ups: what settlements may draw from another account of their partner. Protocol §5."""

from __future__ import annotations

from random import Random

from tests.simulate.world import DECIMALS, Exchange, World, agree, answered
from tests.support.networks import new_nonce, sign_body
from tests.support.top_ups import EXPIRES_AT, OPERATION


def fund_spare(world: World, random: Random) -> str:
    """An operator deposits on the account that is drawn on."""
    exchange = _one(world, random)
    currency, quantity = random.choice(sorted(DECIMALS)), random.randint(1, 300)
    reference = f"spare {world.reference()}"
    world.decided(world.operator.move("deposits", exchange.spare, currency, quantity, reference))
    exchange.books.fund_spare(currency, quantity)
    world.finish_due()
    return f"{quantity} {currency} for {exchange.name}"


def instruct(world: World, random: Random) -> str:
    """A partner revokes its instruction for a currency, and gives another or none."""
    exchange = _one(world, random)
    currency, most = random.choice(sorted(DECIMALS)), random.choice([0, 50, 300])
    standing = exchange.instructions.pop(currency, None)
    api = exchange.handle.api
    if standing is not None:
        agree("the answer to a revocation", api.delete(f"/partners/standing-top-ups/{standing}").status_code, 204)
        del exchange.books.standing[currency]
    if most == 0:
        return f"{exchange.name}: none for {currency}"
    fields = {"currency": currency, "perSettlement": str(most), "nonce": new_nonce()}
    intent = {
        "operation": OPERATION,
        "enterpriseId": exchange.name,
        "goAccountId": exchange.spare,
        "expiresAt": EXPIRES_AT,
    }
    signed = sign_body({**fields, **intent}, exchange.handle.enterprise.account.key)
    body = {**fields, "payload": signed["payload"], "signature": signed["signature"]}
    made = answered(api.post(f"/go-accounts/{exchange.spare}/standing-top-ups", body), 200)
    exchange.instructions[currency] = made["standingTopUp"]["id"]
    exchange.books.instruct(currency, most)
    world.finish_due()
    return f"{exchange.name}: {most} {currency} for each settlement"


def _one(world: World, random: Random) -> Exchange:
    return random.choice([each for each in world.exchanges.values() if each.spare])
