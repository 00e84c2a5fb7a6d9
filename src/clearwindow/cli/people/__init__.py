"""Commands for people, who use a network from a terminal. They speak the SDK alone."""
