"""What can be moved now, and why not more. Protocol §4."""
