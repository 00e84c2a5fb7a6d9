"""The audit trail: who did what, when, in which request. Written in the transaction that did it."""
