"""Settlements: staging, finalisation and execution, at once, after a dispute window or on chain. Protocol §5."""
