"""Statements of accounts: opening, entries with their causes, closing, and what is held and why."""
