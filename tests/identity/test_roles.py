"""Decisions about roles, and the table of operations and roles."""

from __future__ import annotations

from uuid import UUID

import pytest

from clearwindow.core.errors import InvalidRequestError, PermissionDeniedError, UnprocessableError
from clearwindow.identity import roles
from clearwindow.identity.looks import is_readable, look_of
from clearwindow.identity.models import MemberRole, OperatorRole
from tools.roles_page import PAGE, guarded_operations, page

ADA, BEN = UUID(int=1), UUID(int=2)


def test_every_guarded_operation_has_its_row_and_no_other_has_one() -> None:
    guarded = guarded_operations()
    operators = {name for name, (_, path) in guarded.items() if path.startswith("/api/operator/")}
    assert set(roles.roles_of_operators()) == operators, "edit src/clearwindow/identity/roles.toml"
    assert set(roles.roles_of_members()) == set(guarded) - operators, "edit src/clearwindow/identity/roles.toml"


def test_reference_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tools.roles_page"


def test_viewers_change_nothing_but_what_is_their_own() -> None:
    for kind, table in (
        (OperatorRole.VIEWER, roles.roles_of_operators()),
        (MemberRole.VIEWER, roles.roles_of_members()),
    ):
        changing = {
            name
            for name, allowed in table.items()
            if kind in allowed and guarded_operations()[name][0] != "GET" and "Signing" not in name
        }
        # The value of a token is collected by who proposed it, and by nobody else.
        own = {
            "confirmSecondFactor",
            "enrolSecondFactor",
            "removeSecondFactor",
            "revokeToken",
            "v1TokenDeleteRoute",
            "changeOwnNotifications",
            "sendTestNotification",
            "stopOwnNotifications",
            "verifyOwnEmail",
            "v1NotificationsDeleteRoute",
            "v1NotificationsPutRoute",
            "v1NotificationsTestPostRoute",
            "v1NotificationsVerifyPostRoute",
        }
        # A preview changes nothing.
        assert changing <= {"createOperatorToken", "collectValue", "v2PartnerSettlementsPreviewPostRoute"} | own


@pytest.mark.parametrize(
    ("operation", "allowed"),
    [
        ("withdraw", {"operator", "administrator"}),
        ("deposit", {"operator", "administrator"}),
        ("retrySettlement", {"operator", "administrator"}),
        ("closeDispute", {"operator", "administrator"}),
        ("reviewClosure", {"approver", "administrator"}),
        ("createOperator", {"administrator"}),
        ("updateOperator", {"administrator"}),
        ("createToken", {"administrator"}),
        ("addKey", {"administrator"}),
        ("configure", {"administrator"}),
        ("auditLog", {"viewer", "operator", "approver", "administrator"}),
    ],
)
def test_operators_table_keeps_duties_apart(operation: str, allowed: set[str]) -> None:
    assert roles.roles_of_operators()[operation] == allowed


@pytest.mark.parametrize(
    ("operation", "allowed"),
    [
        ("v2PartnerSettlementsPostRoute", {"settler", "administrator"}),
        ("V1ClientAllocationsPostRoute", {"trader", "administrator"}),
        ("createClientSettlementDispute", {"trader", "administrator"}),
        ("v1ClientPendingApprovalPutRoute", {"approver", "administrator"}),
        ("v1ClientApprovalThresholdsPutRoute", {"administrator"}),
        ("v1WebhookEndpointsPostRoute", {"administrator"}),
        ("v2OfcWalletTxSignPostRoute", {"trader", "settler", "administrator"}),
        ("v1ClientBalancesGetRoute", {"viewer", "trader", "settler", "approver", "administrator"}),
    ],
)
def test_members_table_keeps_duties_apart(operation: str, allowed: set[str]) -> None:
    assert roles.roles_of_members()[operation] == allowed


def test_operation_without_a_row_is_for_administrators_only() -> None:
    roles.require_operator_role(OperatorRole.ADMINISTRATOR, "notThere")
    roles.require_member_role(MemberRole.ADMINISTRATOR, "notThere")
    for role in set(OperatorRole) - {OperatorRole.ADMINISTRATOR}:
        with pytest.raises(PermissionDeniedError):
            roles.require_operator_role(role, "notThere")
    for member in set(MemberRole) - {MemberRole.ADMINISTRATOR}:
        with pytest.raises(PermissionDeniedError):
            roles.require_member_role(member, "notThere")


@pytest.mark.parametrize("holder", MemberRole)
@pytest.mark.parametrize("own", [None, *MemberRole])
def test_token_never_acts_beyond_its_holder_or_its_own_role(holder: MemberRole, own: MemberRole | None) -> None:
    acting = roles.narrowed(holder, own)
    for allowed in roles.roles_of_members().values():
        if acting in allowed:
            assert holder in allowed
            assert own is None or own in allowed
    if own is None:
        assert acting is holder
    if own is not None and roles.includes(holder, own):
        assert acting is own


@pytest.mark.parametrize(
    ("holder", "own", "allowed"),
    [
        (MemberRole.ADMINISTRATOR, MemberRole.SETTLER, True),
        (MemberRole.TRADER, MemberRole.TRADER, True),
        (MemberRole.TRADER, MemberRole.VIEWER, True),
        (MemberRole.TRADER, None, True),
        (MemberRole.TRADER, MemberRole.SETTLER, False),
        (MemberRole.APPROVER, MemberRole.ADMINISTRATOR, False),
        (MemberRole.VIEWER, MemberRole.TRADER, False),
    ],
)
def test_new_token_must_not_be_wider_than_its_holder(
    holder: MemberRole, own: MemberRole | None, *, allowed: bool
) -> None:
    if allowed:
        roles.require_narrower(holder, own)
    else:
        with pytest.raises(InvalidRequestError):
            roles.require_narrower(holder, own)


def test_last_administrator_stays() -> None:
    roles.require_administrator_left([ADA, BEN], ADA)
    with pytest.raises(UnprocessableError):
        roles.require_administrator_left([ADA], ADA)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada Lovelace", "ada lovelace"),
        ("Ada Lovelace", "AdaLovelace"),
        ("ada", "\u0430da"),  # Cyrillic a
        ("ada", "\uff41da"),  # full width
        ("ada", "a\u0301da"),  # with an accent
        ("ada", "ad\u200ba"),  # with a character that shows nothing
        ("ada", "ada\ufe0f"),
        ("Ian", "lan"),
        ("bob1", "bobl"),
        ("Leo", "Le0"),
        ("Helen", "\u0397elen"),  # Greek Eta
        ("Straße", "STRASSE"),
        ("pete", "\U0001d429ete"),  # mathematical p
        ("scope", "\u0455\u0441\u043e\u0440\u0435"),  # all Cyrillic
    ],
)
def test_names_that_nobody_can_tell_apart_look_the_same(one: str, other: str) -> None:
    assert one != other
    assert look_of(one) == look_of(other)


def test_other_names_look_different() -> None:
    names = ["ada", "ben", "eva", "adam", "operator 1", "operator 2", "bootstrap", "李", "王", "Żaneta", "אדה"]
    assert len({look_of(name) for name in names}) == len(names)


@pytest.mark.parametrize("name", ["Ada", "Ada Lovelace", "李 明", "O'Neill-3"])
def test_name_with_characters_that_are_seen_is_readable(name: str) -> None:
    assert is_readable(name)


@pytest.mark.parametrize(
    "name", ["", " ", " ada", "ada ", "a  b", "a\tb", "a\u202eb", "a\u00a0b", "\u3164", "a\x00"]
)
def test_name_with_characters_that_nobody_sees_is_not_readable(name: str) -> None:
    assert not is_readable(name)
