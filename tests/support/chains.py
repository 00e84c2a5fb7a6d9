"""On-chain settlements for tests, with deposits and a chain that the test controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx2

from clearwindow.jobs.worker import Worker
from clearwindow.settlements.onchain.chain import Chain, DepositReport, Payment, PaymentReport
from clearwindow.settlements.onchain.jobs import DepositWork, OnchainWork
from clearwindow.settlements.onchain.rules import POLL_SECONDS, TRIES
from clearwindow.settlements.onchain.simulated_chain import CONFIRMATION_SECONDS, SimulatedChain
from tests.support.networks import ConnectionHandle, Json, PartnerHandle, new_nonce, ok, sign_body
from tests.support.settlements import Amounts, Testbed

PATH = "/partners/settlements/onchain"
CONFIRMATION_MINUTES = CONFIRMATION_SECONDS / 60


@dataclass
class ChainDesk:
    """A partner that settles on chain, two clients, and an operator who controls the simulated chain."""

    testbed: Testbed
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
        """Returns a signed body; ``given`` are the partner's currency and the transaction of each deposit."""
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
        """Sends a transaction of the partner on the chain; ``currency`` is our name."""
        body = {"partnerId": self.partner.id, "currency": currency, "quantity": str(quantity), "txId": tx_id}
        sent: Json = ok(self.testbed.operator.post("/chain/deposits", body | more))["transaction"]
        return sent

    def fund(self, external_id: str, currency: str, quantity: int) -> str:
        """Sends a deposit on the chain and names it for the settlement. It confirms after a while."""
        tx_id = uuid4().hex
        self.send(f"ofc{currency.lower()}", tx_id, quantity)
        self.deposit(external_id, (currency, tx_id))
        return tx_id

    def confirm_all(self) -> None:
        """Moves the clock until the chain confirms its transactions, and runs due work."""
        self.testbed.run_due()
        self.testbed.pass_minutes(CONFIRMATION_MINUTES)

    def transactions(self, **filters: Any) -> list[Json]:  # noqa: ANN401 - a query
        found: list[Json] = ok(self.testbed.operator.get("/chain/transactions", **filters))["transactions"]
        return found

    def tell(self, transaction: Mapping[str, str], verdict: str) -> Json:
        answer: Json = ok(self.testbed.operator.post(f"/chain/transactions/{transaction['id']}/{verdict}"))
        changed: Json = answer["transaction"]
        return changed

    def pending(self) -> list[Json]:
        return self.transactions(states="pending", kinds="payment")

    def fail_all(self) -> None:
        """Fails every payment that is not confirmed."""
        for transaction in self.pending():
            self.tell(transaction, "fail")

    def fail_to_the_end(self) -> None:
        """Fails every transaction, and every repeat of it."""
        for _ in range(TRIES):
            self.testbed.run_due()
            self.fail_all()
            self.testbed.pass_minutes(POLL_SECONDS / 60)
            self.testbed.pass_minutes(11)

    def statuses(self, settlement_id: str) -> dict[str, str]:
        """Returns the status of each transfer, by connection, currency and quantity, as the partner sees it."""
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
        return self.testbed.operator.balances(self.partner.enterprise.account.id)


def chain_desk(testbed: Testbed, **settings: object) -> ChainDesk:
    partner = testbed.network.partner(onchainEnabled=True, **settings)  # type: ignore[arg-type]
    ann = testbed.network.funded(partner, {"ofcbtc": 1_000, "ofceth": 1_000}, name="ann")
    bob = testbed.network.funded(partner, {"ofcbtc": 1_000, "ofceth": 1_000}, name="bob")
    return ChainDesk(testbed, partner, ann, bob)


class ChainDownError(Exception):
    """The chain or this process has ended."""


@dataclass
class UnsteadyChain:
    """The simulated chain with calls that fail where the test decides: before or after their work."""

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


def unsteady_worker(testbed: Testbed) -> tuple[Worker, UnsteadyChain]:
    chain = UnsteadyChain(SimulatedChain(testbed.runtime))
    return Worker(testbed.runtime, [OnchainWork(lambda _: chain), DepositWork(lambda _: chain)]), chain
