"""Go Accounts with their keys, deposits, withdrawals and currencies. Protocol §1."""
