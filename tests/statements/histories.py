"""A network in which nearly everything has happened to its accounts, with what they had at many moments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Balance
from tests.support.chains import ChainDesk, chain_desk
from tests.support.networks import ConnectionHandle, ok
from tests.support.settlements import Testbed, dispute, stage, withdraw

Balances = Mapping[str, Mapping[str, Balance]]


@dataclass(frozen=True)
class Moment:
    """What each account had, by currency. Nothing happened at this time itself."""

    at: datetime
    balances: Balances


@dataclass
class History:
    """Accounts by a name, and the moments between what happened."""

    testbed: Testbed
    accounts: dict[str, str]
    desk: ChainDesk
    slow: ConnectionHandle
    moments: list[Moment] = field(default_factory=list)

    def mark(self) -> None:
        """Notes a moment that lies a minute after all that was done before, and a minute before what follows."""
        clock = self.testbed.clock
        clock.advance(minutes=1)
        self.moments.append(Moment(clock.now(), self.balances()))
        clock.advance(minutes=1)

    def balances(self) -> Balances:
        ids = {name: account_uuid(account) for name, account in self.accounts.items()}
        with self.testbed.runtime.transaction() as tx:
            found = ledger.balances_of(tx, ids.values())
        return {name: found[account_id] for name, account_id in ids.items()}


def account_uuid(text: str) -> UUID:
    return UUID(text)


def network_account(connection: ConnectionHandle) -> str:
    shown = ok(connection.client.api.get(connection.path))
    return str(shown["connection"]["networkAccountId"])


def lived(testbed: Testbed) -> History:
    """Lets nearly everything happen, and notes a moment after each step."""
    desk = chain_desk(testbed, deposits={"ofcbtc": 500, "ofceth": 500})
    other = testbed.network.partner("slow", asyncAllocations=True)
    slow = testbed.network.connect(desk.ann.client, other, "slow one")
    accounts = {
        "ann's": desk.ann.client.enterprise.account.id,
        "exchange's": desk.partner.enterprise.account.id,
        "ann at exchange": network_account(desk.ann),
        "bob at exchange": network_account(desk.bob),
        "ann at slow": network_account(slow),
    }
    history = History(testbed, accounts, desk, slow)
    history.mark()
    for _ in _steps(history):
        history.mark()
    return history


def _steps(history: History) -> Iterator[None]:
    testbed, desk = history.testbed, history.desk
    operator, partner, ann, bob = testbed.operator, desk.partner, desk.ann, desk.bob
    wrong = stage(partner, {ann.id: {"BTC": "-40", "ETH": "3"}, bob.id: {"BTC": "5"}}, externalId="=day-1")["id"]
    raised = ok(dispute(ann, wrong, {"ofcbtc": "-30"}))["dispute"]["id"]
    yield
    testbed.pass_minutes(10)
    yield
    testbed.pass_minutes(10)
    yield
    body = {"adjustedTransfers": {"ofcbtc": "-30"}, "notes": "as the client says"}
    closure = ok(operator.post(f"/disputes/{raised}/close", body))["disputeClosure"]["id"]
    with operator.another() as second:
        ok(second.post(f"/dispute-closures/{closure}/review", {"decision": "approved", "notes": "yes"}))
    yield
    taking = stage(partner, {ann.id: {"BTC": "-7"}, bob.id: {"ETH": "-2"}}, externalId="day-2")["id"]
    yield
    ok(withdraw(partner, taking))
    yield
    testbed.pass_minutes(20)
    yield
    operator.deposit(ann.client.enterprise.account.id, "ofcbtc", 90, "wire-1")
    operator.withdraw(ann.client.enterprise.account.id, "ofcbtc", 20, "wire-2")
    ok(history.slow.allocate("ofcbtc", 15, clientExternalId="later"))
    yield
    rejected = stage(partner, {ann.id: {"BTC": "-9"}}, externalId="day-3")["id"]
    yield
    ok(operator.post(f"/settlements/{rejected}/reject", {"reason": "a mistake"}))
    yield
    failing = stage(partner, {ann.id: {"ETH": "900"}, bob.id: {"BTC": "-1"}}, externalId="day-4")["id"]
    testbed.pass_minutes(20)
    assert testbed.state(failing) == "failed"
    yield
    operator.deposit(partner.enterprise.account.id, "ofceth", 900, "wire-3")
    testbed.run_due()
    yield
    ok(ann.deallocate("ofceth", 100, clientExternalId="back"))
    yield
    onchain = desk.initiate({ann.id: {"BTC": "-6"}, bob.id: {"BTC": "6"}}, externalId="chain-1")["externalId"]
    desk.fund(onchain, "BTC", 6)
    yield
    desk.confirm_all()
    yield
    desk.confirm_all()
    yield
    open_one = stage(partner, {ann.id: {"BTC": "-11"}, bob.id: {"BTC": "2"}}, externalId="day-5")["id"]
    ok(dispute(bob, open_one, {"ofcbtc": "3"}))
