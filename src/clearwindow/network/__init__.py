"""Partners with their configurations and currency names, clients, and the connections between them."""
