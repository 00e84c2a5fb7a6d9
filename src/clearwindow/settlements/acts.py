"""What operators propose about settlements. Two end what clients dispute, in a sandbox too. Protocol §5, §6."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from clearwindow.core.ids import parse_uuid
from clearwindow.core.text import present
from clearwindow.identity.acts import CONFIRMATION_ERRORS, Act, Asked, Scene, Stake, Told
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements import cancellation, rejection, store
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.disputes.models import Closure
from clearwindow.settlements.models import Settlement, SettlementState, SettlementType
from clearwindow.settlements.onchain import execution as onchain_execution


class _RejectSettlement(Act[str, Settlement]):
    """The request is the reason. On chain there are no disputes."""

    name = "settlement.reject"
    operation = "rejectSettlement"
    always_proposed = True
    confirmed_by_repeat = True
    errors = CONFIRMATION_ERRORS

    def stake(self, scene: Scene, asked: Asked[str]) -> Stake | None:
        found = store.require(scene.tx, parse_uuid(asked.subject_id))
        if found.settlement_type is SettlementType.ONCHAIN:
            return None
        partner, settlement = rejection.lock_for_rejection(scene.tx, found.id)
        if settlement.state is SettlementState.REJECTED:
            return None
        target = rejection.what_it_ends(scene.tx, settlement)
        if not target:
            return None
        return Stake(
            summary="reject the settlement, which is disputed or carries closed disputes",
            target=target,
            enterprise_id=partner.enterprise_id,
        )

    def client_hands(self, tx: Transaction, asked: Asked[str]) -> Collection[UUID]:
        return disputes.client_hands_in(tx, parse_uuid(asked.subject_id))

    def carry_out(self, scene: Scene, asked: Asked[str]) -> Settlement:
        found = store.require(scene.tx, parse_uuid(asked.subject_id))
        if found.settlement_type is SettlementType.ONCHAIN:
            return onchain_execution.reject(scene, found.id, asked.request)
        return rejection.reject(scene, found.id, asked.request)

    def told(self, done: Settlement) -> Told:
        return Told({"settlement": {"id": str(done.id), "status": "rejected"}})

    def stored(self, request: str) -> dict[str, object]:
        return {"reason": request}

    def restored(self, stored: Mapping[str, object]) -> str:
        return str(stored["reason"])


class _CancelClosure(Act[str | None, Closure]):
    """The request is the reason."""

    name = "dispute_closure.cancel"
    operation = "cancelClosure"
    always_proposed = True
    confirmed_by_repeat = True
    errors = CONFIRMATION_ERRORS

    def stake(self, scene: Scene, asked: Asked[str | None]) -> Stake | None:
        taken = cancellation.lock_taken(scene.tx, parse_uuid(asked.subject_id))
        if taken.settlement is None:
            return None
        return Stake(
            summary="cancel the transfers of the closure in the settlement that has taken it",
            target={"settlementId": str(taken.settlement.id)},
            enterprise_id=taken.partner.enterprise_id,
        )

    def client_hands(self, tx: Transaction, asked: Asked[str | None]) -> Collection[UUID]:
        return disputes.client_hands_of_closure(tx, parse_uuid(asked.subject_id))

    def carry_out(self, scene: Scene, asked: Asked[str | None]) -> Closure:
        return cancellation.cancel_closure(scene, parse_uuid(asked.subject_id), asked.request)

    def told(self, done: Closure) -> Told:
        return Told({"disputeClosure": {"id": str(done.id), "status": str(done.status)}})

    def stored(self, request: str | None) -> dict[str, object]:
        return present(reason=request)

    def restored(self, stored: Mapping[str, object]) -> str | None:
        reason = stored.get("reason")
        return None if reason is None else str(reason)


REJECT_SETTLEMENT: Final = _RejectSettlement()
CANCEL_CLOSURE: Final = _CancelClosure()
ACTS: Final = (REJECT_SETTLEMENT, CANCEL_CLOSURE)
