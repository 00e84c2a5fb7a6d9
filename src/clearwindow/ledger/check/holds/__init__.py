"""Statements of the check: what is held, and why."""
