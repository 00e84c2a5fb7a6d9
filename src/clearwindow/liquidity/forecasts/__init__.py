"""What happens to a settlement if nothing changes. Protocol §5, §6."""
