"""Transfers and parties of a settlement."""
