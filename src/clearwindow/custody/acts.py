"""What operators may have to propose about Go Accounts: deposits, withdrawals and further keys. Protocol §12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final
from uuid import UUID

from clearwindow.core.money import canonical_currency
from clearwindow.core.text import present
from clearwindow.custody import go_accounts, intent, movements, store
from clearwindow.custody.models import CustodyOutcome, CustodyRequest, GoAccount, GoAccountKey, OwnKey
from clearwindow.custody.schemas import custody_answer, key_view, own_go_account_answer
from clearwindow.identity.acts import Act, Asked, Scene, Stake, Told
from clearwindow.postgres.pool import Transaction
from clearwindow.signing.keys import parse_public_key


class _Movement(Act[CustodyRequest, CustodyOutcome]):
    """Proposals of one account are told apart by their references, as the movements are."""

    verb: ClassVar[str]
    side: ClassVar[str]

    def stake(self, scene: Scene, asked: Asked[CustodyRequest]) -> Stake | None:
        wanted = asked.request
        account, key = movements.account_and_key(scene.tx, asked.subject_id, wanted.currency)
        if store.find_movement(scene.tx, account.id, wanted.reference) is not None:
            return None
        return Stake(
            summary=(
                f"{self.verb} {wanted.quantity} {key.currency} {self.side} the Go Account {account.id.hex} of"
                f" {account.enterprise_id}"
            ),
            target={"enterpriseId": account.enterprise_id},
            key=wanted.reference,
            enterprise_id=account.enterprise_id,
        )

    def told(self, done: CustodyOutcome) -> Told:
        return Told(custody_answer(done).model_dump(by_alias=True, exclude_unset=True))

    def stored(self, request: CustodyRequest) -> dict[str, object]:
        currency = canonical_currency(request.currency)
        return {"currency": currency, "quantity": str(request.quantity), "reference": request.reference}

    def restored(self, stored: Mapping[str, object]) -> CustodyRequest:
        return CustodyRequest(str(stored["currency"]), int(str(stored["quantity"])), str(stored["reference"]))


class _Deposit(_Movement):
    """A program whose token others approved for deposits alone needs nobody else."""

    name = "deposit.make"
    operation = "deposit"
    verb = "deposit"
    side = "into"

    def stake(self, scene: Scene, asked: Asked[CustodyRequest]) -> Stake | None:
        return None if scene.operator.deposit_token_id is not None else super().stake(scene, asked)

    def carry_out(self, scene: Scene, asked: Asked[CustodyRequest]) -> CustodyOutcome:
        return movements.deposit(scene, asked.subject_id, asked.request)


class _Withdrawal(_Movement):
    """Its funds are held while it waits. The check of the ledger knows its name."""

    name = "withdrawal.make"
    operation = "withdraw"
    verb = "withdraw"
    side = "from"

    def carry_out(self, scene: Scene, asked: Asked[CustodyRequest]) -> CustodyOutcome:
        return movements.withdraw(scene, asked.subject_id, asked.request)

    def hold(self, scene: Scene, proposal_id: UUID, asked: Asked[CustodyRequest]) -> None:
        movements.hold_withdrawal(scene.tx, proposal_id, asked.subject_id, asked.request)

    def release(self, tx: Transaction, proposal_id: UUID, asked: Asked[CustodyRequest]) -> None:
        movements.release_withdrawal(tx, proposal_id, asked.subject_id, asked.request)


class _FurtherKey(Act[OwnKey | None, GoAccountKey]):
    """A key of the owner's, or one that the custodian makes when the proposal is carried out."""

    name = "go_account_key.add"
    operation = "addKey"

    def stake(self, scene: Scene, asked: Asked[OwnKey | None]) -> Stake | None:
        account = go_accounts.require_go_account(scene.tx, asked.subject_id)
        own = asked.request
        if go_accounts.active_key(scene.tx, asked.subject_id, own) is not None:
            return None
        keys = [str(key.id) for key in store.list_keys(scene.tx, account.id) if key.revoked_at is None]
        what = "a key that the custodian holds" if own is None else f"the key {own.pub}"
        return Stake(
            summary=f"add {what} to the Go Account {account.id.hex} of {account.enterprise_id}",
            target={"enterpriseId": account.enterprise_id, "activeKeys": ", ".join(keys)},
            key="custodian" if own is None else parse_public_key(own.pub).compressed.hex(),
            enterprise_id=account.enterprise_id,
        )

    def carry_out(self, scene: Scene, asked: Asked[OwnKey | None]) -> GoAccountKey:
        return go_accounts.add_key(scene, asked.subject_id, asked.request)

    def told(self, done: GoAccountKey) -> Told:
        return Told({"key": key_view(done).model_dump(by_alias=True, exclude_unset=True)})

    def stored(self, request: OwnKey | None) -> dict[str, object]:
        if request is None:
            return {"custodianKey": True}
        return present(pub=request.pub, encryptedPrv=request.encrypted_prv)

    def restored(self, stored: Mapping[str, object]) -> OwnKey | None:
        if "pub" not in stored:
            return None
        encrypted = stored.get("encryptedPrv")
        return OwnKey(str(stored["pub"]), None if encrypted is None else str(encrypted))


class _IntentOff(Act[None, GoAccount]):
    """What it takes away protects the account's owner."""

    name = "go_account.intent_off"
    operation = "turnIntentOff"

    def stake(self, scene: Scene, asked: Asked[None]) -> Stake | None:
        account = go_accounts.require_go_account(scene.tx, asked.subject_id)
        if not account.require_intent:
            return None
        return Stake(
            summary=(
                f"let the Go Account {account.id.hex} of {account.enterprise_id} sign texts that do not say what"
                " they are for"
            ),
            target={"enterpriseId": account.enterprise_id},
            enterprise_id=account.enterprise_id,
        )

    def carry_out(self, scene: Scene, asked: Asked[None]) -> GoAccount:
        account = go_accounts.require_go_account(scene.tx, asked.subject_id)
        return intent.turn_intent_off(scene.tx, scene.operator, account)

    def told(self, done: GoAccount) -> Told:
        return Told(own_go_account_answer(done).model_dump(by_alias=True, exclude_unset=True))

    def stored(self, request: None) -> dict[str, object]:  # noqa: ARG002 - it has nothing
        return {}

    def restored(self, stored: Mapping[str, object]) -> None:
        """Returns the request, which has nothing but its account."""


DEPOSIT: Final = _Deposit()
WITHDRAWAL: Final = _Withdrawal()
FURTHER_KEY: Final = _FurtherKey()
INTENT_OFF: Final = _IntentOff()
ACTS: Final = (DEPOSIT, WITHDRAWAL, FURTHER_KEY, INTENT_OFF)
