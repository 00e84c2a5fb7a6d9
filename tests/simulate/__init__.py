"""A model of the protocol beside the real server, in random steps: ``make simulate``."""
