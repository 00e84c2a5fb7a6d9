"""A day of settlements with disputes, replayed."""
