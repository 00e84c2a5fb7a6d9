"""On-chain settlements for tests: initiated, funded by deposits, and a chain that does what a test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx2

from clearwindow.onchain.chain import Chain, DepositReport, Payment, PaymentReport
from clearwindow.onchain.due import DepositWork, OnchainWork
from clearwindow.onchain.rules import POLL_SECONDS, TRIES
from clearwindow.onchain.simulated import CONFIRMATION_SECONDS, SimulatedChain
from clearwindow.work.worker import Worker
from tests.support.networks import ConnectionHandle, Json, PartnerHandle, new_nonce, ok, sign_body
from tests.support.settling import Amounts, Floor

PATH = "/partners/settlements/onchain"
CONFIRMATION_MINUTES = CONFIRMATION_SECONDS / 60


@dataclass
class ChainDesk:
    """A partner that settles on chain, two clients of it, and the simulated chain in an operator's hand."""

    floor: Floor
    partner: PartnerHandle
    ann: ConnectionHandle
    bob: ConnectionHandle

    def fields(self, amounts: Amounts, **more: object) -> Json:
        named = {connection: dict(given) for connection, given in amounts.items()}
        return {"externalId": uuid4().hex, "settlementAmounts": named, "nonce": new_nonce(), **more}

    def post(self, body: object) -> httpx2.Response:
        return self.partner.api.post(PATH, body)

    def try_initiate(self, amounts: Amounts, **more: object) -> httpx2.Response:
        return self.post(self.partner.enterprise.sign(self.fields(amounts, **more)))

    def initiate(self, amounts: Amounts, **more: object) -> Json:
        answer = self.try_initiate(amounts, **more)
        assert answer.status_code == 202, answer.text
        settlement: Json = answer.json()["settlement"]
        return settlement

    def deposit_body(self, external_id: str, *given: tuple[str, str], **more: object) -> Json:
        """``given``: the partner's currency and the transaction, for each deposit."""
        deposits = [{"currency": currency, "onChainTxId": tx_id} for currency, tx_id in given]
        fields = {"externalSettlementId": external_id, "deposits": deposits, **more}
        return sign_body(fields, self.partner.enterprise.account.key)

    def try_deposit(self, external_id: str, *given: tuple[str, str], **more: object) -> httpx2.Response:
        return self.partner.api.post(f"{PATH}/deposits", self.deposit_body(external_id, *given, **more))

    def deposit(self, external_id: str, *given: tuple[str, str], **more: object) -> list[Json]:
        answer = self.try_deposit(external_id, *given, **more)
        assert answer.status_code == 201, answer.text
        deposits: list[Json] = answer.json()["deposits"]
        return deposits

    def send(self, currency: str, tx_id: str, quantity: int, **more: object) -> Json:
        """The partner's transaction over the chain, by our name of the currency."""
        body = {"partnerId": self.partner.id, "currency": currency, "quantity": str(quantity), "txId": tx_id}
        sent: Json = ok(self.floor.operator.post("/chain/deposits", body | more))["transaction"]
        return sent

    def fund(self, external_id: str, currency: str, quantity: int) -> str:
        """A deposit that is on the chain and given for the settlement; confirms by itself."""
        tx_id = uuid4().hex
        self.send(f"ofc{currency.lower()}", tx_id, quantity)
        self.deposit(external_id, (currency, tx_id))
        return tx_id

    def confirm_all(self) -> None:
        """Lets the time pass that the chain takes to confirm what it has, and has it noted."""
        self.floor.run_due()
        self.floor.pass_minutes(CONFIRMATION_MINUTES)

    def transactions(self, **filters: Any) -> list[Json]:  # noqa: ANN401 - a query
        found: list[Json] = ok(self.floor.operator.get("/chain/transactions", **filters))["transactions"]
        return found

    def tell(self, transaction: Mapping[str, str], verdict: str) -> Json:
        answer: Json = ok(self.floor.operator.post(f"/chain/transactions/{transaction['id']}/{verdict}"))
        changed: Json = answer["transaction"]
        return changed

    def pending(self) -> list[Json]:
        return self.transactions(states="pending", kinds="payment")

    def fail_all(self) -> None:
        """The chain gives up every payment that it has not confirmed."""
        for transaction in self.pending():
            self.tell(transaction, "fail")

    def fail_to_the_end(self) -> None:
        """Fails every transaction, as often as it is sent again."""
        for _ in range(TRIES):
            self.floor.run_due()
            self.fail_all()
            self.floor.pass_minutes(POLL_SECONDS / 60)
            self.floor.pass_minutes(11)

    def statuses(self, settlement_id: str) -> dict[str, str]:
        """The status of each transfer by connection, currency and direction, as the partner sees it."""
        seen = ok(self.partner.api.get(f"/partners/settlements/{settlement_id}"))
        names = {self.account(one): name for name, one in (("ann", self.ann), ("bob", self.bob))}
        return {
            f"{names[transfer['destinationNetworkAccountId']]} {transfer['currency']} {transfer['quantity']}": (
                transfer["status"]
            )
            for transfer in seen["settlementTransfers"]
        }

    def account(self, connection: ConnectionHandle) -> str:
        shown = ok(connection.client.api.get(f"/clients/connections/{connection.id}"))
        return str(shown["connection"]["networkAccountId"])

    def status(self, settlement_id: str) -> str:
        seen = ok(self.partner.api.get(f"/partners/settlements/{settlement_id}"))
        return str(seen["settlement"]["status"])

    def partner_balances(self) -> dict[str, tuple[int, int]]:
        return self.floor.operator.balances(self.partner.enterprise.account.id)


def chain_desk(floor: Floor, **settings: object) -> ChainDesk:
    partner = floor.network.partner(onchainEnabled=True, **settings)  # type: ignore[arg-type]
    ann = floor.network.funded(partner, {"ofcbtc": 1_000, "ofceth": 1_000}, name="ann")
    bob = floor.network.funded(partner, {"ofcbtc": 1_000, "ofceth": 1_000}, name="bob")
    return ChainDesk(floor, partner, ann, bob)


class ChainDownError(Exception):
    """The chain, or this process, is gone."""


@dataclass
class UnsteadyChain:
    """The simulated chain behind calls that break off where a test says: before or after they did their work."""

    chain: Chain
    breaks: set[str] = field(default_factory=set)
    paid: list[list[UUID]] = field(default_factory=list)

    def pay(self, payments: Sequence[Payment]) -> None:
        self._break("before paying")
        self.paid.append([payment.id for payment in payments])
        self.chain.pay(payments)
        self._break("after paying")

    def payments(self, payment_ids: Sequence[UUID]) -> list[PaymentReport]:
        reports = self.chain.payments(payment_ids)
        self._break("after reporting")
        return reports

    def deposit(self, partner_id: UUID, currency: str, tx_id: str) -> DepositReport | None:
        report = self.chain.deposit(partner_id, currency, tx_id)
        self._break("after reporting")
        return report

    def _break(self, where: str) -> None:
        if where in self.breaks:
            raise ChainDownError(where)


def unsteady_worker(floor: Floor) -> tuple[Worker, UnsteadyChain]:
    chain = UnsteadyChain(SimulatedChain(floor.runtime))
    return Worker(floor.runtime, [OnchainWork(lambda _: chain), DepositWork(lambda _: chain)]), chain
