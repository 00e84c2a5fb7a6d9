"""Reads of the journal and its check, for operators."""

from __future__ import annotations

from datetime import datetime

from clearwindow.ledger import store
from clearwindow.ledger.check import service
from clearwindow.ledger.check.service import Finding
from clearwindow.ledger.models import EntryFilter, JournalEntry
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.runtime import Runtime


def list_entries(runtime: Runtime, wanted: EntryFilter, part: Slice) -> Listing[JournalEntry]:
    """Returns one page of the journal, newest first."""
    with runtime.transaction() as tx:
        return store.list_entries(tx, wanted, part)


def check_ledger(runtime: Runtime) -> tuple[list[Finding], datetime]:
    """Returns the violated invariants, and when they were checked."""
    with runtime.transaction() as tx:
        return service.check_ledger(tx), tx.now()
