"""The connection pool, embedded PostgreSQL, migrations."""
