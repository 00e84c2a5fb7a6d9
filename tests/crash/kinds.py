"""The kinds of requests at whose every statement the tests kill, each with a network of its own.

A kind prepares a request that was never sent before, and says what its last answer is. Which statements it runs,
and which rows it leaves, is read from a request that nobody killed: a new kind needs nothing but its request.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final
from uuid import uuid4

import httpx2

from tests.crash.facts import finish
from tests.support.networks import ConnectionHandle, Json, Network, PartnerHandle, new_nonce, ok, sign_body
from tests.support.operators import OperatorClient
from tests.support.partners import agreeing, fake_partner, refusing
from tests.support.receivers import Receiver, receiving
from tests.support.settlements import (
    close_dispute,
    dispute,
    fields_at_once,
    fields_of,
    stage,
    withdrawal,
)
from tests.support.top_ups import instruct

FUNDS: Final = 10**9
WINDOW_MINUTES: Final = 60
_DONE: Final = frozenset({200})
_DONE_BEFORE: Final = frozenset({200, 409})
_PATH: Final = "/partners/settlements"


@dataclass(frozen=True)
class Asked:
    """A request, the same bytes at each call.

    Attributes:
        send: sends it.
        last: the statuses of its last answer. Until one comes, the same request is sent again.
        repeats: whether the last answer is stored, so that each repeat gets the same.
    """

    send: Callable[[], httpx2.Response]
    last: frozenset[int] = _DONE
    repeats: bool = True


@dataclass(frozen=True)
class Scene:
    """What all kinds share: the operators, the network, and where due work can be hastened."""

    dsn: str
    operator: OperatorClient
    second: OperatorClient
    network: Network
    agreeing_partner: str
    refusing_partner: str
    receiver: Receiver

    def connected(self, name: str, **terms: object) -> ConnectionHandle:
        """Makes a partner of this name, with a client that has funds there."""
        windows = {"dispute_window": WINDOW_MINUTES, "top_up_window": WINDOW_MINUTES}
        funds = dict.fromkeys(("ofcbtc", "ofceth"), FUNDS)
        partner = self.network.partner(name, **{"deposits": funds, **windows, **terms})  # type: ignore[arg-type]
        return self.network.funded(partner, funds, name=f"trader of {name}".replace(" ", "-"))


class Kind(ABC):
    """A kind of request. ``name`` is a word for the table."""

    name: ClassVar[str]

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Makes what all its requests need."""

    @abstractmethod
    def prepare(self) -> Asked:
        """Returns a request that was not sent yet, with all that must have happened before it."""


class Connected(Kind):
    """A kind with a partner and a client of its own."""

    def build(self) -> None:
        self.own = self.scene.connected(self.name.replace(" ", "-"))

    @property
    def partner(self) -> PartnerHandle:
        return self.own.partner

    def sent_by_partner(self, path: str, fields: Json, *, version: int = 1, **more: object) -> Asked:
        body = self.partner.enterprise.sign(fields)
        return Asked(partial(self.partner.api.post, path, body, version=version), **more)  # type: ignore[arg-type]

    def staged(self, amount: str = "-7") -> str:
        return str(stage(self.partner, {self.own.id: {"BTC": amount}})["id"])

    def disputed(self) -> tuple[str, str]:
        """Returns a settlement and its dispute."""
        settlement_id = self.staged()
        return settlement_id, str(ok(dispute(self.own, settlement_id))["dispute"]["id"])


class SmallSettlement(Connected):
    name = "small settlement"

    def prepare(self) -> Asked:
        return self.sent_by_partner(_PATH, fields_of({self.own.id: {"BTC": "-7", "ETH": "7"}}), version=2)


class AtOnce(Connected):
    name = "v1 settlement"

    def build(self) -> None:
        self.own = self.scene.connected("v1", dispute_window=None, top_up_window=None)

    def prepare(self) -> Asked:
        return self.sent_by_partner(_PATH, fields_at_once({self.own.id: {"BTC": "-7", "ETH": "7"}}))


class OnChain(Connected):
    name = "on-chain settlement"

    def build(self) -> None:
        self.own = self.scene.connected("on-chain", onchainEnabled=True, dispute_window=None, top_up_window=None)

    def prepare(self) -> Asked:
        fields = fields_at_once({self.own.id: {"BTC": "-7", "ETH": "7"}})
        tx_id = uuid4().hex
        sent = {"partnerId": self.partner.id, "currency": "ofceth", "quantity": "7", "txId": tx_id}
        ok(self.scene.operator.post("/chain/deposits", sent))
        deposits = [{"currency": "ETH", "onChainTxId": tx_id}]
        named = {"externalSettlementId": fields["externalId"], "deposits": deposits}
        body = sign_body(named, self.partner.enterprise.account.key)
        made = self.partner.api.post(f"{_PATH}/onchain/deposits", body)
        assert made.status_code == httpx2.codes.CREATED, made.text
        # Else the partner is told to top up, or not, by which of the two is quicker.
        finish(self.scene.dsn)
        # A worker may have completed it before it is sent again.
        return self.sent_by_partner(f"{_PATH}/onchain", fields, last=frozenset({200, 202}), repeats=False)


class Withdrawal(Connected):
    name = "withdrawal of a settlement"

    def prepare(self) -> Asked:
        settlement_id = self.staged()
        body = withdrawal(self.partner, settlement_id)
        return Asked(partial(self.partner.api.post, f"{_PATH}/{settlement_id}/withdraw", body), repeats=False)


class StandingTopUp(Connected):
    name = "standing top-up"

    def build(self) -> None:
        self.own = self.scene.connected("topped-up")
        owner = self.partner.enterprise
        self.scene.operator.withdraw(owner.account.id, "ofcbtc", FUNDS)
        spare = self.scene.operator.go_account(owner.id, owner.account.key).id
        self.scene.operator.deposit(spare, "ofcbtc", FUNDS)
        ok(instruct(self.partner, spare, perSettlement="7"))

    def prepare(self) -> Asked:
        return self.sent_by_partner(_PATH, fields_of({self.own.id: {"BTC": "7"}}), version=2)


class ClosureReview(Connected):
    name = "review of a closure"

    def prepare(self) -> Asked:
        _, dispute_id = self.disputed()
        finish(self.scene.dsn)
        closure = ok(close_dispute(self.own, dispute_id))["disputeClosure"]
        path = f"/dispute-closures/{closure['id']}/review"
        body = {"decision": "approved", "notes": "seen"}
        return Asked(partial(self.scene.second.post, path, body), _DONE_BEFORE, repeats=False)


class Proposal(Connected):
    name = "approval of a proposal"

    def prepare(self) -> Asked:
        settlement_id, _ = self.disputed()
        proposed = self.scene.operator.post(f"/settlements/{settlement_id}/reject", {"reason": "the wrong day"})
        assert proposed.status_code == httpx2.codes.ACCEPTED, proposed.text
        path = f"/proposals/{proposed.json()['proposal']['id']}/approve"
        return Asked(partial(self.scene.second.post, path), _DONE_BEFORE, repeats=False)


class Allocation(Kind):
    name = "allocation, the partner agrees"
    direction: ClassVar[str] = "allocations"
    last: ClassVar[frozenset[int]] = _DONE

    def build(self) -> None:
        self.own = self.scene.connected(self.name.replace(" ", "-").replace(",", ""))
        self.scene.operator.deposit(self.own.client.enterprise.account.id, "ofcbtc", FUNDS)
        self.scene.network.configure(self.own.partner.enterprise.id, callbackUrl=self.address())

    def address(self) -> str:
        return self.scene.agreeing_partner

    def prepare(self) -> Asked:
        body = self.own.client.enterprise.sign(self.own.allocation_fields("ofcbtc", 7, nonce=new_nonce()))
        path = f"{self.own.path}/{self.direction}"
        return Asked(partial(self.own.client.api.post, path, body), self.last, repeats=False)


class Deallocation(Allocation):
    name = "deallocation, the partner agrees"
    direction = "deallocations"


class RefusedDeallocation(Allocation):
    name = "deallocation, the partner refuses"
    direction = "deallocations"
    last = frozenset({422})

    def address(self) -> str:
        return self.scene.refusing_partner


class Deposit(Kind):
    """A deposit, whose event is sent to a webhook."""

    name = "deposit, with a webhook"
    path: ClassVar[str] = "deposits"

    def build(self) -> None:
        self.own = self.scene.network.client(self.path, deposits={"ofcbtc": FUNDS})
        address = f"{self.scene.receiver.url}/{self.path}"
        ok(self.own.api.post("/webhook-endpoints", {"url": address, "eventTypes": ["balance.changed"]}))

    def prepare(self) -> Asked:
        body = {"currency": "ofcbtc", "quantity": "7", "reference": uuid4().hex}
        return Asked(
            partial(self.scene.operator.post, f"/go-accounts/{self.own.enterprise.account.id}/{self.path}", body),
            repeats=False,
        )


class CustodyWithdrawal(Deposit):
    name = "withdrawal, with a webhook"
    path = "withdrawals"


KINDS: Final[Sequence[type[Kind]]] = (
    SmallSettlement,
    AtOnce,
    OnChain,
    Withdrawal,
    StandingTopUp,
    ClosureReview,
    Proposal,
    Allocation,
    Deallocation,
    RefusedDeallocation,
    Deposit,
    CustodyWithdrawal,
)


@contextmanager
def open_scene(url: str, dsn: str, operator_token: str) -> Iterator[Scene]:
    """Gives what all kinds share, with partners and a receiver of webhooks on loopback."""
    with ExitStack() as stack:
        operator = stack.enter_context(OperatorClient(url, operator_token))
        network = stack.enter_context(Network(operator))
        agrees, refuses = (stack.enter_context(fake_partner(url)) for _ in range(2))
        agrees.behave = agreeing
        # A connection is agreed to before there is a callback address.
        refuses.behave = refusing()
        yield Scene(
            dsn,
            operator,
            stack.enter_context(operator.another()),
            network,
            agrees.url,
            refuses.url,
            stack.enter_context(receiving()),
        )
