"""The database: embedded PostgreSQL, connections, migrations."""
