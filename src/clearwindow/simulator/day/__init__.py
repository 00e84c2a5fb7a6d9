"""A day of simulated settlements with disputes."""
