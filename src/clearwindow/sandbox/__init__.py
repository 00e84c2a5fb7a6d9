"""The demo network."""
