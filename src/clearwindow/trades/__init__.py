"""Trades that a partner reports about connected accounts: the exact text to sign for one."""
