"""Accounts, balances, holds, the double-entry journal and its check. Protocol §1, §10.1 to §10.3."""
