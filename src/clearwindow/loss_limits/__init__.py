"""Limits that a client sets to what a partner may take from it, for each connection and currency."""
