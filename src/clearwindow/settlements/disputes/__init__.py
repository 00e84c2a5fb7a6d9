"""Disputes, their closures, and the review of a closure by a second person. Protocol §6."""
