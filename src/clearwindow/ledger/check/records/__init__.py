"""Statements of the check: records that must agree with each other."""
