"""The operator's API: how a network is set up and watched."""
