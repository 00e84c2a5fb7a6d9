"""Statements of the check: what journal entries do, beside what their causes say."""
