"""Standing instructions of partners that top their account up from another of their Go Accounts. Protocol §5."""
