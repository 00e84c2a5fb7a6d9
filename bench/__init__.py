"""Measures time and memory of one large settlement, compared with psql for the same rows."""
