"""What the tests share: a database, a server, and a network to act on."""
