"""Proposals of operators, over HTTP and as rules."""
