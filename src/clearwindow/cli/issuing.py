"""Making tokens through the operator's own use cases, so that the audit trail has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from clearwindow import bootstrap
from clearwindow.access import service as access
from clearwindow.access.values import BOOTSTRAP_OPERATOR, IssuedToken, Operator, Scope, TokenKind
from clearwindow.clock import wire_time
from clearwindow.http.bodies import validate
from clearwindow.http.wire import present
from clearwindow.operator import people
from clearwindow.operator.people_wire import OperatorRequest, OperatorTokenRequest, TokenRequest
from clearwindow.runtime import Runtime
from clearwindow.settings import Settings


@dataclass(frozen=True, slots=True)
class Terms:
    label: str | None
    expires_in_days: float | None

    def fields(self, runtime: Runtime) -> dict[str, object]:
        ends_at = None
        if self.expires_in_days is not None:
            ends_at = wire_time(runtime.clock.now() + timedelta(days=self.expires_in_days))
        return present(label=self.label, expiresAt=ends_at)


def issue_for_operator(settings: Settings, name: str, terms: Terms) -> IssuedToken:
    with bootstrap.opened_runtime(settings, share_running=True, as_marked=True) as runtime:
        actor = command_line_operator(runtime)
        asked = validate(terms.fields(runtime), OperatorTokenRequest)
        record = people.create_operator(runtime, actor, validate({"name": name}, OperatorRequest))
        return people.create_operator_token(runtime, actor, str(record.id), asked)


def issue_for_member(
    settings: Settings, enterprise_id: str, user_id: str, scopes: Sequence[str], kind: TokenKind, terms: Terms
) -> IssuedToken:
    with bootstrap.opened_runtime(settings, share_running=True, as_marked=True) as runtime:
        wanted = list(scopes) or [str(scope) for scope in Scope]
        holder = {"userId": user_id, "scopes": wanted, "kind": str(kind)}
        asked = validate(terms.fields(runtime) | holder, TokenRequest)
        return people.create_token(runtime, command_line_operator(runtime), enterprise_id, asked)


def command_line_operator(runtime: Runtime) -> Operator:
    """Who acts here in the audit trail: whoever has the shell could set the token in the settings as well."""
    with runtime.transaction() as tx:
        record, _ = access.create_operator(tx, runtime.ids.new(), BOOTSTRAP_OPERATOR)
    return Operator(record.id, record.name, f"command-line-{runtime.ids.new()}")
