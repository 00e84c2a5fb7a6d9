"""What the tests share: databases, servers, networks, and the check of every exchange."""
