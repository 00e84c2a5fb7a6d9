"""What a network is rehearsed with: the demo, and a server of one's own."""
