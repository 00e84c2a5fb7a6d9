"""When the windows of open settlements end. Protocol §5."""
