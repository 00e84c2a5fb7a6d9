"""Pauses: operators stop the network or a part of it at once, and resume it by two."""
