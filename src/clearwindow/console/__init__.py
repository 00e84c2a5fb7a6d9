"""The web console: pages made on the server, on the same operations as the API."""
