"""Disputes, how they are closed, and the review of a closure by a second person. Protocol §6."""
