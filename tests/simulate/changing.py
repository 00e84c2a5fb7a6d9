"""Steps that change the terms: time, processes, configurations, keys and pauses."""

from __future__ import annotations

import signal
from random import Random
from typing import Final

from tests.simulate.chain import pay_everything
from tests.simulate.moving import move
from tests.simulate.world import CLIENTS, DECIMALS, INSTANT, MARGIN_MINUTES, World, agree, answered
from tests.support.networks import ok
from tests.support.pauses import pause, resume

_SHORT_WAY: Final = 0.9
"""How often the chain has nothing under way while time passes, which takes a twentieth of the time."""


def pass_time(world: World, random: Random) -> str:
    minutes = random.choice([1, 3, 5, 10, 21])
    if random.random() < _SHORT_WAY:
        pay_everything(world, random)
    world.pass_minutes(minutes)
    world.compare()
    return f"{minutes} minutes"


def pass_to_an_end(world: World, random: Random) -> str:
    """The clock goes to the end of the next window, just before it or just after it."""
    moments = [exchange.books.next_moment() for exchange in world.exchanges.values()]
    ends = [each for each in moments if each is not None]
    if not ends:
        return "no window is open"
    before = random.choice([INSTANT, -2 * MARGIN_MINUTES])
    if min(ends) + before > world.minutes:
        world.pass_to(min(ends) + before)
    world.compare()
    return "just after" if before > 0 else "a little before"


def restart_server(world: World, random: Random) -> str:
    """The server ends in order or is killed, and starts with or without approvals of operators' acts."""
    number, approvals = random.choice([signal.SIGTERM, signal.SIGKILL]), random.choice([0, 1])
    world.processes.restart_server(number, approvals_needed=approvals)
    return f"{number.name}, then approvals needed: {approvals}"


def restart_worker(world: World, random: Random) -> str:
    number = random.choice([signal.SIGTERM, signal.SIGKILL])
    world.processes.restart_worker(number)
    return number.name


def pause_everything(world: World, random: Random) -> str:
    """The network is paused while windows end. Executions wait, and then run in the order of their deadlines."""
    minutes = random.choice([1, 10, 21])
    made = pause(world.operator, "network")
    world.move_clock(world.minutes + minutes)
    client, exchange = random.choice(CLIENTS), world.exchanges[random.choice(["flat", "instant"])]
    connection = exchange.connections[client]
    for what in ("allocations", "deallocations"):
        body = world.sign(client, connection.allocation_fields("ofcbtc", 1))
        answered(connection.client.api.post(f"{connection.path}/{what}", body), 422, "paused")
    resume(world.operator, world.second, made["id"])
    world.catch_up()
    world.pass_minutes(INSTANT)
    world.compare()
    return f"for {minutes} minutes"


def pause_one(world: World, random: Random) -> str:
    """A partner, a client or a currency is paused, and nothing of it moves; a partner's clients may leave."""
    kind = random.choice(["partner", "client", "currency"])
    client, exchange = random.choice(CLIENTS), world.exchanges[random.choice(["flat", "broker", "instant"])]
    connection, currency = exchange.connections[client], random.choice(sorted(DECIMALS))
    subject = {"partner": exchange.handle.id, "client": connection.client.id, "currency": currency}[kind]
    made = pause(world.operator, kind, subject)
    said = f"{kind} {subject}"
    for what in ("allocations", "deallocations"):
        if (kind, what) == ("partner", "deallocations"):
            said += ", " + move(world, exchange, client, what, currency, random.randint(1, 100))
            continue
        body = world.sign(client, connection.allocation_fields(currency, 1))
        answered(connection.client.api.post(f"{connection.path}/{what}", body), 422)
    world.compare()
    resume(world.operator, world.second, made["id"])
    # What became due meanwhile is done now.
    world.pass_minutes(INSTANT)
    return said


def turn_key(world: World, random: Random) -> str:
    """An account gets another key, and the former is revoked: it signs nothing new, and repeats still pass."""
    enterprise = random.choice(sorted(world.keys))
    account, new, former = world.account_of(enterprise), world.new_key(), world.keys[enterprise]
    made = world.decided(world.operator.post(f"/go-accounts/{account}/keys", {"pub": new.xpub}))["key"]
    answer = world.operator.delete(f"/go-accounts/{account}/keys/{world.key_ids[enterprise]}")
    agree("the answer to a revocation", answer.status_code, 204)
    world.keys[enterprise], world.key_ids[enterprise] = new, made["id"]
    if enterprise in CLIENTS:
        connection = world.exchanges["flat"].connections[enterprise]
        body = world.sign(enterprise, connection.allocation_fields("ofcbtc", 1), former)
        if world.exchanges["flat"].active and enterprise not in world.exchanges["flat"].inactive_connections:
            answered(connection.client.api.post(f"{connection.path}/allocations", body), 401, "signature_invalid")
        world.compare()
    return f"of {enterprise}"


def rename_currency(world: World, random: Random) -> str:
    """A partner names a currency anew, or counts in another unit. Where approvals are needed, two agree."""
    exchange = world.exchanges[random.choice(["flat", "broker", "instant"])]
    if random.random() < 0.5:
        exchange.names = {_other_name(name): ours for name, ours in exchange.names.items()}
    else:
        exchange.decimal = not exchange.decimal
    path = f"/enterprises/{exchange.name}/partner-configuration"
    world.decided(world.operator.put(path, exchange.configuration()))
    return f"{exchange.name}: {exchange.configuration()}"


def _other_name(name: str) -> str:
    return name.removeprefix("X-") if name.startswith("X-") else f"X-{name}"


def stop_or_start_partner(world: World, random: Random) -> str:
    exchange = world.exchanges[random.choice(["flat", "broker", "instant"])]
    exchange.active = not exchange.active or random.random() < 0.5
    ok(world.operator.patch(f"/partners/{exchange.handle.id}", {"active": exchange.active}))
    moved = move(world, exchange, random.choice(CLIENTS), "allocations", "ofcbtc", random.randint(1, 50))
    return f"{exchange.name} is {'active' if exchange.active else 'stopped'}; {moved}"


def stop_or_start_connection(world: World, random: Random) -> str:
    exchange, client = random.choice(list(world.exchanges.values())), random.choice(CLIENTS)
    connection = exchange.connections[client]
    active = random.random() < 0.7
    seen = ok(connection.client.api.put(f"/clients/connections/{connection.id}", {"active": active}))
    agree("whether it is active", seen["connection"]["active"], active)
    (exchange.inactive_connections.discard if active else exchange.inactive_connections.add)(client)
    moved = move(world, exchange, client, "allocations", "ofcbtc", random.randint(1, 50))
    return f"{client} at {exchange.name} is {'active' if active else 'stopped'}; {moved}"
