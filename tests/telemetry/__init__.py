"""Traces, handed to a collector of the tests."""
