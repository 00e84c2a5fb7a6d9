"""The edge: puts routes, limits, documentation and health checks together into one application."""
