"""Attacks a server of our own on loopback, and measures what strangers and `/healthz` notice of it."""
