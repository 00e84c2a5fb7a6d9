"""What must be topped up on a partner's account, and by when. Protocol §5."""
