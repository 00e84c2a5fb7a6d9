"""Trades of connected accounts that a partner reports: the exact text to sign for one."""
