"""Statements of the check: balances and the journal."""
