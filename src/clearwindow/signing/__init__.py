"""What makes a request its sender's own: keys, the Bitcoin signed message, the match (protocol §3)."""
