"""Go Accounts and their keys in operators' lists. The owner's ciphertexts are not shown there."""

from __future__ import annotations

from collections.abc import Sequence

from clearwindow.api.filters import CreatedPage, Flag, Many, Texts, Uuids
from clearwindow.api.schema import WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import WireAnyId
from clearwindow.core.text import present
from clearwindow.custody.models import GoAccount, GoAccountFilter, KeyFilter, ListedKey

GoAccountIds = Many[WireAnyId]


class GoAccountFilters(CreatedPage):
    ids: GoAccountIds = None
    enterprise_ids: Texts = None
    is_default: Flag = None

    def to_model(self) -> GoAccountFilter:
        return GoAccountFilter(
            self.ids, self.enterprise_ids, self.is_default, self.created_on_or_after, self.created_before
        )


class KeyFilters(CreatedPage):
    """``revoked``: true for revoked keys only, false for the others only."""

    ids: Uuids = None
    go_account_ids: GoAccountIds = None
    enterprise_ids: Texts = None
    custodian: Flag = None
    revoked: Flag = None

    def to_model(self) -> KeyFilter:
        return KeyFilter(
            self.ids,
            self.go_account_ids,
            self.enterprise_ids,
            self.custodian,
            self.revoked,
            self.created_on_or_after,
            self.created_before,
        )


class ListedGoAccount(WireModel):
    id: str
    enterprise_id: str
    label: str | None = None
    is_default: bool
    created_at: str


class ListedGoAccountAnswer(WireModel):
    go_account: ListedGoAccount


class GoAccountsAnswer(WireModel):
    go_accounts: list[ListedGoAccount]


class ListedKeyView(WireModel):
    id: str
    go_account_id: str
    enterprise_id: str
    pub: str
    custodian: bool
    created_at: str
    revoked_at: str | None = None


class KeysAnswer(WireModel):
    keys: list[ListedKeyView]


def go_accounts_answer(found: Sequence[GoAccount]) -> GoAccountsAnswer:
    return GoAccountsAnswer(go_accounts=[_go_account_view(each) for each in found])


def listed_go_account_answer(found: GoAccount) -> ListedGoAccountAnswer:
    return ListedGoAccountAnswer(go_account=_go_account_view(found))


def keys_answer(found: Sequence[ListedKey]) -> KeysAnswer:
    return KeysAnswer(keys=[_key_view(each) for each in found])


def _go_account_view(account: GoAccount) -> ListedGoAccount:
    fields = present(
        id=account.id.hex,
        enterprise_id=account.enterprise_id,
        label=account.label,
        is_default=account.is_default,
        created_at=wire_time(account.created_at),
    )
    return ListedGoAccount.model_validate(fields)


def _key_view(key: ListedKey) -> ListedKeyView:
    fields = present(
        id=str(key.id),
        go_account_id=key.account_id.hex,
        enterprise_id=key.enterprise_id,
        pub=key.pub,
        custodian=key.custodian,
        created_at=wire_time(key.created_at),
        revoked_at=wire_time(key.revoked_at) if key.revoked_at else None,
    )
    return ListedKeyView.model_validate(fields)
