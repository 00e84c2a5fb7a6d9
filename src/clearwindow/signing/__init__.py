"""Signed requests: keys, Bitcoin signed messages, payloads and nonces. Protocol §3."""
