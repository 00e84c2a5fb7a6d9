"""Reads of the journal and its check, for operators."""

from __future__ import annotations

from datetime import datetime
from time import monotonic
from typing import Final

import psycopg
import structlog

from clearwindow.ledger import store
from clearwindow.ledger.check import outcomes, service
from clearwindow.ledger.check.outcomes import CheckKind, Outcome
from clearwindow.ledger.check.service import Finding
from clearwindow.ledger.models import EntryFilter, JournalEntry
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.runtime import Runtime

log: Final = structlog.get_logger(__name__)


def list_entries(runtime: Runtime, wanted: EntryFilter, part: Slice) -> Listing[JournalEntry]:
    """Returns one page of the journal, newest first."""
    with runtime.transaction() as tx:
        return store.list_entries(tx, wanted, part)


def check_ledger(runtime: Runtime) -> tuple[list[Finding], datetime]:
    """Returns the violated invariants, and when they were checked. Records the outcome for the metrics.

    Who asks gets the answer also if the outcome cannot be recorded.
    """
    began_at = monotonic()
    with runtime.transaction() as tx:
        found, checked_at = service.check_ledger(tx), tx.now()
    outcome = Outcome(CheckKind.BOOKS, checked_at, monotonic() - began_at, len(found))
    try:
        outcomes.record(runtime.database, outcome)
    except psycopg.Error as error:
        if not runtime.database.tell(error, "check"):
            log.warning("check_not_recorded", exc_info=error)
    return found, checked_at
