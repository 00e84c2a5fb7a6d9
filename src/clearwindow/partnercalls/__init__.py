"""What we ask of a partner's own endpoints, and tell it: signed, bounded, and durable. Protocol §8."""
