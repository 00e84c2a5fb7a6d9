"""The demo: a network, three settlements and the balances at the end."""
