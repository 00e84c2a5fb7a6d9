"""Enrols, confirms, checks and removes second factors.

A code is used up by being looked at: the transaction that accepts it, or counts it as wrong, commits, whatever
happens to the request afterwards. Times are real ones, in a sandbox too: authenticators show real time.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.core.clock import wire_time
from clearwindow.core.errors import (
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RequestError,
    TooManyRequestsError,
)
from clearwindow.core.ids import NIL, parse_uuid
from clearwindow.identity import audit
from clearwindow.identity import store as people
from clearwindow.identity.models import Operator
from clearwindow.identity.programs import require_person
from clearwindow.identity.second_factor import rules, store
from clearwindow.identity.second_factor.models import (
    Confirmed,
    Enrolment,
    FactorState,
    FactorStatus,
    RecoveryCode,
    SecondFactor,
    TotpCode,
    Used,
)
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime

ISSUER: Final = "Clearwindow"
"""What authenticators show beside the operator's name."""


def enrol(runtime: Runtime, actor: Operator) -> Enrolment:
    """Makes a secret for the operator's authenticator. It is in force once a code of it is confirmed.

    A secret that was not confirmed is replaced.

    Raises:
        PermissionDeniedError: the token is a program's.
        ConflictError: the operator has a confirmed second factor.
    """
    require_person(actor)
    secret = secrets.token_bytes(rules.SECRET_BYTES)
    with runtime.transaction() as tx:
        factor_id = tx.new_id()
        factor = SecondFactor(
            id=factor_id,
            operator_id=actor.operator_id,
            sealed_secret=tx.vault.encrypt(secret, context=_seal_context(factor_id)),
            recovery_sha256=[],
            last_step=0,
            failures=0,
            locked_until=None,
            created_at=tx.now(),
            confirmed_at=None,
        )
        if not store.enrol(tx, factor):
            raise _is_confirmed()
        audit.record(tx, actor, "second_factor.enrolled", actor.operator_id)
    return Enrolment(rules.secret_text(secret), rules.otpauth_address(secret, actor.name, ISSUER))


def confirm(runtime: Runtime, actor: Operator, code: str) -> Confirmed:
    """Puts the second factor in force with its first code, and makes its recovery codes.

    Raises:
        PermissionDeniedError: the token is a program's, there is nothing to confirm, or the code is wrong.
        ConflictError: it is confirmed already.
        TooManyRequestsError: too many codes were wrong.
    """
    require_person(actor)
    codes = [rules.recovery_code(secrets.token_bytes(rules.RECOVERY_BYTES)) for _ in range(rules.RECOVERY_CODES)]
    with runtime.transaction() as tx:
        factor = store.lock(tx, actor.operator_id)
        if factor is None:
            raise _is_missing()
        if factor.confirmed_at is not None:
            raise _is_confirmed()
        spent = _spend(runtime, tx, actor, factor, code)
        if isinstance(spent, SecondFactor):
            hashes = [rules.recovery_sha256(each) for each in codes]
            store.update(tx, replace(spent, recovery_sha256=hashes, confirmed_at=tx.now()))
            audit.record(tx, actor, "second_factor.confirmed", actor.operator_id)
    _raise_refusal(spent)
    return Confirmed(codes)


def state(runtime: Runtime, actor: Operator) -> FactorState:
    """Returns the operator's own second factor, without any secret."""
    with runtime.transaction() as tx:
        factor = store.find(tx, actor.operator_id)
    required = runtime.second_factor.required
    if factor is None:
        return FactorState(FactorStatus.NONE, required)
    status = FactorStatus.UNCONFIRMED if factor.confirmed_at is None else FactorStatus.CONFIRMED
    locked = factor.locked_until if rules.is_locked(factor, runtime.second_factor.wall.now()) else None
    return FactorState(status, required, len(factor.recovery_sha256), locked)


def require_code(runtime: Runtime, actor: Operator, code: str | None) -> None:
    """Checks the code of an operator who approves or reviews, and uses it up.

    An operator without a second factor passes, unless the setting says that approvals need one.

    Raises:
        PermissionDeniedError: the token is a program's, or the code or the second factor is missing, or the code is
            wrong or used up.
        TooManyRequestsError: too many codes were wrong.
    """
    require_person(actor)
    with runtime.transaction() as tx:
        factor = store.lock(tx, actor.operator_id)
        spent = _checked(runtime, tx, actor, factor, code)
    _raise_refusal(spent)


def remove_own(runtime: Runtime, actor: Operator, code: str | None) -> None:
    """Removes the operator's own second factor, with a code of it. One that is not confirmed needs none.

    Raises:
        PermissionDeniedError, TooManyRequestsError: as for ``require_code``.
    """
    require_person(actor)
    with runtime.transaction() as tx:
        factor = store.lock(tx, actor.operator_id)
        if factor is None:
            return
        spent = factor if factor.confirmed_at is None else _checked(runtime, tx, actor, factor, code)
        if isinstance(spent, SecondFactor):
            _remove(tx, actor, factor)
    _raise_refusal(spent)


def confirmed_at(tx: Transaction, operator_id: UUID) -> str | None:
    """Returns since when the operator has a second factor in force, None if it has none."""
    factor = store.lock(tx, operator_id)
    return None if factor is None or factor.confirmed_at is None else wire_time(factor.confirmed_at)


def remove_unchecked(tx: Transaction, actor: Operator, operator_id: str) -> None:
    """Removes the second factor of an operator who has lost it. Whoever asks has given its own code before.

    Raises:
        NotFoundError: there is no such operator.
    """
    wanted = parse_uuid(operator_id) or NIL
    if people.find_operator(tx, wanted) is None:
        raise NotFoundError("operator_unknown", "there is no operator with this id")
    factor = store.lock(tx, wanted)
    if factor is not None:
        _remove(tx, actor, factor)


def _checked(
    runtime: Runtime, tx: Transaction, actor: Operator, factor: SecondFactor | None, code: str | None
) -> SecondFactor | RequestError | None:
    """Returns the second factor after this code, None if no code is needed, or the refusal to raise later."""
    if factor is None or factor.confirmed_at is None:
        return _is_missing() if runtime.second_factor.required else None
    if code is None:
        return PermissionDeniedError(
            "code_missing",
            "this needs a code of your authenticator, or a recovery code: send it in the header Clearwindow-Code",
        )
    return _spend(runtime, tx, actor, factor, code)


def _spend(
    runtime: Runtime, tx: Transaction, actor: Operator, factor: SecondFactor, code: str
) -> SecondFactor | RequestError:
    """Uses the code up, or counts it as wrong. Returns the stored outcome, or the refusal."""
    now = runtime.second_factor.wall.now()
    if rules.is_locked(factor, now):
        return _locked(factor.locked_until or now, now)
    secret = tx.vault.decrypt(factor.sealed_secret, context=_seal_context(factor.id))
    verdict = rules.judge(code, secret, factor, now)
    if isinstance(verdict, Used):
        return PermissionDeniedError(
            "code_used", "this code was used already: wait until your authenticator shows the next one"
        )
    free = replace(factor, failures=0, locked_until=None)
    if isinstance(verdict, TotpCode):
        accepted = replace(free, last_step=verdict.step)
    elif isinstance(verdict, RecoveryCode):
        left = [each for each in factor.recovery_sha256 if each != verdict.sha256]
        accepted = replace(free, recovery_sha256=left)
        audit.record(tx, actor, "second_factor.recovery_code_used", actor.operator_id, left=len(left))
    else:
        return _count_wrong(tx, actor, factor, now)
    store.update(tx, accepted)
    return accepted


def _count_wrong(tx: Transaction, actor: Operator, factor: SecondFactor, now: datetime) -> RequestError:
    failures, locked_until = rules.failures_after(factor, now)
    store.update(tx, replace(factor, failures=failures, locked_until=locked_until))
    if locked_until is None:
        return PermissionDeniedError(
            "code_wrong", "the code is wrong: send the one that your authenticator shows now, or a recovery code"
        )
    until = wire_time(locked_until)
    audit.record(tx, actor, "second_factor.locked", actor.operator_id, failures=failures, until=until)
    return _locked(locked_until, now)


def _remove(tx: Transaction, actor: Operator, factor: SecondFactor) -> None:
    store.delete(tx, factor.operator_id)
    confirmed = factor.confirmed_at is not None
    audit.record(tx, actor, "second_factor.removed", factor.operator_id, confirmed=confirmed)


def _raise_refusal(outcome: SecondFactor | RequestError | None) -> None:
    if isinstance(outcome, RequestError):
        raise outcome


def _locked(until: datetime, now: datetime) -> RequestError:
    seconds = max(1, math.ceil((until - now).total_seconds()))
    return TooManyRequestsError(
        "codes_locked",
        f"too many wrong codes: no code is looked at until {wire_time(until)}",
        {"until": wire_time(until)},
        retry_after_seconds=seconds,
    )


def _is_missing() -> RequestError:
    return PermissionDeniedError(
        "second_factor_missing",
        "you have no confirmed second factor: enrol one with POST /operators/me/second-factor, and confirm it",
    )


def _is_confirmed() -> RequestError:
    return ConflictError(
        "second_factor_confirmed", "you have a second factor already: remove it with a code, then enrol another one"
    )


def _seal_context(factor_id: object) -> str:
    return f"second-factor:{factor_id}"
