"""Takes people away: members of an enterprise, and operators. Their tokens die with them. Protocol §2.

Their rows stay, because the history names them. Who comes back needs new tokens.
"""

from __future__ import annotations

from clearwindow.core.errors import NotFoundError
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.events.models import EventType
from clearwindow.identity import audit, events, store
from clearwindow.identity.directory import rules
from clearwindow.identity.enterprises import require_enterprise
from clearwindow.identity.models import Operator
from clearwindow.runtime import Runtime


def remove_member(runtime: Runtime, actor: Operator, enterprise_id: str, user_id: str) -> None:
    """Ends a membership and revokes the member's tokens of this enterprise. Removing it again changes nothing.

    Raises:
        NotFoundError: there is no such enterprise, or the user was never a member of it.
    """
    with runtime.transaction() as tx:
        require_enterprise(tx, enterprise_id)
        removed = store.remove_member(tx, enterprise_id, user_id)
        if removed is None:
            raise NotFoundError("member_unknown", "the enterprise has no member with this id")
        if removed:
            tokens = store.revoke_tokens_of_member(tx, enterprise_id, user_id)
            details = {"enterpriseId": enterprise_id, "revokedTokens": sorted(map(str, tokens))}
            audit.record(tx, actor, "user.removed", user_id, **details)
            events.of_member(tx, EventType.MEMBER_REMOVED, enterprise_id, user_id)


def remove_operator(runtime: Runtime, actor: Operator, operator_id: str) -> None:
    """Removes an operator and revokes its tokens. Removing it again changes nothing.

    Raises:
        NotFoundError: there is no such operator.
        ConflictError: it is the operator of the token in the settings.
        UnprocessableError: it is the last administrator.
    """
    with runtime.transaction() as tx:
        administrators = store.lock_operator_administrators(tx)
        operator = store.lock_operator(tx, parse_uuid(operator_id) or NIL)
        if operator is None:
            raise NotFoundError("operator_unknown", "there is no operator with this id")
        if operator.removed_at is not None:
            return
        rules.require_removable(operator, administrators)
        store.remove_operator(tx, operator.id)
        tokens = store.revoke_tokens_of_operator(tx, operator.id)
        details = {"name": operator.name, "revokedTokens": sorted(map(str, tokens))}
        audit.record(tx, actor, "operator.removed", operator.id, **details)
