"""The embedded PostgreSQL: a server that Clearwindow ships and starts itself."""
