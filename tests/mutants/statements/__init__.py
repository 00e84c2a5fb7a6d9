"""Mutants of the named SQL statements of the ledger and of settlements."""
