"""Attacks on a network: what a stranger, a member or one operator must not be able to do, tried and counted."""
