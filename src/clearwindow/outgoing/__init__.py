"""HTTP to addresses that others name: bounded in time and size, and never to where they must not reach."""
