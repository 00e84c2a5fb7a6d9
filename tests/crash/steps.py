"""The steps of a settlement at which the tests kill, and how each step is held until the kill.

A step is held in the middle of its own statement. Triggers, which exist in the tests' database alone, wait for an
advisory lock at one certain row. If a statement only reads, a row is locked. A commit that is written but not yet
answered waits for a standby server that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LOCK_SPACE: Final = 1_067


class Phase(StrEnum):
    STAGING = "staging"
    FINALISATION = "finalisation"
    EXECUTION = "execution"


class Held(StrEnum):
    """What holds a step, and what ``Step.where`` names."""

    BY_TRIGGER = "a trigger: its events and its condition"
    BY_ROW = "a locked row: the statement that locks it"
    BY_STANDBY = "a standby server that does not exist: nothing"


@dataclass(frozen=True, slots=True)
class Step:
    """A step; ``marker`` is a part of the statement that must be running at the kill."""

    phase: Phase
    name: str
    marker: str
    where: str
    held: Held = Held.BY_TRIGGER

    @property
    def id(self) -> str:
        return f"{self.phase}: {self.name}"

    @property
    def committed(self) -> bool:
        """Whether the transaction is durable at the kill."""
        return self.held is Held.BY_STANDBY


STAGING, FINALISATION, EXECUTION = Phase
_MIDDLE: Final = "NEW.connection_id = {middle}"
_MIDDLE_BALANCE: Final = "(NEW.account_id, NEW.currency) = ({middle_account}, 'ofcbtc')"
_MIDDLE_BALANCE_BEFORE: Final = _MIDDLE_BALANCE.replace("NEW.", "OLD.")
_MIDDLE_POSTING: Final = "(NEW.account_number, NEW.currency_number) = ({middle_account_number}, {btc_number})"
_MIDDLE_EVENT: Final = "NEW.clients > 0 AND NEW.type = '{type}'"


def _event(kind: str) -> str:
    return f"BEFORE INSERT ON event FOR EACH ROW WHEN ({_MIDDLE_EVENT.replace('{type}', kind)})"


def _deferred(events: str, condition: str = "true") -> str:
    return f"{events} ON settlement DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ({condition})"


STEPS: Final = (
    Step(
        STAGING,
        "lock of the partner",
        "FROM partner",
        "SELECT FROM partner WHERE id = {partner} FOR UPDATE",
        Held.BY_ROW,
    ),
    Step(
        STAGING,
        "use of the nonce",
        "INSERT INTO nonce",
        "AFTER INSERT ON nonce FOR EACH ROW WHEN (NEW.enterprise_id = {enterprise})",
    ),
    Step(STAGING, "insert of the settlement", "INSERT INTO settlement ", "AFTER INSERT ON settlement FOR EACH ROW"),
    Step(
        STAGING,
        "insert of the parties",
        "INSERT INTO settlement_party",
        f"BEFORE INSERT ON settlement_party FOR EACH ROW WHEN ({_MIDDLE})",
    ),
    Step(
        STAGING,
        "insert of the transfers",
        "INSERT INTO settlement_transfer",
        f"BEFORE INSERT ON settlement_transfer FOR EACH ROW WHEN ({_MIDDLE} AND NEW.currency = 'ofceth')",
    ),
    Step(
        STAGING,
        "assignment of the disputes",
        "UPDATE dispute SET settled_in",
        "AFTER UPDATE OF settled_in_settlement_id ON dispute FOR EACH ROW",
    ),
    Step(
        STAGING,
        "assignment of the closures' transfers",
        "UPDATE settlement_transfer",
        "AFTER UPDATE OF settlement_id ON settlement_transfer FOR EACH ROW",
    ),
    Step(
        STAGING,
        "move of the liabilities",
        "WITH wanted AS",
        f"BEFORE UPDATE ON balance FOR EACH ROW WHEN (NEW.held > OLD.held AND {_MIDDLE_BALANCE})",
    ),
    Step(
        STAGING,
        "insert of the postings",
        "WITH wanted AS",
        f"BEFORE INSERT ON entry_posting FOR EACH ROW WHEN ({_MIDDLE_POSTING} AND NEW.held > 0)",
    ),
    Step(
        STAGING,
        "end of the disputes' holds",
        "WITH wanted AS",
        "AFTER DELETE ON hold FOR EACH ROW WHEN (OLD.cause_kind = 'dispute')",
    ),
    Step(
        STAGING,
        "insert of the holds",
        "WITH wanted AS",
        f"BEFORE INSERT ON hold FOR EACH ROW WHEN (NEW.cause_kind = 'settlement' AND {_MIDDLE_BALANCE})",
    ),
    Step(STAGING, "insert of the events", "INSERT INTO event", _event("settlement.initiated")),
    Step(
        STAGING,
        "insert of the audit record",
        "INSERT INTO audit_record",
        "AFTER INSERT ON audit_record FOR EACH ROW WHEN (NEW.action = 'settlement.stage')",
    ),
    Step(
        STAGING,
        "write of the stored answer",
        "SET staged_answer",
        "AFTER UPDATE OF staged_answer ON settlement FOR EACH ROW",
    ),
    Step(STAGING, "commit", "COMMIT", _deferred("AFTER INSERT")),
    Step(STAGING, "committed, not answered", "COMMIT", "", Held.BY_STANDBY),
    Step(
        FINALISATION,
        "lock of the parties",
        "FROM settlement_party",
        "SELECT FROM settlement_party WHERE connection_id = {middle} FOR UPDATE",
        Held.BY_ROW,
    ),
    Step(
        FINALISATION,
        "mark of the disputed parties",
        "UPDATE settlement_party",
        "AFTER UPDATE OF disputed ON settlement_party FOR EACH ROW",
    ),
    Step(
        FINALISATION,
        "hand-over of the holds",
        "WITH share AS",
        "AFTER INSERT ON hold FOR EACH ROW WHEN (NEW.cause_kind = 'dispute')",
    ),
    Step(
        FINALISATION,
        "change of state",
        "UPDATE settlement",
        "AFTER UPDATE OF state ON settlement FOR EACH ROW WHEN (NEW.state = 'top_up_window')",
    ),
    Step(FINALISATION, "insert of the events", "INSERT INTO event", _event("settlement.finalizing")),
    Step(
        FINALISATION,
        "commit",
        "COMMIT",
        _deferred("AFTER UPDATE OF state", "NEW.state = 'top_up_window'"),
    ),
    Step(FINALISATION, "committed, not noticed", "COMMIT", "", Held.BY_STANDBY),
    Step(
        EXECUTION,
        "lock of the partner's balances",
        "FROM balance",
        "SELECT FROM balance WHERE account_id = {partner_account} FOR UPDATE",
        Held.BY_ROW,
    ),
    Step(
        EXECUTION,
        "end of the holds",
        "WITH run AS",
        f"AFTER DELETE ON hold FOR EACH ROW WHEN (OLD.cause_kind = 'settlement' AND {_MIDDLE_BALANCE_BEFORE})",
    ),
    Step(
        EXECUTION,
        "insert of the postings",
        "WITH run AS",
        f"BEFORE INSERT ON entry_posting FOR EACH ROW WHEN ({_MIDDLE_POSTING} AND NEW.held < 0)",
    ),
    Step(
        EXECUTION,
        "move of the balances",
        "WITH run AS",
        f"BEFORE UPDATE ON balance FOR EACH ROW WHEN (NEW.held < OLD.held AND {_MIDDLE_BALANCE})",
    ),
    Step(
        EXECUTION,
        "completion",
        "UPDATE settlement",
        "AFTER UPDATE OF state ON settlement FOR EACH ROW WHEN (NEW.state = 'completed')",
    ),
    Step(EXECUTION, "insert of the events", "INSERT INTO event", _event("settlement.completed")),
    Step(
        EXECUTION,
        "commit",
        "COMMIT",
        _deferred("AFTER UPDATE OF state", "NEW.state = 'completed'"),
    ),
    Step(EXECUTION, "committed, not noticed", "COMMIT", "", Held.BY_STANDBY),
)
