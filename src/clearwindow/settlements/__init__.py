"""Staging, finalisation and execution of settlements: the heart. Protocol §5."""
