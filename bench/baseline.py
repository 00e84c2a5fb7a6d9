"""The baseline: psql alone writes the same rows and updates the same balances.

The rows that the product wrote for one settlement are exported once, as the rows of another settlement. psql then
copies them into the same tables and updates the same balances by one statement, in one transaction. It reads,
computes and sends nothing, and only the database checks. No other way to settle can be much faster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import psycopg

from bench.network import sql
from bench.psql import Psql
from clearwindow.core.ids import time_ordered_prefix

_COLUMNS: Final[Mapping[str, str]] = {
    "change": "account_id, currency, available, held",
    "nonce": "enterprise_id, nonce, request_sha256, used_at, kept_texts",
    "settlement": (
        "id, partner_id, external_id, state, settlement_type, request_sha256, staged_answer, notes, initiated_by,"
        " cutoff_at, created_at, updated_at, dispute_deadline_at, top_up_deadline_at, execute_when_funded, due_at,"
        " attempts"
    ),
    "settlement_party": "settlement_id, partner_id, connection_id, dispute_deadline_at, disputed",
    "settlement_transfer": (
        "id, partner_id, settlement_id, dispute_closure_id, connection_id, network_account_id, currency, quantity,"
        " created_at, assigned_at"
    ),
    "hold": "partner_id, cause_id, cause_kind, account_id, currency, quantity",
    "ledger_entry": "id, partner_id, kind, cause_id, reference, created_at, number",
    "entry_posting": "entry_number, account_number, currency_number, of_settlement, available, held",
    "event": "id, enterprise_id, type, subject_id, payload, created_at, clients",
    "audit_record": "at, request_id, actor_kind, actor_id, enterprise_id, action, subject_id, details",
}
_CHANGE_TABLE: Final = (
    "CREATE TEMPORARY TABLE change (account_id uuid, currency text, available numeric, held numeric)"
    " ON COMMIT DROP;"
)
_UPDATE_BALANCES: Final = (
    "UPDATE balance SET available = balance.available + change.available, held = balance.held + change.held"
    " FROM change WHERE (balance.account_id, balance.currency) = (change.account_id, change.currency);"
)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a settlement writes: rows of ``tables``, and ``statements`` with the settlement's id."""

    tables: Sequence[str]
    entry_kind: str | None = None
    event_types: Sequence[str] = ()
    statements: Sequence[str] = ()


STEPS: Final[Mapping[str, Step]] = {
    "stage": Step(
        tables=(
            *(
                "nonce",
                "settlement",
                "settlement_party",
                "settlement_transfer",
                "hold",
                "ledger_entry",
                "entry_posting",
            ),
            *("event", "audit_record"),
        ),
        entry_kind="settlement_held",
        event_types=("settlement.initiated",),
    ),
    "finalise": Step(
        tables=("event",),
        event_types=("settlement.finalizing",),
        statements=("UPDATE settlement SET state = 'top_up_window', due_at = now() WHERE id = '{id}';",),
    ),
    "execute": Step(
        tables=("ledger_entry", "entry_posting", "event"),
        entry_kind="settlement_executed",
        event_types=("settlement.completed", "balance.changed"),
        statements=(
            "DELETE FROM hold WHERE cause_id = '{id}';",
            "UPDATE settlement SET state = 'completed', due_at = NULL, finalized_at = now() WHERE id = '{id}';",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class BaselineSettlement:
    """A settlement that psql will write; its scripts are in ``folder``."""

    folder: Path
    id: UUID = field(default_factory=uuid4)

    def run(self, psql: Psql, step: str) -> float:
        return psql.run(self._file(step, "sql"))

    def export(self, connection: psycopg.Connection, step: str, of: UUID) -> None:
        """Writes the rows that this step of the settlement ``of`` wrote, and the script that copies them in."""
        wanted = STEPS[step]
        (entry_number,) = connection.execute(sql["next_entry_number"]).fetchone() or (0,)
        values = {
            "of": of,
            "id": self.id,
            "entry": uuid4(),
            "entry_number": entry_number,
            "id_prefix": time_ordered_prefix(datetime.now(UTC)),
            "name": f"baseline-{self.id}",
            "kind": wanted.entry_kind,
            "types": list(wanted.event_types),
        }
        tables = [*wanted.tables, *(["change"] if wanted.entry_kind else [])]
        for table in tables:
            with (
                connection.cursor().copy(sql[f"copy_{table}"], values) as copy,
                self._file(f"{step}-{table}", "rows").open("wb") as file,
            ):
                file.writelines(copy)
        self._file(step, "sql").write_text("\n".join(self._script(step, wanted)) + "\n", encoding="utf-8")

    def _script(self, step: str, wanted: Step) -> list[str]:
        statements = [statement.format(id=self.id) for statement in wanted.statements]
        copies = [self._copy(step, table) for table in wanted.tables]
        if wanted.entry_kind:
            statements += [_CHANGE_TABLE, self._copy(step, "change"), _UPDATE_BALANCES]
        return ["BEGIN;", *copies, *statements, "COMMIT;"]

    def _copy(self, step: str, table: str) -> str:
        return f"\\copy {table} ({_COLUMNS[table]}) FROM '{self._file(f'{step}-{table}', 'rows')}'"

    def _file(self, name: str, kind: str) -> Path:
        return self.folder / f"{self.id}-{name}.{kind}"

    def remove_files(self) -> None:
        for file in self.folder.glob(f"{self.id}-*"):
            file.unlink()
