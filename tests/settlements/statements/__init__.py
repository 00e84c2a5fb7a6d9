"""Single statements of settlements: each among rows that it must leave alone."""
